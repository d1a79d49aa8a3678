//! The engine of delivery: what the outside world must be told goes out, once, in order, however bad the receiver behaves.
//!
//! What happened is a row of the outbox, written in the commit of what happened. One *router* in the whole cluster (`router`) turns
//! these into deliveries, in order; *lanes* (`lane`), one for each destination, claim what is due there with a lease, send it and
//! record what came back. The rules are in [`crate::delivery`], which does no I/O; the statements in [`crate::store::outbox`].
//!
//! Order is kept for each incident at each destination (a *thread*): the router alone makes deliveries, a lane sends the oldest of a
//! thread and no other before that one came to its end. Destinations know nothing of each other.

mod again;
mod bell;
mod direct;
mod lane;
mod mail;
pub mod message;
mod orphans;
mod plan;
pub mod preview;
pub mod rehearsal;
mod router;
mod send;
mod settle;
mod shown;
mod sweep;
mod trial;
mod turn;
mod waits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::net::Client;
pub use again::{Again, retry};
use bell::Bell;
pub use direct::{Direct, Line, Tried};
pub use trial::trial;

/// How often everybody looks whether there is something to do that nobody told them of: another node's work, a lease that ended.
const POLL: Duration = Duration::from_secs(1);

/// How deliveries are made: section `delivery` of the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Deliveries to one destination at a time.
    pub concurrency: usize,
    /// How long one may take, answer included.
    pub timeout: Duration,
    /// How long a worker that died keeps what it had.
    pub lease: Duration,
    /// How long a receiver that says it is gone is believed to be so before it is asked once more.
    pub confirm_gone: Duration,
}

/// The engine, as the rest of the service knows it.
#[derive(Default)]
pub struct Outbox {
    /// Rung when a commit may have left something to tell.
    bell: Bell,
    /// Rung when a destination has something to do; there for each that has a lane.
    lanes: Mutex<HashMap<Arc<str>, Arc<Notify>>>,
    /// Rung when a destination without a lane has something to do.
    new_lane: Notify,
}

impl Outbox {
    /// Something may be there to tell.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// A destination has something to do.
    pub fn wake(&self, destination_id: &str) {
        self.wake_all(vec![destination_id.to_owned()]);
    }

    /// These destinations have something to do.
    fn wake_all(&self, destinations: Vec<String>) {
        for id in destinations {
            match self.lanes().get(id.as_str()) {
                Some(lane) => lane.notify_one(),
                None => self.new_lane.notify_one(),
            }
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Notify>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The engine at work.
pub struct Running {
    stop: watch::Sender<bool>,
    app: Arc<App>,
    router: std::thread::JoinHandle<()>,
    dispatcher: JoinHandle<()>,
}

/// What all lanes share.
struct Engine {
    app: Arc<App>,
    client: Client,
    settings: Settings,
    /// Who we are among the workers of this database.
    node: String,
    stop: watch::Receiver<bool>,
}

/// Starts the engine; without a way to the outside nothing is sent, and everything waits.
///
/// # Errors
/// A thread cannot be started, or what a worker that is gone had cannot be taken back.
pub async fn start(app: &Arc<App>, settings: Settings, client: Client) -> anyhow::Result<Running> {
    if app.store.backend() == crate::store::Backend::Sqlite {
        let now = app.clock.now().0;
        app.committer.tidy(move |conn| crate::store::outbox::lane::release_all(conn, now)).await?;
    }
    let (stop, stopping) = watch::channel(false);
    let node = uuid::Uuid::now_v7().simple().to_string();
    let engine = Arc::new(Engine { app: Arc::clone(app), client, settings, node, stop: stopping });
    let router = router::start(Arc::clone(app), engine.stop.clone())?;
    let dispatcher = tokio::spawn(lane::dispatch(engine));
    Ok(Running { stop, app: Arc::clone(app), router, dispatcher })
}

impl Running {
    /// Sends nothing more, waits until what is on its way has come to its end, and leaves the rest in the outbox.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        self.app.outbox.bell.ring();
        let _ = self.dispatcher.await;
        let router = self.router;
        let _ = tokio::task::spawn_blocking(move || router.join()).await;
    }
}
