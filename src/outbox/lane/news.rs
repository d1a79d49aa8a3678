//! What people should hear of a destination: numbers, and incidents of our own.

use std::sync::Arc;

use super::Lane;
use crate::delivery::destination::Destination;
use crate::ingest::own;
use crate::outbox::turn::{News, Outcome};
use crate::store;
use crate::store::outbox::lane as stored;

impl Lane {
    /// Counts, and says what people should hear of.
    pub(super) async fn tell(&self, destination: &Arc<Destination>, outcome: &Outcome) {
        let app = &self.engine.app;
        app.metrics.delivery.skipped(&destination.name, outcome.skipped);
        if let Some(state) = outcome.state {
            app.metrics.delivery.breaker(&destination.name, state);
        }
        let key = format!("destination:{}", destination.id);
        for news in &outcome.news {
            match news {
                News::Opened(why) => {
                    own::raise(
                        app,
                        &destination.tenant_id,
                        &key,
                        &format!("{}: nothing can be delivered: {why}", destination.name),
                    );
                }
                News::Dead(why) => {
                    own::raise(
                        app,
                        &destination.tenant_id,
                        &key,
                        &format!("{}: a delivery was given up: {why}", destination.name),
                    );
                }
                News::Recovered | News::Well => own::clear(app, &destination.tenant_id, &key),
                News::Disabled(why) => {
                    let summary = format!("{}: the destination was disabled: {why}", destination.name);
                    own::raise(app, &destination.tenant_id, &key, &summary);
                    self.disable(destination, why).await;
                }
            }
        }
    }

    async fn disable(&self, destination: &Arc<Destination>, why: &str) {
        let (tenant_id, id, why) = (destination.tenant_id.to_string(), destination.id.to_string(), why.to_owned());
        let now = self.engine.app.clock.now();
        let disabled = self.engine.app.committer.tidy(move |conn| {
            store::destinations::disable(conn, &tenant_id, &id, &why, now)?;
            stored::give_up(conn, &id, &format!("the destination was disabled: {why}"), now.0)
        });
        if let Err(error) = disabled.await {
            tracing::error!(%error, destination = %destination.id, "a destination whose receiver is gone could not be disabled");
        }
        let _ = self.engine.app.directory.refresh().await;
    }
}
