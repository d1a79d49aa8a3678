//! A submission that waits, and how whoever waits for it is told.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::ingest::inbox::{Inbox, Parcel};
use crate::ingest::submission::{Receipt, Refused, Submission};

/// What became of a submission.
pub struct Answer {
    /// Its receipt, or why there is none.
    pub result: Result<Receipt, Refused>,
    /// The submission goes back to the thread that it came from: taking it apart is work too.
    _spent: Submission,
}

impl Answer {
    /// What became of `spent`.
    pub fn new(result: Result<Receipt, Refused>, spent: Submission) -> Self {
        Self { result, _spent: spent }
    }
}

/// One submission that somebody waits for.
pub struct Entry {
    /// What to commit.
    pub submission: Submission,
    pub(super) reply: oneshot::Sender<Answer>,
    /// Where whoever waits gets its answers; `None`: from the sender itself.
    pub(super) inbox: Option<Arc<Inbox>>,
    /// When nobody waits any longer.
    pub deadline: Instant,
    pub(super) queued: Instant,
    pub(super) size: usize,
}

impl Entry {
    /// Tells whoever waits; nobody may.
    pub fn answer(self, result: Result<Receipt, Refused>) {
        let _ = self.reply.send(Answer::new(result, self.submission));
    }

    /// Tells whoever waits for any of them, and wakes each thread once.
    pub fn answer_all(answers: impl Iterator<Item = (Self, Result<Receipt, Refused>)>) {
        let mut parcels: Vec<(Arc<Inbox>, Parcel)> = Vec::new();
        for (mut entry, result) in answers {
            let Some(inbox) = entry.inbox.take() else {
                entry.answer(result);
                continue;
            };
            let answer = (entry.reply, Answer::new(result, entry.submission));
            match parcels.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &inbox)) {
                Some((_, parcel)) => parcel.push(answer),
                None => parcels.push((inbox, vec![answer])),
            }
        }
        parcels.into_iter().for_each(|(inbox, parcel)| inbox.post(parcel));
    }
}
