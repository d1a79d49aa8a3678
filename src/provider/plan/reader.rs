//! One alert while it is read by a plan. No alert is lost to its mapping: a value of an odd type is coerced, a word that nobody knows
//! pages, and an alert without a key gets one.

use std::borrow::Cow;

use serde_json::Value;

use super::Plan;
use super::case::Case;
use super::field::{self, Field};
use super::guess::Guess;
use crate::event::{Action, DedupKey, Event, Image, Severity};
use crate::provider::tokens::{self, Meaning};
use crate::provider::{Item, Origin, Request, events, key, labels, read};
use crate::time::Timestamp;

/// A text, and where it came from.
pub(super) type Said<'a> = (Cow<'a, str>, Cow<'static, str>);

/// An action, where it came from, and the word that asked for it, when a table knows it.
pub(super) type Asked<'a> = (Action, Cow<'static, str>, Option<Cow<'a, str>>);

/// One alert while it is read.
pub(super) struct Reader<'a, 'w> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// The alert as paths see it.
    pub(super) value: &'a Value,
    /// The body around it, which may be the alert itself.
    pub(super) body: &'a Value,
    /// The alert as it was sent.
    pub(super) sent: &'a Value,
    /// What its fields may mean, where the plan guesses.
    pub(super) guess: Option<Guess<'a>>,
    /// The request.
    pub(super) request: &'a Request<'a>,
    /// What the integration's owner should know.
    pub(super) warnings: &'w mut Vec<Cow<'static, str>>,
}

impl<'a> Reader<'a, '_> {
    pub(super) fn item(&mut self, at: String) -> Item {
        let (plan, labels) = (self.plan, self.plan.labels);
        let case = plan.cases.iter().find(|case| case.holds(&[self.value, self.body]));
        if let Some(why) = case.and_then(|case| case.ignore.clone()) {
            return Item::Ignored { at, why: why.into() };
        }
        if case.is_none() {
            self.look_for_a_stray();
        }
        let summary = instead(case, |case| &case.summary).unwrap_or(&plan.summary);
        let mapped_summary = self.said(summary, labels.summary);
        // Templates for PagerDuty are what vendors publish, whichever tool they are for.
        if mapped_summary.is_none() && events::is_events_body(self.sent) {
            return events::item(self.sent, at, &plan.tool, self.request);
        }
        let (action, action_from, word) = match self.action(case) {
            Ok(found) => found,
            Err(why) => return Item::Ignored { at, why: why.into() },
        };
        let summary = mapped_summary.or_else(|| self.guessed(Guess::summary));
        let key = self.key(case);
        let untitled = summary.is_none();
        let Some((summary, summary_from)) = summary.or_else(|| stand_in(key.as_ref(), word.as_deref())) else {
            return Item::Unmapped { at, why: self.nothing_found() };
        };
        // Of a tool that we know, an alert with neither its key nor a word of its is something else.
        if key.is_none() && word.is_none() && !plan.guesses {
            return Item::Unmapped { at, why: self.nothing_found() };
        }
        let source = instead(case, |case| &case.source).unwrap_or(&plan.source);
        let (source, source_from) = self
            .said(source, labels.source)
            .or_else(|| self.guessed(Guess::source))
            .unwrap_or((Cow::Borrowed(&*plan.tool), if plan.guesses { "default: the type" } else { "default: the tool" }.into()));
        let (severity, severity_from) = self.severity(case, word.as_deref());
        let key_guessed = key.is_none();
        // A summary that was made of the state changes with it.
        let lasting = if untitled { "" } else { &*summary };
        let fallback = || match &self.guess {
            Some(guess) => guess.fallback_key(lasting, &source, word.is_some()),
            None => key::guess(lasting, &source),
        };
        let (dedup_key, key_from) = key.unwrap_or_else(|| (fallback(), "default: guessed from summary and source".into()));
        let mut event = Event::new(action, dedup_key, &summary, &source, severity);
        event.key_guessed = key_guessed;
        self.decorate(&mut event);
        let origin = Origin {
            at,
            action: action_from,
            dedup_key: key_from,
            summary: summary_from,
            source: source_from,
            severity: severity_from,
        };
        Item::event(event, origin)
    }

    /// Where a tool's body is a template, it may be one for another receiver: with a dedup key of its own, and none of this tool's. Such
    /// a body is read by guesses where the recipe finds nothing.
    fn look_for_a_stray(&mut self) {
        if self.guess.is_none() && self.key(None).is_none() {
            self.guess = Some(Guess::of(self.value)).filter(Guess::is_keyed);
        }
    }

    /// What a field says, in the alert, then in the body around it; a warning when a user mapped it and it says nothing.
    fn said(&mut self, field: &'a Field, label: &str) -> Option<Said<'a>> {
        let found = self.text(field);
        if found.is_none() && !field.is_empty() {
            self.warn(label);
        }
        found
    }

    fn text(&self, field: &'a Field) -> Option<Said<'a>> {
        field.iter().find_map(|way| Some((way.text(&[self.value, self.body])?, Cow::Owned(way.as_str().to_owned()))))
    }

    fn guessed<T>(&self, read: impl FnOnce(&Guess<'a>) -> Option<T>) -> Option<T> {
        read(self.guess.as_ref()?)
    }

    /// What the alert asks for where nothing is mapped; where it does not say, what the body around it does.
    fn guessed_action(&self, guess: &Guess<'a>) -> Result<Asked<'a>, &'static str> {
        match guess.action() {
            Ok((_, _, None)) if !std::ptr::eq(self.value, self.body) => Guess::of(self.body).action(),
            said => said,
        }
    }

    fn warn(&mut self, label: &str) {
        let warning = format!("{label} found nothing");
        if self.plan.guesses && !self.warnings.iter().any(|known| *known == warning) {
            self.warnings.push(warning.into());
        }
    }

    fn nothing_found(&self) -> Cow<'static, str> {
        if self.plan.guesses {
            return "no field holds a summary, a key or a state; name them in options.mapping".into();
        }
        let ways: Vec<&str> = self.plan.key.iter().map(field::Template::as_str).collect();
        format!("none of its fields holds a key ({})", ways.join(" or ")).into()
    }

    fn key(&mut self, case: Option<&'a Case>) -> Option<(DedupKey, Cow<'static, str>)> {
        let plan = self.plan;
        let ways = instead(case, |case| &case.key).unwrap_or(&plan.key);
        let found = ways.iter().find_map(|way| {
            let text = way.key(self.value, plan.guesses)?;
            let text = if way.mark().is_empty() { plan.unmarked(text) } else { text };
            Some((DedupKey::lenient(&text)?, Cow::Owned(way.as_str().to_owned())))
        });
        if found.is_none() && !ways.is_empty() {
            self.warn(plan.labels.key);
        }
        found.or_else(|| self.guessed(Guess::dedup_key))
    }

    /// What the alert asks for; the error is why it asks for nothing.
    fn action(&mut self, case: Option<&'a Case>) -> Result<Asked<'a>, &'static str> {
        let plan = self.plan;
        let said = self.said(&plan.action.field, plan.labels.action);
        if let Some((case, action)) = case.and_then(|case| Some((case, case.action?))) {
            return Ok((action, case.described().into(), Some(said.map_or(Cow::Borrowed(action.as_str()), |(word, _)| word))));
        }
        let Some((word, from)) = said else {
            return match (plan.action.field.is_empty(), &self.guess) {
                (unmapped, Some(guess)) if unmapped || !plan.guesses => self.guessed_action(guess),
                (true, None) => Ok((Action::Trigger, "default: trigger".into(), None)),
                _ => Ok((Action::Trigger, format!("default: trigger ({} found nothing)", plan.labels.action).into(), None)),
            };
        };
        match plan.asked(&word) {
            (Meaning::Act(action), true) => Ok((action, from, Some(word))),
            (Meaning::Nothing, _) => Err("its state asks for nothing"),
            (Meaning::Act(action), false) => {
                if let Some(guess) = self.guess.as_ref().filter(|_| !plan.guesses) {
                    return self.guessed_action(guess);
                }
                let from = format!("default: trigger ({} holds an unknown word)", plan.labels.action).into();
                Ok((action, from, Some(word).filter(|_| plan.guesses)))
            }
        }
    }

    /// By the case, the plan's words, the common ones, else what the plan says.
    fn severity(&mut self, case: Option<&'a Case>, state: Option<&str>) -> (Severity, Cow<'static, str>) {
        let plan = self.plan;
        if let Some((case, severity)) = case.and_then(|case| Some((case, case.severity?))) {
            return (severity, case.described().into());
        }
        let default = plan.default_severity;
        if let Some((word, from)) = self.said(&plan.severity.field, plan.labels.severity) {
            return match plan.severity.of(&word).or_else(|| tokens::severity(&word)) {
                Some(severity) => (severity, from),
                None => {
                    (default, format!("default: {} ({} holds an unknown word)", default.as_str(), plan.labels.severity).into())
                }
            };
        }
        if let Some(guess) = &self.guess {
            return guess.severity(state);
        }
        (default, format!("default: {}", default.as_str()).into())
    }

    fn decorate(&self, event: &mut Event) {
        let plan = self.plan;
        let field = |field: &'a Field, name: &str| {
            let guess = || self.guessed(|guess| guess.own(name));
            self.text(field).map(|(text, _)| text).or_else(guess).map(Cow::into_owned)
        };
        event.component = field(&plan.component, "component");
        event.group = field(&plan.group, "group");
        event.class = field(&plan.class, "class");
        let image = self.text(&plan.image).map(|(src, _)| src.into_owned()).filter(|src| read::is_web_address(src));
        let image = image.or_else(|| self.guessed(Guess::image));
        event.images = image.map(|src| Image { src, href: None, alt: None }).into_iter().collect();
        event.custom_details = Some(events::without_secrets(self.sent, &plan.secret_fields));
        for (text, field) in &plan.links {
            for way in field {
                self.link(event, text, way);
            }
        }
        if let Some(guess) = self.guess.as_ref().filter(|_| plan.links.is_empty()) {
            guess.links(&mut event.links);
        }
        if !plan.guesses {
            event.client = Some(plan.tool.clone().into_owned());
        }
        let time = |field: &'a Field| field.iter().find_map(|way| way.value(&[self.value, self.body]));
        let occurred_at = time(&plan.occurred_at).and_then(read::time);
        // What a stray's times mean is unknown.
        let occurred_at = occurred_at.or_else(|| self.guessed(Guess::time).filter(|_| plan.guesses));
        event.occurred_at = Timestamp::trusted(occurred_at, self.request.received_at);
        event.starts_at = Timestamp::trusted(time(&plan.starts_at).and_then(read::time), self.request.received_at);
    }

    /// A link: an address, or a list of them; or an address made of parts.
    fn link(&self, event: &mut Event, text: &str, way: &field::Template) {
        let values = way.values(self.value);
        if values.is_empty() {
            return labels::push_link(&mut event.links, way.text(&[self.value, self.body]), text);
        }
        for value in values {
            let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in list {
                labels::push_link(&mut event.links, read::text(value), text);
            }
        }
    }
}

impl Plan {
    /// The key of a way that has no text of its own in front, changed where it could be the key of another way.
    fn unmarked<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        let taken = |text: &str| text.starts_with('\\') || self.marked.iter().any(|way| text.starts_with(way.mark()));
        if !self.marked.is_empty() && taken(&text) { Cow::Owned(format!("\\{text}")) } else { text }
    }
}

/// The field of a case that replaces the plan's.
fn instead<'a>(case: Option<&'a Case>, field: impl Fn(&'a Case) -> &'a Field) -> Option<&'a Field> {
    case.map(field).filter(|field| !field.is_empty())
}

/// A summary for an alert that has a key or a state, and nothing to say.
fn stand_in<'a>(key: Option<&(DedupKey, Cow<'static, str>)>, word: Option<&str>) -> Option<Said<'a>> {
    match (key, word) {
        (Some((key, _)), _) => Some((format!("Alert {key}").into(), "default: the key".into())),
        (None, Some(word)) => Some((format!("Alert: {word}").into(), "default: the state".into())),
        (None, None) => None,
    }
}
