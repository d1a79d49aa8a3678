//! Every way in which a sender proves a body, as data. A new one is a constant here, with the vendor's test vector beside it.

use std::borrow::Cow;

/// How a sender proves a body. Header names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Signature` or `X-Webhook-Signature`: hex HMAC-SHA256 of the body, with or without `sha256=`. For senders without a
    /// scheme of their own.
    Generic,
    /// <https://www.standardwebhooks.com>: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks,
    /// A vendor's own.
    Hmac(Hmac),
    /// The secret itself in a header: it proves the sender, and nothing about the body.
    Token(Token),
}

/// A secret that is sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What people call it: `GitLab`.
    pub name: &'static str,
    /// The header with the secret.
    pub header: &'static str,
}

/// A scheme in full.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// An HMAC.
    Hmac(&'a Hmac),
    /// The secret itself.
    Token(Token),
}

/// An HMAC in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// What people call it: `GitHub`.
    pub name: &'static str,
    /// The header with the signature.
    pub header: Cow<'static, str>,
    /// A second header that may hold it as well.
    pub also_header: Option<&'static str>,
    /// The hash function.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// What stands before it.
    pub prefix: Prefix,
    /// What stands between several signatures in one value; `None` where there is one.
    pub separator: Option<char>,
    /// What is signed.
    pub signed: Signed,
    /// How the secret's text becomes the key.
    pub key: Key,
    /// The unit of a signed timestamp.
    pub unit: Unit,
}

/// The unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds since the epoch.
    Seconds,
    /// Milliseconds since the epoch.
    Milliseconds,
}

impl Unit {
    /// This many make a second.
    pub(super) const fn per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
        }
    }
}

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1, 20 bytes. Legacy, still sound in an HMAC.
    Sha1,
    /// HMAC-SHA256, 32 bytes.
    Sha256,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hex digits of either case.
    Hex,
    /// Base64 in the standard alphabet, padded.
    Base64,
}

/// What stands before a signature; compared without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Nothing.
    None,
    /// This, or nothing.
    Optional(&'static str),
    /// This; whatever begins otherwise is a signature of another version and is passed over.
    Required(&'static str),
}

impl Prefix {
    /// What this service writes before a signature of its own.
    pub(super) const fn written(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Optional(prefix) | Self::Required(prefix) => prefix,
        }
    }
}

/// The text over which the HMAC is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The raw body.
    Body,
    /// `before`, the timestamp of `header` (seconds), `between`, the raw body.
    Timestamped {
        /// The header with the timestamp.
        header: Cow<'static, str>,
        /// Text before the timestamp.
        before: &'static str,
        /// Text between the timestamp and the body.
        between: &'static str,
    },
    /// `<id>.<timestamp>.<body>`.
    Identified {
        /// The header with the message's id, the same over all attempts.
        id: &'static str,
        /// The header with the timestamp, in seconds.
        timestamp: &'static str,
    },
}

impl Signed {
    /// The header with the timestamp, where one is signed.
    pub fn timestamp_header(&self) -> Option<&str> {
        match self {
            Self::Body => None,
            Self::Timestamped { header, .. } => Some(header),
            Self::Identified { timestamp, .. } => Some(timestamp),
        }
    }

    /// The same in words, for traces.
    pub fn described(&self) -> String {
        match self {
            Self::Body => "the raw body".to_owned(),
            Self::Timestamped { before, between, .. } => format!("{before}<timestamp>{between}<body>"),
            Self::Identified { .. } => "<id>.<timestamp>.<body>".to_owned(),
        }
    }
}

/// How a secret's text becomes the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Its bytes.
    Text,
    /// Base64 behind `whsec_`; a text that is not so is also tried as it stands.
    Whsec,
}

impl Hmac {
    /// Most vendors: hex HMAC-SHA256 of the body and nothing around it.
    pub const PLAIN: Self = Self {
        name: "HMAC",
        header: Cow::Borrowed("x-signature"),
        also_header: None,
        algorithm: Algorithm::Sha256,
        encoding: Encoding::Hex,
        prefix: Prefix::None,
        separator: None,
        signed: Signed::Body,
        key: Key::Text,
        unit: Unit::Seconds,
    };
}

const PLAIN: Hmac = Hmac::PLAIN;

/// The schemes that a recipe may name.
const NAMED: &[(&str, Scheme)] = &[
    ("generic", Scheme::Generic),
    ("standard-webhooks", Scheme::StandardWebhooks),
    ("exosphere", Scheme::Hmac(EXOSPHERE)),
    ("github", Scheme::Hmac(GITHUB)),
    ("gitlab", Scheme::Token(GITLAB)),
    ("bitbucket", Scheme::Hmac(BITBUCKET)),
    ("grafana", Scheme::Hmac(GRAFANA)),
    ("opsknight", Scheme::Hmac(OPSKNIGHT)),
    ("pagerduty", Scheme::Hmac(PAGERDUTY)),
    ("sentry", Scheme::Hmac(SENTRY)),
    ("slack", Scheme::Hmac(SLACK)),
    ("splunk", Scheme::Hmac(SPLUNK)),
    ("vercel", Scheme::Hmac(VERCEL)),
];

static GENERIC: Hmac =
    Hmac { name: "generic", also_header: Some("x-webhook-signature"), prefix: Prefix::Optional("sha256="), ..PLAIN };

static STANDARD_WEBHOOKS: Hmac = Hmac {
    name: "Standard Webhooks",
    header: Cow::Borrowed("webhook-signature"),
    encoding: Encoding::Base64,
    prefix: Prefix::Required("v1,"),
    separator: Some(' '),
    signed: Signed::Identified { id: "webhook-id", timestamp: "webhook-timestamp" },
    key: Key::Whsec,
    ..PLAIN
};

/// Grafana's webhook contact point with its default header.
/// <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>
pub const GRAFANA: Hmac = Hmac { name: "Grafana", header: Cow::Borrowed("x-grafana-alerting-signature"), ..PLAIN };

/// GitHub. The SHA-1 header that comes beside it is never read.
/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
pub const GITHUB: Hmac =
    Hmac { name: "GitHub", header: Cow::Borrowed("x-hub-signature-256"), prefix: Prefix::Required("sha256="), ..PLAIN };

/// GitLab's secret token. Where a signing token is set, it signs by Standard Webhooks instead.
/// <https://docs.gitlab.com/user/project/integrations/webhooks/>
pub const GITLAB: Token = Token { name: "GitLab", header: "x-gitlab-token" };

/// Bitbucket, and Jira Cloud's admin webhooks: GitHub's old header name with SHA-256 in it.
/// <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/>
pub const BITBUCKET: Hmac = Hmac { name: "Bitbucket", header: Cow::Borrowed("x-hub-signature"), ..GITHUB };

/// Exosphere: HMAC-SHA256 of the body, with or without `sha256=`.
pub const EXOSPHERE: Hmac =
    Hmac { name: "Exosphere", header: Cow::Borrowed("x-exosphere-signature"), prefix: Prefix::Optional("sha256="), ..PLAIN };

/// OpsKnight's outbound webhooks. Its timestamp is in milliseconds.
/// <https://github.com/opsknight-labs/OpsKnight/blob/main/src/lib/webhooks.ts>
pub const OPSKNIGHT: Hmac = Hmac {
    name: "OpsKnight",
    header: Cow::Borrowed("x-opsknight-signature"),
    prefix: Prefix::Required("sha256="),
    signed: Signed::Timestamped { header: Cow::Borrowed("x-opsknight-timestamp"), before: "", between: "." },
    unit: Unit::Milliseconds,
    ..PLAIN
};

/// Splunk Observability. <https://help.splunk.com/en/splunk-observability-cloud>
pub const SPLUNK: Hmac =
    Hmac { name: "Splunk Observability", header: Cow::Borrowed("x-sfx-signature"), encoding: Encoding::Base64, ..PLAIN };

/// PagerDuty's webhooks, version 3. <https://developer.pagerduty.com/docs/verifying-webhook-signatures>
pub const PAGERDUTY: Hmac = Hmac {
    name: "PagerDuty webhooks v3",
    header: Cow::Borrowed("x-pagerduty-signature"),
    prefix: Prefix::Required("v1="),
    separator: Some(','),
    ..PLAIN
};

/// Sentry. Its `Sentry-Hook-Timestamp` is not signed. <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>
pub const SENTRY: Hmac = Hmac { name: "Sentry", header: Cow::Borrowed("sentry-hook-signature"), ..PLAIN };

/// Slack. <https://docs.slack.dev/authentication/verifying-requests-from-slack/>
pub const SLACK: Hmac = Hmac {
    name: "Slack",
    header: Cow::Borrowed("x-slack-signature"),
    prefix: Prefix::Required("v0="),
    signed: Signed::Timestamped { header: Cow::Borrowed("x-slack-request-timestamp"), before: "v0:", between: ":" },
    ..PLAIN
};

/// Vercel. <https://vercel.com/docs/webhooks/webhooks-api>
pub const VERCEL: Hmac =
    Hmac { name: "Vercel", header: Cow::Borrowed("x-vercel-signature"), algorithm: Algorithm::Sha1, ..PLAIN };

impl Algorithm {
    /// Its name, for traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }
}

impl Scheme {
    /// What people call the scheme whose signature stands in `header` (lower case).
    pub(super) fn of_header(header: &str) -> Option<&'static str> {
        NAMED.iter().find_map(|(_, scheme)| match scheme.proof() {
            Proof::Hmac(hmac) => (hmac.header == header).then_some(hmac.name),
            Proof::Token(token) => (token.header == header).then_some(token.name),
        })
    }

    /// The scheme that a recipe calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, scheme)| scheme.clone())
    }

    /// What recipes may call a scheme.
    pub fn names() -> Vec<&'static str> {
        NAMED.iter().map(|(name, _)| *name).collect()
    }

    /// Grafana's scheme where the contact point names its headers: `header` instead of `X-Grafana-Alerting-Signature`, and
    /// `timestamp_header` where the timestamp is signed too (`<timestamp>:<body>`).
    pub fn grafana(header: Option<&str>, timestamp_header: Option<&str>) -> Self {
        let signed = timestamp_header.map_or(Signed::Body, |name| Signed::Timestamped {
            header: Cow::Owned(name.to_ascii_lowercase()),
            before: "",
            between: ":",
        });
        let header = header.map_or(GRAFANA.header, |name| Cow::Owned(name.to_ascii_lowercase()));
        Self::Hmac(Hmac { header, signed, ..GRAFANA })
    }

    /// The scheme in full.
    pub fn proof(&self) -> Proof<'_> {
        match self {
            Self::Generic => Proof::Hmac(&GENERIC),
            Self::StandardWebhooks => Proof::Hmac(&STANDARD_WEBHOOKS),
            Self::Hmac(hmac) => Proof::Hmac(hmac),
            Self::Token(token) => Proof::Token(*token),
        }
    }

    /// The HMAC that it is, if it is one.
    pub fn hmac(&self) -> Option<&Hmac> {
        match self.proof() {
            Proof::Hmac(hmac) => Some(hmac),
            Proof::Token(_) => None,
        }
    }

    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self.proof() {
            Proof::Hmac(hmac) => hmac.name,
            Proof::Token(token) => token.name,
        }
    }

    /// Whether what is sent differs with the body.
    pub fn covers_body(&self) -> bool {
        matches!(self.proof(), Proof::Hmac(_))
    }

    /// Whether a sender of this scheme may sign by Standard Webhooks instead, with the same secret: one without a scheme of its own,
    /// and one that otherwise only shows the secret.
    pub fn may_be_standard_webhooks(&self) -> bool {
        matches!(self, Self::Generic | Self::Token(_))
    }
}
