//! Callbox: the front door of on-call, an inbound alert ingestion service compatible with PagerDuty.
//!
//! One crate: this library, and a `main` that turns arguments into a command. The core is pure (no I/O, no clock, no await; a test
//! reads the sources and holds it to that), the shell around it thin.
//!
//! # The map
//!
//! | module | owns |
//! |---|---|
//! | [`event`] | events in the terms of the Events API v2, their limits, the wire forms of v2, v1 and change events. *Pure* |
//! | [`json`] | the one parse of a body, its repair, masking of credentials. *Pure* |
//! | [`provider`] | monitoring tools: a recipe each, or one file where that needs logic, and a fixtures folder. *Pure* |
//! | [`signature`] | all cryptography over requests; schemes are data. *Pure* |
//! | [`incident`] | the lifecycle: the state of a key and a report in, the new state and an outcome out. *Pure* |
//! | [`delivery`] | the rules of telling the outside world: messages, channels, rules, retry, breaker. *Pure* |
//! | [`retention`] | what goes, when and how fast. *Pure* |
//! | [`ingest`] | the path of every request: credential, limit, interpretation, queue, group commit; timers, explain, replay |
//! | [`outbox`] | the engine of delivery: a router makes deliveries of what happened, lanes send them |
//! | [`store`] | SQL, on SQLite and PostgreSQL: one `Conn`, free query functions, one file a table family |
//! | [`http`] | every route, bodies and answers; the management API; TLS |
//! | [`error`] | the one map from what can go wrong to what the management API answers |
//! | [`net`] | requests to the outside: which addresses may be reached, and the client that holds to it |
//! | [`app`] | wiring: what a running service consists of, start, tick, retention at work, orderly stop |
//! | [`cli`] | one file a command; client commands know the HTTP API and nothing else |
//! | [`config`] | every setting, its default, and all problems at once |
//! | [`metrics`], [`telemetry`] | numbers with bounded labels; log lines that cannot be forged |
//! | [`secret`], [`id`], [`time`], [`duration`] | values that must not be seen; identifiers; moments; lengths of time |
//!
//! # The path of a request
//!
//! ```text
//! socket -> http::ingest -> ingest::native or ingest::keyed
//!             look up in the snapshot, enabled, credential over the raw bytes, limit, interpret (provider, once)
//!        -> App::commit -> ingest::queue (fair, bounded)
//!        -> ingest::commit: take what waits, load the incidents of its keys, fold in memory (incident::apply),
//!           write ledger, events, incidents and outbox in one transaction
//!        -> answers, after the commit
//!        -> outbox::router: who is told, by rules -> outbox::lane, one a destination: claim, send, record
//! ```

pub mod app;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod duration;
pub mod error;
pub mod event;
pub mod http;
pub mod id;
pub mod incident;
pub mod ingest;
pub mod json;
pub mod metrics;
pub mod net;
pub mod outbox;
pub mod provider;
pub mod retention;
pub mod secret;
pub mod signature;
pub mod store;
pub mod telemetry;
pub mod time;
