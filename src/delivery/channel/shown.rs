//! What people are shown of a message, whatever the channel: the same facts in the same order, free of characters that no receiver
//! should get. A channel decides how it looks and how much fits, not what it says.

use std::borrow::Cow;

use url::Url;

use super::printable::{clean, is_blank};
use crate::delivery::limit::{self, Unit};
use crate::delivery::message::{Change, Incident, Message, Occasion};
use crate::event::Severity;
use crate::time::Timestamp;

/// What stands where a tool gave no summary.
const NO_SUMMARY: &str = "(no summary)";
/// Bytes of a link; a longer one is left out, because a link that is cut leads nowhere.
const URL_MAX: usize = 1_000;

/// A message as people are shown it.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// What happened, in a word.
    pub heading: &'static str,
    /// What it is about, in a line or more; never blank.
    pub title: Cow<'a, str>,
    /// What is known of it, in the order in which it is shown; no text is blank.
    pub facts: Vec<Fact<'a>>,
    /// What the receiver should know besides; empty: nothing.
    pub notes: String,
    /// Where to see more.
    pub link: Option<Link>,
    /// How bad it is.
    pub tone: Tone,
}

/// A name and a value.
#[derive(Clone, Debug)]
pub struct Fact<'a> {
    /// What it is.
    pub name: &'static str,
    /// The value as text.
    pub text: Cow<'a, str>,
    /// The value where it is a time: seconds since the epoch, for receivers that show it in their reader's zone.
    pub time: Option<i64>,
}

/// A link, to http or https, written as a browser writes it.
#[derive(Clone, Debug)]
pub struct Link {
    /// What to write on it.
    pub label: String,
    /// Where it leads.
    pub url: String,
}

/// How bad it is, as far as colours go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// It is over.
    Over,
    /// Somebody is at it.
    Seen,
    /// Open and critical.
    Critical,
    /// Open and an error.
    Error,
    /// Open and a warning.
    Warning,
    /// Nothing to worry about.
    Quiet,
}

impl Tone {
    /// Its colour: red, orange and yellow for what is open, blue for what somebody has seen, green for what is over.
    pub const fn rgb(self) -> u32 {
        match self {
            Self::Over => 0x2e_b6_7d,
            Self::Seen => 0x1d_9b_d1,
            Self::Critical => 0xc4_31_4b,
            Self::Error => 0xe8_74_3b,
            Self::Warning => 0xec_b2_2e,
            Self::Quiet => 0x8d_8d_8d,
        }
    }

    /// The same as `#rrggbb`.
    pub fn hex(self) -> String {
        format!("#{:06x}", self.rgb())
    }

    /// A sign for receivers that have no colours.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Over => "✅",
            Self::Seen => "👀",
            Self::Critical | Self::Error => "🔥",
            Self::Warning => "⚠️",
            Self::Quiet => "🔔",
        }
    }

    fn of(message: &Message) -> Self {
        match (message.event, message.incident.as_ref().map(|incident| incident.severity)) {
            (Occasion::Resolved, _) => Self::Over,
            (Occasion::Acknowledged, _) => Self::Seen,
            (_, Some(Severity::Critical)) => Self::Critical,
            (_, Some(Severity::Error)) => Self::Error,
            (_, Some(Severity::Warning)) => Self::Warning,
            _ => Self::Quiet,
        }
    }
}

/// Whether the occasion asks somebody to look now.
pub const fn pages(occasion: Occasion) -> bool {
    matches!(occasion, Occasion::Triggered | Occasion::OpenFor | Occasion::UnacknowledgedFor)
}

impl<'a> Shown<'a> {
    /// What people are shown of `message`.
    pub fn of(message: &'a Message) -> Self {
        let title = clean(message.title());
        let (facts, link) = match (&message.incident, &message.change) {
            (Some(incident), _) => {
                let label = format!("Incident {}", incident.number);
                (incident_facts(message.event, incident), incident.url.as_deref().and_then(|url| link(label, url)))
            }
            (None, Some(change)) => {
                let details = change.links.iter().find_map(|found| link("Details".to_owned(), &found.href));
                (change_facts(change), details)
            }
            (None, None) => (Vec::new(), None),
        };
        let notes = message.notes.iter().map(|note| clean(note)).filter(|note| !is_blank(note));
        Self {
            heading: message.heading(),
            title: if is_blank(&title) { NO_SUMMARY.into() } else { title },
            facts: facts.into_iter().filter(|fact| !is_blank(&fact.text)).collect(),
            notes: notes.collect::<Vec<_>>().join("\n"),
            link,
            tone: Tone::of(message),
        }
    }

    /// What happened and to what: `Triggered: The disk is full`.
    pub fn line(&self) -> String {
        format!("{}: {}", self.heading, self.title)
    }

    /// The value of a fact, or nothing.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| fact.text.as_ref())
    }

    /// Where it happens: `critical on db-1 (checkout)`.
    pub fn place(&self) -> String {
        let what = self.fact("Severity").into_iter();
        let place = self
            .fact("Source")
            .map(|source| if self.fact("Severity").is_some() { format!("on {source}") } else { source.to_owned() });
        let service = self.fact("Service").map(|service| format!("({service})"));
        what.map(str::to_owned).chain(place).chain(service).collect::<Vec<_>>().join(" ")
    }

    /// All of it in lines of text: at most `max` units of what `escape` makes of it, and below it `link`, as it is, which is never cut.
    pub fn plain(&self, link: Option<&str>, max: usize, unit: Unit, escape: fn(char, &mut String)) -> String {
        let by = ["Acknowledged by", "Resolved by"].into_iter().find_map(|name| Some(format!("by {}", self.fact(name)?)));
        let lines = [self.line(), self.place(), by.unwrap_or_default(), self.notes.clone()];
        let text = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        let link = link.map(|link| format!("\n{link}")).filter(|link| unit.length(link) <= max / 2).unwrap_or_default();
        limit::cut_escaped(&text, max - unit.length(&link), unit, escape) + &link
    }
}

fn incident_facts<'a>(occasion: Occasion, incident: &'a Incident) -> Vec<Fact<'a>> {
    let count = (incident.event_count > 1).then(|| incident.event_count.to_string());
    let by = match occasion {
        Occasion::Acknowledged => incident.acknowledged_by.as_deref().map(|name| fact("Acknowledged by", name)),
        Occasion::Resolved => incident.resolved_by.as_deref().map(|name| fact("Resolved by", name)),
        _ => None,
    };
    let mut facts = vec![
        fact("Severity", incident.severity.as_str()),
        fact("Source", &incident.source),
        fact("Service", &incident.service.name),
        time("Since", &incident.first_seen),
        fact("From", &incident.integration.name),
    ];
    facts.extend(count.map(|count| Fact { name: "Triggers", text: count.into(), time: None }));
    facts.extend(by);
    facts
}

fn change_facts(change: &Change) -> Vec<Fact<'_>> {
    vec![
        fact("Source", change.source.as_deref().unwrap_or(&change.integration.name)),
        fact("Service", &change.service.name),
        time("At", &change.timestamp),
        fact("From", &change.integration.name),
    ]
}

fn fact<'a>(name: &'static str, text: &'a str) -> Fact<'a> {
    Fact { name, text: clean(text), time: None }
}

fn time<'a>(name: &'static str, text: &'a str) -> Fact<'a> {
    let Some(parsed) = Timestamp::parse(text) else { return fact(name, text) };
    let printed = parsed.at.to_string();
    let seconds = printed.get(..19).unwrap_or(&printed).replacen('T', " ", 1);
    Fact { name, text: format!("{seconds} UTC").into(), time: Some(parsed.at.seconds()) }
}

/// A link there, if it leads to the web and does not pretend to lead elsewhere (`https://bank.example@evil.example`).
pub fn link(label: String, url: &str) -> Option<Link> {
    let url = Some(url).filter(|url| url.len() <= URL_MAX)?;
    let parsed = Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return None;
    }
    // What a browser lets stand and markup, templates or mentions would take for theirs.
    let mut url = String::with_capacity(parsed.as_str().len());
    for character in parsed.as_str().chars() {
        match character {
            '\'' | '(' | ')' | '|' | '{' | '}' | '@' => url.push_str(&format!("%{:02X}", u32::from(character))),
            other => url.push(other),
        }
    }
    (url.len() <= URL_MAX).then_some(Link { label, url })
}

#[cfg(test)]
mod tests {
    use super::super::printable::verbatim;
    use super::super::testing::{change, incident};
    use super::*;

    #[test]
    fn what_is_said_is_the_same_everywhere() {
        let mut message = incident("The disk is full");
        message.notes = vec!["2 repeats were left out".to_owned(), " ".to_owned()];
        let shown = Shown::of(&message);
        let facts: Vec<_> = shown.facts.iter().map(|fact| (fact.name, fact.text.as_ref())).collect();
        let expected = [
            ("Severity", "critical"),
            ("Source", "db-1.example.com"),
            ("Service", "checkout"),
            ("Since", "2025-06-15 15:06:40 UTC"),
            ("From", "production"),
        ];
        assert_eq!(facts, expected);
        let link = shown.link.as_ref().map(|link| link.url.as_str());
        assert_eq!(
            shown.plain(link, 1_000, Unit::Characters, verbatim),
            "Triggered: The disk is full\ncritical on db-1.example.com (checkout)\n2 repeats were left out\nhttps://callbox.example/incidents/inc_1"
        );
        let change = change("Deployed 1.2");
        let shown = Shown::of(&change);
        assert_eq!(shown.plain(None, 1_000, Unit::Characters, verbatim), "Change: Deployed 1.2\nci.example.com (checkout)");
        assert_eq!(shown.link.unwrap().url, "https://ci.example.com/runs/1");
    }

    #[test]
    fn a_link_is_kept_when_text_is_cut() {
        let message = incident(&"long ".repeat(1_000));
        let text = Shown::of(&message).plain(Some("https://a.example/1"), 60, Unit::Characters, verbatim);
        assert_eq!(text, "Triggered: long long long long long lon…\nhttps://a.example/1");
        assert_eq!(
            Shown::of(&message).plain(Some("https://a.example/1"), 20, Unit::Characters, verbatim),
            "Triggered: long lon…"
        );
    }

    #[test]
    fn what_is_said_of_an_end_names_who_ended_it() {
        let mut message = incident("x");
        message.event = Occasion::Resolved;
        message.incident.as_mut().unwrap().resolved_by = Some("ann".to_owned());
        let text = Shown::of(&message).plain(None, 1_000, Unit::Characters, verbatim);
        assert_eq!(text, "Resolved: x\ncritical on db-1.example.com (checkout)\nby ann");
    }

    #[test]
    fn a_link_leads_to_the_web_and_ends_where_it_should() {
        let to = |url: &str| link(String::new(), url).map(|link| link.url);
        assert_eq!(to("https://a.example/b c\"<>?x=(1)|'"), Some("https://a.example/b%20c%22%3C%3E?x=%281%29%7C%27".to_owned()));
        assert_eq!(to("https://a.example/?x={{y}}@all"), Some("https://a.example/?x=%7B%7By%7D%7D%40all".to_owned()));
        assert_eq!(to("https://bank.example@evil.example/"), None);
        for url in [
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://a.example",
            "/incidents/1",
            &format!("https://a.example/{}", "a".repeat(1_000)),
        ] {
            assert_eq!(to(url), None, "{url}");
        }
    }
}
