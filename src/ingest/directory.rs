//! The present snapshot, and how it is kept fresh.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Mutex as AsyncMutex;

use super::snapshot::Snapshot;
use crate::provider::Registry;
use crate::secret::reference::References;
use crate::secret::{CredentialHash, Sealer};
use crate::store::{self, Result, Store};

/// For how long a snapshot that could not be confirmed still says with certainty what is unknown.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(5);
/// For how long a credential that the store does not know is not asked for again.
const MISS_FOR: Duration = Duration::from_secs(1);
/// Misses remembered at once; strangers choose them, so the memory must be bounded.
const MISSES_MAX: usize = 10_000;
/// How old a snapshot may become that holds what stood in files: they may have changed.
const FILES_FOR: Duration = Duration::from_secs(60);

/// Holds the snapshot that requests are served from.
pub struct Directory {
    store: Store,
    sealer: Sealer,
    tools: &'static Registry,
    references: Arc<References>,
    current: ArcSwap<Snapshot>,
    /// When the present snapshot was last known to be the newest, in milliseconds since `born`.
    confirmed: AtomicU64,
    born: Instant,
    /// Held while the store is asked, so that a thousand misses ask once.
    asking: AsyncMutex<()>,
    misses: Mutex<HashMap<CredentialHash, Instant>>,
    /// When the present snapshot was loaded.
    loaded: Mutex<Instant>,
}

impl Directory {
    /// Loads the first snapshot; blocks.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(store: Store, sealer: Sealer, tools: &'static Registry, references: Arc<References>) -> Result<Self> {
        let snapshot = store.read_now(|conn| store::snapshot::load(conn, &sealer, tools, &references))?;
        Ok(Self {
            store,
            sealer,
            tools,
            references,
            current: ArcSwap::from_pointee(snapshot),
            confirmed: AtomicU64::new(0),
            born: Instant::now(),
            asking: AsyncMutex::new(()),
            misses: Mutex::new(HashMap::new()),
            loaded: Mutex::new(Instant::now()),
        })
    }

    /// The present snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// How long ago the snapshot was last known to be the newest.
    pub fn age(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.confirmed.load(Ordering::Acquire)))
    }

    /// Whether the snapshot may be trusted when it says that something is unknown.
    pub fn confirmed(&self) -> bool {
        self.age() <= CONFIRMED_FOR
    }

    /// Asks the store whether the configuration has moved, and loads it if so.
    ///
    /// # Errors
    /// The store cannot be read; the old snapshot stays.
    pub async fn refresh(&self) -> Result<()> {
        let _asking = self.asking.lock().await;
        self.ask().await
    }

    async fn ask(&self) -> Result<()> {
        let asked = self.born.elapsed();
        let have = (!self.files_may_have_changed()).then_some(self.current.load().version);
        let (sealer, tools, references) = (self.sealer.clone(), self.tools, Arc::clone(&self.references));
        let newer = self
            .store
            .read(move |conn| {
                if Some(store::snapshot::version(conn)?) == have {
                    return Ok(None);
                }
                store::snapshot::load(conn, &sealer, tools, &references).map(Some)
            })
            .await?;
        if let Some(snapshot) = newer {
            keep_last_used(&self.current.load(), &snapshot);
            self.current.store(Arc::new(snapshot));
            *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        self.confirmed.fetch_max(u64::try_from(asked.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        Ok(())
    }

    /// Whether the present snapshot holds what stood in files, and is so old that they are to be read again.
    fn files_may_have_changed(&self) -> bool {
        let loaded = *self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.elapsed() >= FILES_FOR && self.current.load().names_files
    }

    /// For a credential that the present snapshot does not know: asks the store once before it is refused. Callers that come while
    /// it is being asked share the answer, and a miss is remembered for a second. Afterwards look again in [`Directory::snapshot`].
    ///
    /// # Errors
    /// The store cannot be read: what is unknown is then uncertain.
    pub async fn look_again(&self, hash: &CredentialHash) -> Result<()> {
        if self.missed_lately(hash) {
            return Ok(());
        }
        let came = self.born.elapsed();
        let _asking = self.asking.lock().await;
        let asked_since = self.confirmed.load(Ordering::Acquire) > u64::try_from(came.as_millis()).unwrap_or(u64::MAX);
        if !asked_since {
            self.ask().await?;
        }
        self.remember_miss(*hash);
        Ok(())
    }

    fn missed_lately(&self, hash: &CredentialHash) -> bool {
        let misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        misses.get(hash).is_some_and(|at| at.elapsed() < MISS_FOR)
    }

    /// Remembers every credential that was asked for; one that has become known is never looked up here again.
    fn remember_miss(&self, hash: CredentialHash) {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        if misses.len() >= MISSES_MAX {
            misses.retain(|_, at| at.elapsed() < MISS_FOR);
        }
        if misses.len() < MISSES_MAX {
            misses.insert(hash, Instant::now());
        }
    }
}

/// Last-used times that the store has not been told yet must survive the swap.
fn keep_last_used(old: &Snapshot, new: &Snapshot) {
    for (id, integration) in &new.integrations {
        let Some(before) = old.integrations.get(id) else { continue };
        for credential in &integration.credentials {
            if let Some(same) = before.credentials.iter().find(|same| same.id == credential.id) {
                credential.last_used.fetch_max(same.last_used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }
    for (hash, token) in &new.tokens {
        if let Some(same) = old.tokens.get(hash) {
            token.last_used.fetch_max(same.last_used.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::store::testing::{self, plant_destination};
    use crate::store::{destinations, snapshot, tenants};
    use crate::time::Timestamp;

    #[tokio::test]
    async fn a_file_that_a_destination_names_is_read_again_after_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("token"), text).unwrap();
        write("one");
        let database = testing::sqlite();
        let mut conn = database.store.writer().unwrap();
        let tenant = tenants::ensure(&mut conn, "default", Timestamp(1)).unwrap();
        let row = plant_destination(&mut conn, &tenant, "ops");
        let plain = row.open(&testing::sealer()).unwrap();
        let references = Arc::new(References::new(HashMap::new(), Some(folder.path().to_owned())));
        let directory = Directory::open(database.store.clone(), testing::sealer(), Registry::built_in(), references).unwrap();
        let a_minute_passes = || {
            *directory.loaded.lock().unwrap() = Instant::now().checked_sub(FILES_FOR).unwrap();
        };
        let token = || {
            let snapshot = directory.snapshot();
            let (_, target) = snapshot.destinations[row.id.as_str()].open(Timestamp(2)).ok().unwrap();
            target.token.map(|token| token.expose().to_owned())
        };
        a_minute_passes();
        directory.refresh().await.unwrap();
        assert_eq!(token(), None);

        let token_named = Some(Secret::new("file:token"));
        let mut changed = row.clone();
        changed.seal(&testing::sealer(), &crate::delivery::destination::Settings { token: token_named, ..plain }).unwrap();
        destinations::update(&mut conn, &changed, Timestamp(2)).unwrap();
        snapshot::bump(&mut conn).unwrap();
        directory.refresh().await.unwrap();
        assert_eq!(token().as_deref(), Some("one"));
        write("two");
        directory.refresh().await.unwrap();
        assert_eq!(token().as_deref(), Some("one"), "nothing is read every second");
        a_minute_passes();
        directory.refresh().await.unwrap();
        assert_eq!(token().as_deref(), Some("two"));
    }
}
