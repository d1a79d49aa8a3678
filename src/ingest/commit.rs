//! The committer.

use crate::store::{Conn, Result, Store, StoreError};

/// Commits.
#[derive(Clone)]
pub struct Committer {
    store: Store,
}

impl Committer {
    /// Over `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Runs `work` in a transaction that may write, in turn with everything else that writes.
    ///
    /// # Errors
    /// What `work` says, or that the store cannot promise anything now.
    pub async fn write<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.writer()?.transaction_immediate(work)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Environment("abandoned".into()).into()),
        }
    }
}
