//! The configuration in memory: integrations, their credentials, services and API tokens.
//!
//! Immutable, swapped whole on change, so that a request reads no database to know who sent it. Every change of configuration bumps
//! `config_version`; each process polls it every second and loads anew when it has moved ([`Directory::refresh`](super::directory::Directory::refresh)).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::delivery::destination::Destination;
use crate::delivery::rule::Rule;
use crate::provider::{Compiled, Meta, Provider};
use crate::secret::{CredentialHash, Secret};
use crate::signature::Scheme;
use crate::signature::published::Published;
use crate::time::Timestamp;

/// What must hold before a request of an integration counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The hook alone.
    Hook,
    /// The key too.
    Key,
    /// The tool's signature.
    Signature,
}

impl Policy {
    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Key => "key",
            Self::Signature => "signature",
        }
    }

    /// Reads exactly the wire word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Hook, Self::Key, Self::Signature].into_iter().find(|policy| policy.as_str() == word)
    }
}

/// What a credential is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialKind {
    /// `integrationId=` in a URL.
    Hook,
    /// The routing key.
    Key,
    /// Signs bodies.
    Secret,
}

impl CredentialKind {
    /// How it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Key => "key",
            Self::Secret => "secret",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Hook, Self::Key, Self::Secret].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One live hook, key or signature secret.
#[derive(Debug)]
pub struct Credential {
    /// `crd_…`.
    pub id: String,
    /// What it is for.
    pub kind: CredentialKind,
    /// The hash of a hook or key.
    pub hash: Option<CredentialHash>,
    /// The value of a signature secret.
    pub secret: Option<Secret>,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, in microseconds; 0: never. Written back to the store lazily.
    pub last_used: AtomicI64,
    /// What of that the store has been told.
    pub last_used_written: AtomicI64,
}

impl Credential {
    /// Whether it holds at `now`.
    pub fn live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Notes that it was used.
    pub fn used(&self, now: Timestamp) {
        self.last_used.fetch_max(now.0, Ordering::Relaxed);
    }
}

/// The timers of an integration, in seconds; `None`: off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timers {
    /// From the last trigger to a resolve by timer.
    pub auto_resolve_after: Option<i64>,
    /// The same for keys that we made up, which no tool will ever resolve.
    pub made_up_after: Option<i64>,
    /// From an acknowledgement back to triggered.
    pub acknowledge_timeout: Option<i64>,
    /// From the last trigger or reminder to the next reminder.
    pub remind_after: Option<i64>,
}

/// An integration, ready for requests.
pub struct Integration {
    /// `int_…`.
    pub id: Arc<str>,
    /// The tenant it belongs to.
    pub tenant_id: Arc<str>,
    /// The service whose incidents it opens.
    pub service_id: Arc<str>,
    /// Its type as stored: a provider's, or `api` or `callbox` for those that we make ourselves.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The tool.
    pub provider: &'static dyn Provider,
    /// Whether it accepts.
    pub enabled: bool,
    /// Whether it was deleted: requests get the answer of an unknown one.
    pub deleted: bool,
    /// What must hold.
    pub policy: Policy,
    /// How its tool signs, options applied.
    pub scheme: Scheme,
    /// What its sender must prove by keys that it publishes.
    pub published: Option<Published>,
    /// The options, compiled.
    pub options: Compiled,
    /// Requests a minute; 0: no limit.
    pub rate_limit_per_minute: u32,
    /// Its timers.
    pub timers: Timers,
    /// Bytes a native body may have; `None`: the service's limit.
    pub native_body_limit: Option<usize>,
    /// All live credentials.
    pub credentials: Vec<Arc<Credential>>,
    /// Whether every secret opened; while not, its requests get 503 and never "unsigned".
    pub sealed_shut: bool,
    /// Whether its tenant has anybody to tell: see [`Snapshot::tells`].
    pub tells: bool,
}

impl Timers {
    /// The shortest of them: how soon after it opens an incident may have one run out.
    pub fn shortest(&self) -> Option<i64> {
        [self.auto_resolve_after, self.made_up_after, self.acknowledge_timeout, self.remind_after].into_iter().flatten().min()
    }
}

impl Integration {
    /// What is true of its tool.
    pub fn meta(&self) -> &'static Meta {
        self.provider.meta()
    }

    /// The signature secrets that hold at `now`, newest first.
    pub fn secrets(&self, now: Timestamp) -> Vec<(&Arc<Credential>, Secret)> {
        self.credentials
            .iter()
            .filter(|credential| credential.kind == CredentialKind::Secret && credential.live(now))
            .filter_map(|credential| Some((credential, credential.secret.clone()?)))
            .collect()
    }

    /// Whether it demands a signature, on whatever route.
    pub fn signed(&self) -> bool {
        self.credentials.iter().any(|credential| credential.kind == CredentialKind::Secret)
    }

    /// The live credential of `kind` whose hash this is.
    pub fn credential(&self, kind: CredentialKind, hash: &CredentialHash, now: Timestamp) -> Option<&Arc<Credential>> {
        self.credentials.iter().find(|credential| {
            credential.kind == kind && credential.live(now) && credential.hash.is_some_and(|have| have.matches(hash))
        })
    }
}

/// An API token.
#[derive(Clone, Debug)]
pub struct Token {
    /// `tok_…`.
    pub id: String,
    /// The tenant it speaks for.
    pub tenant_id: Arc<str>,
    /// Its name, as the audit log shows it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Until when it holds.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, in microseconds; 0: never.
    pub last_used: Arc<AtomicI64>,
    /// What of that the store has been told.
    pub last_used_written: Arc<AtomicI64>,
}

/// A service, as far as requests need it.
#[derive(Clone, Debug)]
pub struct Service {
    /// `svc_…`.
    pub id: Arc<str>,
    /// The tenant it belongs to.
    pub tenant_id: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its built-in integration for events that come with an API token.
    pub api_integration: Option<Arc<str>>,
}

/// A rule, as stored.
#[derive(Clone, Debug)]
pub struct StoredRule {
    /// `rul_…`.
    pub id: Arc<str>,
    /// The tenant it belongs to.
    pub tenant_id: Arc<str>,
    /// What it matches and whom it tells, by ids.
    pub rule: Rule,
}

/// The configuration at one version.
#[derive(Default)]
pub struct Snapshot {
    /// The `config_version` it was read at.
    pub version: i64,
    /// By id.
    pub integrations: HashMap<Arc<str>, Arc<Integration>>,
    /// By the hash of a hook.
    pub hooks: HashMap<CredentialHash, Arc<Integration>>,
    /// By the hash of a routing key.
    pub keys: HashMap<CredentialHash, Arc<Integration>>,
    /// By the hash of a token.
    pub tokens: HashMap<CredentialHash, Token>,
    /// By id.
    pub services: HashMap<Arc<str>, Service>,
    /// Each tenant's built-in integration for incidents about itself, by tenant.
    pub own: HashMap<Arc<str>, Arc<Integration>>,
    /// By id; deleted ones are not among them.
    pub destinations: HashMap<Arc<str>, Arc<Destination>>,
    /// By tenant, the oldest first.
    pub rules: HashMap<Arc<str>, Vec<Arc<StoredRule>>>,
    /// The tenants of the destinations.
    pub tenants_to_tell: HashSet<Arc<str>>,
    /// Whether any destination names a file.
    pub names_files: bool,
}

impl Snapshot {
    /// Whether a tenant has any destination, enabled or not. Where it has none, nothing is noted for the outside world: what happened
    /// before the first destination was made is not told to it.
    pub fn tells(&self, tenant_id: &str) -> bool {
        self.tenants_to_tell.contains(tenant_id)
    }

    /// The integration of a hook that holds at `now`.
    pub fn by_hook(&self, hash: &CredentialHash, now: Timestamp) -> Option<(&Arc<Integration>, &Arc<Credential>)> {
        let integration = self.hooks.get(hash)?;
        Some((integration, integration.credential(CredentialKind::Hook, hash, now)?))
    }

    /// The integration of a routing key that holds at `now`.
    pub fn by_key(&self, hash: &CredentialHash, now: Timestamp) -> Option<(&Arc<Integration>, &Arc<Credential>)> {
        let integration = self.keys.get(hash)?;
        Some((integration, integration.credential(CredentialKind::Key, hash, now)?))
    }

    /// The token that holds at `now`.
    pub fn token(&self, hash: &CredentialHash, now: Timestamp) -> Option<&Token> {
        self.tokens.get(hash).filter(|token| token.expires_at.is_none_or(|end| now < end))
    }
}
