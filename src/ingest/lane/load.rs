//! What a batch must know before it is folded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::incident::Outcome;
use crate::ingest::fold::{CATCH_ALL_OTHER, CATCH_ALL_PREFIX, Fold};
use crate::ingest::recent::Recent;
use crate::ingest::submission::{Effect, Submission};
use crate::store::ingest::{self, Key, Purpose};
use crate::store::{Conn, Result};

/// Everything that the batch's keys meet, in a query or two (and one more where something was not understood), less what is in
/// `recent`.
///
/// # Errors
/// A query failed.
pub fn load<'a>(conn: &mut Conn, batch: &[&'a Submission], purpose: Purpose, recent: Option<&mut Recent>) -> Result<Fold<'a>> {
    let mut keys: HashSet<Key> = HashSet::with_capacity(batch.iter().map(|submission| submission.items.len()).sum());
    let mut unmapped: HashSet<&Arc<str>> = HashSet::new();
    // What does nothing unless a certain incident is open: where others write too, the store is asked which is.
    let mut asking: HashSet<&str> = HashSet::new();
    let others_write = matches!(conn, Conn::Pg(_));
    for submission in batch {
        for item in &submission.items {
            keys.insert(Key { integration_id: Arc::clone(&submission.integration_id), dedup_key: item.key.as_str().to_owned() });
            if others_write && item.is_conditional() {
                asking.insert(item.key.as_str());
            }
            if matches!(&item.effect, Effect::Report(report) if report.catch_all == Some(Outcome::Unmapped)) {
                unmapped.insert(&submission.integration_id);
            }
        }
    }
    let mut catch_alls = HashMap::new();
    for integration_id in unmapped {
        let key = Key { integration_id: Arc::clone(integration_id), dedup_key: CATCH_ALL_OTHER.to_owned() };
        keys.insert(key);
        let open = ingest::count_open_like(conn, integration_id, CATCH_ALL_PREFIX)?;
        catch_alls.insert(Arc::clone(integration_id), open);
    }
    let mut known = Vec::new();
    if let Some(recent) = recent {
        keys.retain(|key| match recent.take(key) {
            Some(_) if asking.contains(key.dedup_key.as_str()) => true,
            Some(state) => {
                known.push((key.clone(), state));
                false
            }
            None => true,
        });
    }
    let all = keys.len() + known.len();
    let keys: Vec<&Key> = keys.iter().collect();
    let mut fold = Fold::new(all, ingest::load(conn, &keys, purpose)?, catch_alls);
    known.into_iter().for_each(|(key, state)| fold.remember(key, state));
    Ok(fold)
}
