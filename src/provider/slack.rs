//! Slack's Events API: the messages of channels, as alerts.
//!
//! <https://docs.slack.dev/apis/events-api/>. A message that a person writes opens an incident; replies in its thread are talk about it.
//! A chat has no word for the end: nothing resolves unless the options name reactions, or replies, that do. Messages of bots count only where
//! their bot is listed, so that what Callbox posts is never read back; edits, joins and the like never do.
//!
//! `ts` is when a message was posted and `event_ts` when a thing happened, and a delivery that failed comes again within the hour
//! (<https://docs.slack.dev/apis/events-api/#retries>), with the same `event_id`: so these times order, and the id is the delivery's.

mod options;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::alert::Alert;
use super::{
    Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Provider, Reply, Request, Resolves, Unmapped, key, read,
};
use crate::event::{Action, DedupKey};
use crate::signature::{self, Scheme};

pub use options::Options;

/// Slack.
pub struct Slack;

static META: Meta = Meta {
    kind: "slack",
    aliases: &["slack-events"],
    name: "Slack",
    docs: "https://docs.slack.dev/apis/events-api/",
    clock: Clock::Transition,
    resolves: Resolves::Never,
    success_status: 200,
    throttle_status: 429,
    scheme: Scheme::Hmac(signature::SLACK),
    key_headers: &[],
    delivery_header: None,
    secret_fields: &["token"],
    methods: &[],
    setup: include_str!("setup/slack.md"),
};

impl Provider for Slack {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Options::compile(options)
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        let kind = read::field(body, "type").unwrap_or_default().to_ascii_lowercase();
        if kind == "url_verification" {
            let challenge = read::field(body, "challenge").ok_or(Unmapped::new("there is no `challenge`"))?;
            let reply = Reply { status: 200, headers: Vec::new(), body: json!({ "challenge": challenge }).to_string() };
            return Ok(Normalised { reply: Some(reply), ..Normalised::ignored("the address is verified") });
        }
        if kind == "app_rate_limited" {
            return Ok(Normalised::ignored("Slack drops events of this app for a minute: there are too many"));
        }
        let event = body.get("event").filter(|event| event.is_object()).ok_or(Unmapped::new("there is no `event`"))?;
        let default = Options::default();
        let context = Context { event, request, options: request.options.get().unwrap_or(&default) };
        let mut normalised = match context.said() {
            Ok(Said::Event(mapped)) => Normalised::one(Item::Event(Box::new(mapped))),
            Ok(Said::IfOpen(mapped)) => {
                Normalised { if_open: vec![mapped], note: Some("the message was deleted".into()), ..Normalised::default() }
            }
            Err(why) => Normalised::ignored(why),
        };
        normalised.delivery_id = read::owned(body, "event_id");
        Ok(normalised)
    }
}

/// What an event comes to.
enum Said {
    /// This.
    Event(Mapped),
    /// This, where its incident is open.
    IfOpen(Mapped),
}

/// What an event is read from.
struct Context<'a> {
    event: &'a Value,
    request: &'a Request<'a>,
    options: &'a Options,
}

impl<'a> Context<'a> {
    /// A word at a path, in lower case; empty where there is none.
    fn word(&self, path: &str) -> String {
        read::field(self.event, path).unwrap_or_default().to_ascii_lowercase()
    }

    fn said(&self) -> Result<Said, Cow<'static, str>> {
        let channel = read::first(self.event, &["channel", "item.channel"]).map(|found| found.text).unwrap_or_default();
        if !self.options.channels.allow(&channel) {
            return Err("the channel is not among this integration's `channels`".into());
        }
        match self.word("type").as_str() {
            "message" | "app_mention" => self.message(&channel),
            "reaction_added" => self.reaction(&channel),
            "" => Err("the event has no type".into()),
            other => Err(format!("the event `{other}` is no message").into()),
        }
    }

    fn message(&self, channel: &str) -> Result<Said, Cow<'static, str>> {
        let subtype = self.word("subtype");
        if subtype == "message_deleted" {
            let ts = read::first(self.event, &["deleted_ts", "previous_message.ts"]).ok_or("the message has no time")?;
            let action = (Action::Resolve, "event.subtype");
            return Ok(Said::IfOpen(self.mapped(action, (thread(channel, &ts.text), ts.path), "deleted".to_owned(), channel)));
        }
        let bot = read::first(self.event, &["bot_id", "bot_profile.id"]).map(|found| found.text);
        match subtype.as_str() {
            "" | "thread_broadcast" | "file_share" | "me_message" | "bot_message" => {}
            other => return Err(format!("a message of the subtype `{other}` is no alert").into()),
        }
        if (bot.is_some() || subtype == "bot_message") && !bot.as_deref().is_some_and(|bot| self.options.bots.names(bot)) {
            return Err("a bot wrote this, and is not among this integration's `bots`".into());
        }
        let ts = read::field(self.event, "ts").ok_or("the message has no time")?;
        let parent = read::field(self.event, "thread_ts").filter(|parent| *parent != ts);
        let text = self.text();
        let Some(parent) = parent else {
            let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
            let key = (thread(channel, &ts), "event.channel, event.ts");
            return Ok(Said::Event(self.mapped((Action::Trigger, "event.type"), key, first, channel)));
        };
        let action = if self.options.resolve_words.names(text.trim()) {
            (Action::Resolve, "options.resolveWords")
        } else if self.options.acknowledge_words.names(text.trim()) {
            (Action::Acknowledge, "options.acknowledgeWords")
        } else {
            return Err("a reply in a thread, without a word of this integration's options".into());
        };
        let key = (thread(channel, &parent), "event.channel, event.thread_ts");
        Ok(Said::Event(self.mapped(action, key, text.into_owned(), channel)))
    }

    /// What was written, or what stands for it.
    fn text(&self) -> Cow<'a, str> {
        let inside = |pointer| self.event.pointer(pointer).and_then(read::text);
        let text =
            read::field(self.event, "text").or_else(|| inside("/attachments/0/fallback")).or_else(|| inside("/files/0/name"));
        text.unwrap_or("a message without text".into())
    }

    fn reaction(&self, channel: &str) -> Result<Said, Cow<'static, str>> {
        let reaction = self.word("reaction");
        let action = if self.options.resolve_reactions.names(&reaction) {
            (Action::Resolve, "options.resolveReactions")
        } else if self.options.acknowledge_reactions.names(&reaction) {
            (Action::Acknowledge, "options.acknowledgeReactions")
        } else {
            return Err("the reaction is not among this integration's options".into());
        };
        let ts = read::field(self.event, "item.ts").ok_or("the reaction is to no message")?;
        Ok(Said::Event(self.mapped(action, (thread(channel, &ts), "event.item.ts"), format!(":{reaction}:"), channel)))
    }

    fn mapped(&self, action: (Action, &'static str), key: (DedupKey, &'static str), text: String, channel: &str) -> Mapped {
        let source = if channel.is_empty() {
            (META.name.into(), "default: the tool")
        } else {
            (channel.to_owned().into(), "event.channel")
        };
        let severity = self.options.severity;
        let mut mapped = Alert {
            tool: META.name,
            action,
            key,
            summary: (text, "event.text"),
            source,
            severity: (
                severity.unwrap_or(crate::event::Severity::Error),
                if severity.is_some() { "options.severity" } else { "default: error" },
            ),
        }
        .mapped();
        mapped.event.class = read::owned(self.event, "type");
        mapped.event.component = read::first(self.event, &["user", "bot_id", "username"]).map(|found| found.text.into_owned());
        mapped.event.custom_details = Some(self.event.clone());
        // Times are texts of seconds with a fraction, which also tells messages apart.
        let at = read::first(self.event, &["event_ts", "ts"]).and_then(|found| found.text.parse::<f64>().ok());
        mapped.since(at.map(Value::from).as_ref(), self.request);
        mapped
    }
}

fn thread(channel: &str, ts: &str) -> DedupKey {
    key::of("message", &[channel, ts])
}
