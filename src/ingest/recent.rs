//! The states of keys that a lane met lately, so that a repeat need not be read from the database again.
//!
//! Only for SQLite, where one process writes and everything it writes goes through one lane. A state is taken out when a batch
//! meets its key and put back once that batch is committed: what fails half-way is simply read again.

use std::collections::HashMap;

use crate::incident::KeyState;
use crate::store::ingest::Key;

/// Bytes that the younger half may hold; the older holds as much again.
const HALF: usize = 6 << 20;
/// A state that is larger than this is read again each time.
const LARGE: usize = 16 << 10;

/// Two generations: when the younger is full it becomes the older, and what nobody asked for since is forgotten.
#[derive(Default)]
pub struct Recent {
    young: HashMap<Key, KeyState>,
    old: HashMap<Key, KeyState>,
    bytes: usize,
}

impl Recent {
    /// Takes out the state of a key.
    pub fn take(&mut self, key: &Key) -> Option<KeyState> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Remembers the state of a key, as it is committed.
    pub fn put(&mut self, key: Key, state: KeyState) {
        let size = size(&key, &state);
        if size > LARGE {
            return;
        }
        if self.bytes + size > HALF {
            // The table of the forgotten is used again: growing one costs more than filling it.
            self.old.clear();
            std::mem::swap(&mut self.old, &mut self.young);
            self.bytes = 0;
        }
        self.bytes += size;
        self.young.insert(key, state);
    }

    /// Forgets everything: somebody else may have written.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Bytes that an entry holds, roughly.
fn size(key: &Key, state: &KeyState) -> usize {
    let incident = state.open.as_ref().map_or(0, |incident| {
        512 + incident.title.len() + incident.first_summary.len() + incident.source.len() + incident.shown.to_json().len()
    });
    256 + key.dedup_key.len() + incident
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::incident::Tombstone;

    fn key(number: usize) -> Key {
        Key { integration_id: Arc::from("int_1"), dedup_key: format!("key-{number}") }
    }

    fn state(number: usize) -> KeyState {
        KeyState { open: None, tombstone: Some(Tombstone { incident_id: Some(number.to_string()), ..Tombstone::default() }) }
    }

    #[test]
    fn a_state_is_there_once() {
        let mut recent = Recent::default();
        recent.put(key(1), state(1));
        assert_eq!(recent.take(&key(1)), Some(state(1)));
        assert_eq!(recent.take(&key(1)), None, "until it is put back");
        recent.put(key(1), state(1));
        recent.clear();
        assert_eq!(recent.take(&key(1)), None);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_forgotten() {
        let mut recent = Recent::default();
        for number in 0..200_000 {
            recent.put(key(number), state(number));
            if number % 1_000 == 0 {
                let often = recent.take(&key(0)).expect("asked for all the time");
                recent.put(key(0), often);
            }
        }
        assert!(recent.young.len() + recent.old.len() <= 2 * HALF / 256);
        assert_eq!(recent.take(&key(1)), None);
        assert!(recent.take(&key(199_999)).is_some());
    }
}
