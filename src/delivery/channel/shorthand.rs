//! A destination as one URL: `slack://T0/B0/abc`, `pagerduty://KEY`, and the vendors' own URLs for what they are.
//!
//! What stands before the `@` and after the host is what a kind needs most; parameters are the kind's options (`?mentions=<@U1>,<!here>`).
//! Percent signs are read as everywhere in URLs. Nothing is checked here: that is [`super::Channel::problems`].

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::settings::{self, decoded};
use super::{Target, twilio};
use crate::secret::Secret;

/// A destination that a URL names.
#[derive(Clone, Debug)]
pub struct Shorthand {
    /// The kind.
    pub kind: &'static str,
    /// Its URL; empty: the vendor's own.
    pub url: Secret,
    /// Its token.
    pub token: Option<Secret>,
    /// Its user and password.
    pub basic_auth: Option<(String, Secret)>,
    /// Its options.
    pub options: Map<String, Value>,
}

impl Shorthand {
    /// The destination of this name.
    pub fn target(self, name: &str) -> Target {
        let Self { url, token, basic_auth, options, .. } = self;
        Target { name: name.to_owned(), url, token, signing: Vec::new(), headers: Vec::new(), basic_auth, options }
    }

    fn of(kind: &'static str) -> Self {
        Self { kind, url: Secret::new(""), token: None, basic_auth: None, options: Map::new() }
    }

    fn at(self, url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), ..self }
    }

    fn known(self, token: &str) -> Self {
        Self { token: Some(Secret::new(decoded(token))), ..self }
    }

    fn login(self, user: &str, password: &str) -> Self {
        Self { basic_auth: Some((decoded(user), Secret::new(decoded(password)))), ..self }
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.insert(name.to_owned(), value.into());
        self
    }
}

/// Hosts of vendors whose URLs say by themselves what they are, as the end of a host's name, with a piece of the path.
const VENDORS: [(&str, &str, &str); 10] = [
    ("hooks.slack.com", "/services/", "slack"),
    ("hooks.slack-gov.com", "/services/", "slack"),
    ("discord.com", "/api/webhooks/", "discord"),
    ("discordapp.com", "/api/webhooks/", "discord"),
    ("chat.googleapis.com", "/spaces/", "google-chat"),
    (".webhook.office.com", "/webhookb2/", "msteams"),
    (".logic.azure.com", "/workflows/", "msteams"),
    (".api.powerplatform.com", "/workflows/", "msteams"),
    ("events.pagerduty.com", "/v2/", "pagerduty"),
    ("events.eu.pagerduty.com", "/v2/", "pagerduty"),
];

/// Options that are lists.
const LISTS: [&str; 7] = ["to", "mentions", "external_ids", "subscription_ids", "teams", "tags", "parameters"];

/// The pieces of a URL, as they stand there.
struct Pieces<'a> {
    /// Before the `@`.
    user: Option<&'a str>,
    /// Between that and the first slash.
    host: &'a str,
    /// After it.
    path: &'a str,
    /// What stands behind the scheme.
    rest: &'a str,
    /// The parameters.
    query: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(rest: &'a str) -> Self {
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        Self { user: user.filter(|user| !user.is_empty()), host, path: path.trim_end_matches('/'), rest, query }
    }

    /// User and password.
    fn pair(&self) -> Option<(&'a str, &'a str)> {
        self.user?.split_once(':')
    }

    /// The parameters as options.
    fn options(&self) -> Map<String, Value> {
        let read = |(name, value): (String, String)| {
            let value = match value.as_str() {
                _ if LISTS.contains(&name.as_str()) => json!(value.split(',').collect::<Vec<_>>()),
                "true" => json!(true),
                "false" => json!(false),
                // Numbers of telephones and ids are texts; counts have few digits.
                number if settings::is_number(number) && number.len() < 4 => json!(number.parse::<u64>().ok()),
                text => json!(text),
            };
            (name, value)
        };
        form_urlencoded::parse(self.query.as_bytes()).into_owned().map(read).collect()
    }
}

/// The destination that `text` names; `None`: it names none, or lacks a piece that its kind needs.
pub fn shorthand(text: &str) -> Option<Shorthand> {
    let text = text.trim();
    if let Some(addresses) = text.strip_prefix("mailto:") {
        return Some(mail(&Pieces::of(addresses), addresses.split('?').next().unwrap_or_default()));
    }
    let (scheme, rest) = text.split_once("://").filter(|(_, rest)| !rest.is_empty())?;
    let pieces = Pieces::of(rest);
    let mut named = match scheme.to_ascii_lowercase().as_str() {
        // These URLs are the vendor's, or the receiver's: so are their parameters.
        "http" | "https" => return Some(web(text, &pieces)),
        "msteams" | "teams" => return Some(Shorthand::of("msteams").at(format!("https://{rest}"))),
        "googlechat" | "google-chat" | "gchat" => return Some(Shorthand::of("google-chat").at(format!("https://{rest}"))),
        "discord" => return discord(&pieces),
        "smtp" | "smtps" => mail(&pieces, "").at(format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap_or_default())),
        "slack" => slack(&pieces)?,
        "pagerduty" => pagerduty(&pieces),
        "telegram" => telegram(&pieces)?,
        "mattermost" => mattermost(&pieces)?,
        "opsgenie" => opsgenie(&pieces),
        "sms" | "twilio" => twilio_sms(&pieces)?,
        "whatsapp" => whatsapp(&pieces)?,
        "sns" | "aws-sns" => sns(&pieces)?,
        "onesignal" | "push" => onesignal(&pieces)?,
        _ => return None,
    };
    named.options.extend(pieces.options());
    Some(named)
}

/// A vendor's own URL, or any receiver's.
fn web(text: &str, pieces: &Pieces<'_>) -> Shorthand {
    // Microsoft writes the port of HTTPS out.
    let host = pieces.host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_theirs = |name: &str| host == name || (name.starts_with('.') && host.ends_with(name));
    let path = format!("/{}", pieces.path);
    let kind = VENDORS.iter().find(|(name, part, _)| is_theirs(name) && path.contains(part)).map_or("webhook", |(.., kind)| kind);
    Shorthand::of(kind).at(text)
}

/// `slack://A/B/C` (an incoming webhook), `slack://xoxb-…@CHANNEL` (a bot).
fn slack(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let slack = Shorthand::of("slack");
    match pieces.user {
        Some(token) => Some(slack.known(token).with("channel", decoded(pieces.host))),
        None if pieces.path.split('/').count() == 2 => {
            Some(slack.at(format!("https://hooks.slack.com/services/{}/{}", pieces.host, pieces.path)))
        }
        None => None,
    }
}

/// `pagerduty://KEY`, `pagerduty://KEY@HOST` (another region, or another Callbox).
fn pagerduty(pieces: &Pieces<'_>) -> Shorthand {
    match pieces.user {
        Some(key) => Shorthand::of("pagerduty").known(key).at(format!("https://{}/v2/enqueue", pieces.host)),
        None => Shorthand::of("pagerduty").known(pieces.host),
    }
}

/// `discord://ID/TOKEN`, `discord://TOKEN@ID`; parameters are the webhook's (`thread_id`).
fn discord(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let (id, token) = match pieces.user {
        Some(token) => (pieces.host, token),
        None => (pieces.host, pieces.path),
    };
    let query = if pieces.query.is_empty() { String::new() } else { format!("?{}", pieces.query) };
    let whole = !id.is_empty() && !token.is_empty();
    whole.then(|| Shorthand::of("discord").at(format!("https://discord.com/api/webhooks/{id}/{token}{query}")))
}

/// `telegram://BOT_TOKEN@CHAT`, `telegram://BOT_TOKEN@CHAT/TOPIC`; the chat is a number or a public channel's name.
fn telegram(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let token = pieces.user?.trim_end_matches('@');
    let chat = decoded(pieces.host);
    let chat = match chat.parse::<i64>() {
        Ok(number) => json!(number),
        Err(_) if chat.is_empty() => return None,
        Err(_) => json!(format!("@{}", chat.trim_start_matches('@'))),
    };
    let telegram = Shorthand::of("telegram").known(token).with("chat_id", chat);
    Some(match pieces.path.parse::<u64>() {
        Ok(topic) => telegram.with("message_thread_id", topic),
        Err(_) => telegram,
    })
}

/// `mattermost://HOST/hooks/KEY`, `mattermost://HOST/KEY`.
fn mattermost(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let key = pieces.path.rsplit('/').next().filter(|key| !key.is_empty())?;
    let before = pieces.path.strip_suffix(key)?.trim_end_matches('/').trim_end_matches("hooks").trim_end_matches('/');
    let prefix = if before.is_empty() { String::new() } else { format!("/{before}") };
    Some(Shorthand::of("mattermost").at(format!("https://{}{prefix}/hooks/{key}", pieces.host)))
}

/// `opsgenie://KEY`, `opsgenie://KEY@eu`.
fn opsgenie(pieces: &Pieces<'_>) -> Shorthand {
    match pieces.user {
        Some(key) => Shorthand::of("opsgenie").known(key).with("region", pieces.host),
        None => Shorthand::of("opsgenie").known(pieces.host),
    }
}

/// `smtp://USER:PASSWORD@HOST:587/?from=…&to=…`, `smtps://…`, `mailto:ops@example.com,…`.
fn mail(pieces: &Pieces<'_>, addresses: &str) -> Shorthand {
    let to: Vec<String> =
        addresses.split(',').map(|address| decoded(address).trim().to_owned()).filter(|address| !address.is_empty()).collect();
    let mail = Shorthand::of("email");
    let mut mail = if to.is_empty() { mail } else { mail.with("to", to) };
    if pieces.rest.contains('?') && !addresses.is_empty() {
        // What a mailto says besides (a subject, a body) is not ours to set.
        mail.options.extend(pieces.options().into_iter().filter(|(name, _)| name == "from"));
    }
    mail
}

/// `sms://ACCOUNT_SID:AUTH_TOKEN@FROM/TO`.
fn twilio_sms(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let (user, password) = pieces.pair()?;
    Some(Shorthand::of("sms").login(user, password).with("from", phone(pieces.host)).with("to", phone(pieces.path)))
}

/// `whatsapp://TOKEN@PHONE_NUMBER_ID/TO` (Meta), `whatsapp://ACCOUNT_SID:AUTH_TOKEN@FROM/TO` (Twilio).
fn whatsapp(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let whatsapp = Shorthand::of("whatsapp").with("to", phone(pieces.path));
    Some(match pieces.pair() {
        Some((user, password)) => whatsapp.login(user, password).with("provider", "twilio").with("from", phone(pieces.host)),
        None => whatsapp.known(pieces.user?).with("phone_number_id", pieces.host),
    })
}

/// `sns://KEY_ID:SECRET@TOPIC_ARN`, `sns://KEY_ID:SECRET@REGION/PHONE`.
fn sns(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let (key, secret) = pieces.pair()?;
    let sns = Shorthand::of("aws-sns").login(key, secret);
    Some(match pieces.path {
        "" => sns.with("topic_arn", decoded(pieces.host)),
        endpoint if pieces.host.starts_with("arn:") => sns.with("target_arn", decoded(&format!("{}/{endpoint}", pieces.host))),
        number => sns.with("region", pieces.host).with("phone_number", phone(number)),
    })
}

/// `onesignal://API_KEY@APP_ID/SEGMENT`, or with `?external_ids=` in place of the segment.
fn onesignal(pieces: &Pieces<'_>) -> Option<Shorthand> {
    let push = Shorthand::of("push").known(pieces.user?).with("app_id", pieces.host);
    Some(if pieces.path.is_empty() { push } else { push.with("segments", vec![decoded(pieces.path)]) })
}

/// A number with its plus, which many leave out in URLs.
fn phone(text: &str) -> String {
    let text = decoded(text);
    let whole = format!("+{text}");
    if twilio::is_phone(&whole) && text.len() > 8 { whole } else { text }
}

#[cfg(test)]
mod tests;
