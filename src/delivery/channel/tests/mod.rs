//! Every channel with every occasion and the worst of texts: what is sent is valid by the vendor's schema and limits, calls nobody but
//! whom the destination names, and keeps its link.
//!
//! A kind of destination without a validator fails here: add it to [`cases`].

mod card;
mod chat;
mod documented;
mod mail;
mod page;
mod phone;
mod schema;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{change, incident, letter, test};
use super::*;
use crate::delivery::message::{Details, Occasion};
use crate::event::Link;
use crate::incident::Status;
use crate::json::parse;

/// What is wrong with something that was sent; empty: nothing.
type Verdict = Result<(), String>;

/// A destination of a kind, as it may be set up.
struct Case {
    kind: &'static str,
    target: Target,
    /// What an answer of the vendor's leaves behind.
    remembered: Option<Value>,
    /// Whether what was sent is what the vendor takes.
    valid: fn(&Sent<'_>) -> Verdict,
}

/// Something that was sent, and what it was made of.
struct Sent<'a> {
    target: &'a Target,
    message: &'a Message,
    sending: &'a Sending,
    /// Whether it is the plain form.
    plain: bool,
}

impl Sent<'_> {
    fn parcel(&self) -> Result<&Parcel, String> {
        match self.sending {
            Sending::Http(parcel) => Ok(parcel),
            Sending::Mail(_) => Err("a mail".to_owned()),
        }
    }

    /// The body as JSON, said to be some.
    fn json(&self) -> Result<Value, String> {
        let parcel = self.parcel()?;
        ensure(self.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "is not said to be JSON")?;
        // Our own parser also finds members that stand there twice.
        let parsed = parse(&parcel.body).map_err(|error| format!("{error:?}"))?;
        ensure(parsed.duplicates.is_empty(), "has a member twice")?;
        Ok(parsed.value)
    }

    /// The body as the fields of a form.
    fn form(&self) -> Result<Vec<(String, String)>, String> {
        ensure(self.header("content-type") == Some("application/x-www-form-urlencoded"), "is not said to be a form")?;
        let parcel = self.parcel()?;
        ensure(parcel.body.is_ascii(), "is not encoded")?;
        Ok(url::form_urlencoded::parse(&parcel.body).into_owned().collect())
    }

    fn header(&self, name: &str) -> Option<&str> {
        let Sending::Http(parcel) = self.sending else { return None };
        parcel.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.expose())
    }

    /// Whom the destination calls by this message.
    fn called(&self) -> Vec<&str> {
        mention::of(self.target, self.message, |_| true)
    }

    /// The link that must be there.
    fn link(&self) -> Option<String> {
        shown::Shown::of(self.message).link.map(|link| link.url)
    }
}

/// An error unless it holds.
fn ensure(holds: bool, otherwise: &str) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// Every kind in every way in which it can be set up.
fn cases() -> Vec<Case> {
    let mut cases = vec![];
    cases.extend(chat::cases());
    cases.extend(card::cases());
    cases.extend(page::cases());
    cases.extend(phone::cases());
    cases.extend(mail::cases());
    cases
}

fn case(kind: &'static str, target: Target, remembered: Option<Value>, valid: fn(&Sent<'_>) -> Verdict) -> Case {
    Case { kind, target, remembered, valid }
}

#[test]
fn every_kind_has_a_validator_and_every_case_is_well_set_up() {
    let cases = cases();
    for channel in CHANNELS {
        assert!(cases.iter().any(|case| case.kind == channel.kind()), "{} has no validator", channel.kind());
    }
    for case in cases {
        let channel = by_kind(case.kind).unwrap();
        assert_eq!(channel.problems(&case.target), [], "{}", case.kind);
        assert!(channel.docs().starts_with("https://") && !channel.name().is_empty());
        let unknown = Target { options: json!({ "no such option": 1 }).as_object().unwrap().clone(), ..case.target };
        assert!(channel.problems(&unknown).iter().any(|(name, _)| *name == "options"), "{} takes any option", case.kind);
    }
}

#[test]
fn the_kinds_are_different() {
    let kinds: std::collections::BTreeSet<_> = CHANNELS.iter().map(|channel| channel.kind()).collect();
    assert_eq!(kinds.len(), CHANNELS.len());
}

/// Messages of every occasion that say `text` wherever a tool or a person can say something.
fn messages(text: &str) -> Vec<Message> {
    let owned = || Some(text.to_owned());
    let custom = serde_json::to_string(&json!({ "text": text, text: [text] })).unwrap();
    let link = |href: &str| Link { href: href.to_owned(), text: owned() };
    let links = vec![link(text), link("javascript:alert(1)"), link(&format!("https://a.example/?q={text}"))];
    let mut messages = Vec::new();
    for event in Occasion::ALL {
        let mut message = match event {
            Occasion::Change => change(text),
            Occasion::Test => test(),
            _ => incident(text),
        };
        message.event = event;
        message.notes = vec![text.to_owned(), "a note".to_owned()];
        if let Some(incident) = &mut message.incident {
            (incident.source, incident.service.name, incident.integration.name) =
                (text.to_owned(), text.to_owned(), text.to_owned());
            (incident.component, incident.group, incident.class) = (owned(), owned(), owned());
            (incident.acknowledged_by, incident.resolved_by, incident.dedup_key) = (owned(), owned(), text.to_owned());
            incident.event_count = 12;
            incident.status = match event {
                Occasion::Acknowledged => Status::Acknowledged,
                Occasion::Resolved => Status::Resolved,
                _ => Status::Triggered,
            };
            incident.details = Some(Details {
                custom_details: Some(serde_json::from_str(&custom).unwrap()),
                links: links.clone(),
                images: Vec::new(),
                client: owned(),
                client_url: owned(),
            });
        }
        if let Some(change) = &mut message.change {
            (change.source, change.service.name) = (owned(), text.to_owned());
            change.custom_details = Some(json!({ "text": text }));
            change.links = links.clone();
        }
        messages.push(message.clone());
        // Without what may be missing, and with a link that is none.
        message.notes.clear();
        if let Some(incident) = &mut message.incident {
            (incident.details, incident.url, incident.source) = (None, owned(), String::new());
        }
        messages.push(message);
    }
    messages
}

/// What holds for every request.
fn well_formed(sent: &Sent<'_>) -> Verdict {
    let Ok(parcel) = sent.parcel() else { return Ok(()) };
    let url = url::Url::parse(parcel.url.expose()).map_err(|error| error.to_string())?;
    ensure(matches!(url.scheme(), "http" | "https") && parcel.url.expose().is_ascii(), "goes nowhere")?;
    ensure(["POST", "PUT", "PATCH"].contains(&parcel.method), "has an odd method")?;
    for (name, value) in &parcel.headers {
        let token = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        ensure(token && settings::is_field_value(value.expose()) && value.expose().is_ascii(), "has a bad header field")?;
    }
    let names: std::collections::BTreeSet<_> = parcel.headers.iter().map(|(name, _)| name).collect();
    ensure(names.len() == parcel.headers.len(), "has a header field twice")
}

/// What becomes of a message, in its rich form and in its plain one, checked.
fn checked(case: &Case, message: &Message, remembered: Option<&Value>) -> Verdict {
    let channel = by_kind(case.kind).ok_or("no such kind")?;
    let letter = Letter { remembered, ..letter(message) };
    let rich = channel.parcel(&case.target, &letter)?;
    let plain = channel.plain(&case.target, &letter);
    for (sending, plain) in Some((rich, false)).into_iter().chain(plain.map(|plain| (plain, true))) {
        let sent = Sent { target: &case.target, message, sending: &sending, plain };
        let shown = || format!("{} {} plain={plain}: {}", case.kind, message.event.as_str(), printed(&sending));
        well_formed(&sent).and_then(|()| (case.valid)(&sent)).map_err(|wrong| format!("{wrong}\n{}", shown()))?;
    }
    Ok(())
}

/// What may be remembered before a message: nothing, an answer of the vendor's, and what is none.
fn memories(case: &Case) -> Vec<Option<Value>> {
    let junk = case.remembered.as_ref().map(|_| json!(["junk", { "ts": "../" }]));
    let known = [case.remembered.clone(), junk].into_iter().flatten().map(Some);
    Some(None).into_iter().chain(known).collect()
}

fn printed(sending: &Sending) -> String {
    let text = match sending {
        Sending::Http(parcel) => format!("{} {} {}", parcel.method, parcel.url.expose(), String::from_utf8_lossy(&parcel.body)),
        Sending::Mail(mail) => format!("{mail:?}"),
    };
    text.chars().take(3_000).collect()
}

/// As long as it takes to be longer than nearly every limit.
fn long(text: &str) -> String {
    text.repeat(6_000 / text.len())
}

#[test]
fn g8_the_worst_texts_arrive_and_harm_nobody() {
    let cases = cases();
    for text in [
        "The disk is full",
        "",
        " \n\t",
        "\"quoted\" 'single' `code` \\ back\\slash\\\\",
        "line one\nline two\r\nline three\rline four\u{2028}line five",
        "\u{202e}gpj.exe \u{2066}isolated \u{200f}שלום عليكم",
        "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 e\u{301} \u{1f1e9}\u{1f1ea}",
        "@everyone @here @channel @all @ann @Team-1 ops@example.com (@bob)",
        "<!channel> <!here> <!everyone> <@U123> <@123> <@&456> <#C1> <!subteam^S1> <users/all> <users/1> <at>ann@example.com</at>",
        "{{.Secret}} {{ .Incident }} {% if x %} ${ENV} {{{{ #{x} %s %n",
        "[x](javascript:alert(1)) ![x](https://evil.example/x.png) [y][z] <https://evil.example|click>",
        "<script>alert(1)</script><img src=x onerror=alert(1)></b></a>\"><b>&amp;&lt;&#60;",
        "*bold* _it_ ~struck~ ||spoiler|| # heading\n> quote\n- item\n1. one\n```\ncode\n```",
        "nul \0 bell \u{7} escape \u{1b}[31m delete \u{7f} c1 \u{85}\u{9f}",
        "\u{301}\u{301} lone combining \u{20dd}",
        "\u{feff}\u{ffff}\u{fdd0}\u{1fffe} \u{e0001}\u{200b}\u{2060}\u{3164}",
        "Bcc: eve@example.com\r\nX-Evil: 1\r\n\r\nbody",
    ] {
        let messages = messages(text);
        for (case, message) in cases.iter().flat_map(|case| messages.iter().map(move |message| (case, message))) {
            for remembered in memories(case) {
                checked(case, message, remembered.as_ref()).unwrap_or_else(|wrong| panic!("{text:?}: {wrong}"));
            }
        }
    }
}

#[test]
fn g9_what_is_too_long_is_cut() {
    let cases = cases();
    let texts = ["long ", "😀", "\"", "<", "@everyone ", "{{", "\n", "~", "https://a.example/very/long "].map(long);
    for text in texts.into_iter().chain(["A 100 KB text. ".repeat(7_000)]) {
        let start: String = text.chars().take(20).collect();
        let told = [Occasion::Triggered, Occasion::Change];
        for message in messages(&text).iter().step_by(2).filter(|message| told.contains(&message.event)) {
            for case in &cases {
                checked(case, message, None).unwrap_or_else(|wrong| panic!("{start:?}: {wrong}"));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_text_arrives_and_harms_nobody(
        text in "(\\PC|[<>&@*_`|~#\\[\\](){}\"'\\\\:!\n\r\t\0\u{202e}\u{200b}]|@all|<!|\\{\\{|😀){0,30}",
        times in 1_usize..100,
        case in any::<prop::sample::Index>(),
        message in any::<prop::sample::Index>(),
        remembered in any::<prop::sample::Index>(),
    ) {
        let (cases, messages) = (cases(), messages(&text.repeat(times)));
        let case = case.get(&cases);
        let memories = memories(case);
        checked(case, message.get(&messages), remembered.get(&memories).as_ref()).map_err(TestCaseError::fail)?;
    }
}
