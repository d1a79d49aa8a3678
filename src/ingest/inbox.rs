//! Where a thread that serves requests gets its answers: all that one batch has for it come together, and wake it once.
//!
//! To wake a task of another thread costs a system call each time, so a lane that answered a batch one by one would spend its
//! time on waking. It posts one parcel a thread instead; a task on that thread hands the answers out, where waking is a push
//! onto the thread's own list.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::sync::{Notify, oneshot};

use super::queue::Answer;

/// Answers on their way, each to whoever waits for it.
pub type Parcel = Vec<(oneshot::Sender<Answer>, Answer)>;

thread_local! {
    /// This thread's inbox, and the runtime whose task empties it.
    static HERE: RefCell<Option<(Id, Arc<Inbox>)>> = const { RefCell::new(None) };
}

/// Answers for the tasks of one thread of one runtime.
pub struct Inbox {
    /// `None` once nobody hands them out any longer.
    parcel: Mutex<Option<Parcel>>,
    bell: Notify,
}

impl Inbox {
    /// The inbox of the thread and runtime that this is called on; `None` outside of any.
    pub fn here() -> Option<Arc<Self>> {
        let runtime = Handle::try_current().ok()?;
        HERE.with_borrow_mut(|here| {
            if let Some((id, inbox)) = here
                && *id == runtime.id()
                && inbox.parcel().is_some()
            {
                return Some(Arc::clone(inbox));
            }
            let inbox = Self::open(&runtime);
            *here = Some((runtime.id(), Arc::clone(&inbox)));
            Some(inbox)
        })
    }

    /// An inbox, and the task on `runtime` that empties it.
    fn open(runtime: &Handle) -> Arc<Self> {
        let inbox = Arc::new(Self { parcel: Mutex::new(Some(Parcel::new())), bell: Notify::new() });
        let closing = Closing(Arc::clone(&inbox));
        runtime.spawn(async move {
            let Closing(inbox) = &closing;
            loop {
                inbox.bell.notified().await;
                let parcel = inbox.parcel().as_mut().map(std::mem::take);
                hand_out(parcel.unwrap_or_default());
            }
        });
        inbox
    }

    fn parcel(&self) -> MutexGuard<'_, Option<Parcel>> {
        self.parcel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts answers.
    pub fn post(&self, mut answers: Parcel) {
        if let Some(parcel) = self.parcel().as_mut() {
            parcel.append(&mut answers);
        }
        self.bell.notify_one();
        // Left over where the runtime is gone, and with it whoever waited; but that is for each answer to find out.
        hand_out(answers);
    }
}

fn hand_out(answers: Parcel) {
    for (sender, answer) in answers {
        // Nobody may wait any longer.
        let _ = sender.send(answer);
    }
}

/// Closes the inbox when its task ends, however it ends.
struct Closing(Arc<Inbox>);

impl Drop for Closing {
    fn drop(&mut self) {
        let left = self.0.parcel().take();
        hand_out(left.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::submission::Receipt;
    use crate::ingest::testing::submission;

    fn answer() -> (oneshot::Receiver<Answer>, (oneshot::Sender<Answer>, Answer)) {
        let (sender, receiver) = oneshot::channel();
        (receiver, (sender, Answer::new(Ok(Receipt::default()), submission("int_1", Vec::new()))))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_parcel_reaches_everybody_in_it() {
        runtime().block_on(async {
            let inbox = Inbox::here().unwrap();
            assert!(Arc::ptr_eq(&inbox, &Inbox::here().unwrap()), "one a thread");
            let ((one, first), (two, second)) = (answer(), answer());
            std::thread::spawn(move || inbox.post(vec![first, second])).join().unwrap();
            assert!(one.await.unwrap().result.is_ok());
            assert!(two.await.unwrap().result.is_ok());
        });
    }

    #[test]
    fn an_inbox_whose_runtime_is_gone_loses_nothing() {
        assert!(Inbox::here().is_none());
        let first = runtime();
        let (inbox, undelivered, parcel) = first.block_on(async {
            let (receiver, parcel) = answer();
            (Inbox::here().unwrap(), receiver, parcel)
        });
        // Posted, and its task never runs again.
        inbox.post(vec![parcel]);
        drop(first);
        assert!(undelivered.blocking_recv().is_ok());
        let (late, parcel) = answer();
        inbox.post(vec![parcel]);
        assert!(late.blocking_recv().is_ok());
        runtime().block_on(async {
            assert!(!Arc::ptr_eq(&inbox, &Inbox::here().unwrap()), "each runtime has its own");
        });
    }
}
