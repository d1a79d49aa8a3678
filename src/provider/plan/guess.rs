//! What the fields of a body of no known shape most likely mean, by their names: in the alert, and in the objects that tools put
//! around it or into it (`data.alert.status`). When in doubt it pages, and it never resolves.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::reader::{Asked, Said};
use crate::event::{Action, DedupKey, Link, Severity};
use crate::provider::tokens::{self, Meaning};
use crate::provider::{key, labels, read};
use crate::time::Parsed;

mod names;
mod title;

/// Objects looked into, and levels of them.
const VIEWS_MAX: usize = 24;
const DEPTH_MAX: usize = 2;
/// Members of each that are looked at.
const MEMBERS_MAX: usize = 64;

/// An alert, and the objects in it in which its fields may be, the likeliest first.
pub(super) struct Guess<'a>(Vec<View<'a>>);

/// One object.
struct View<'a> {
    /// Its name by letters and digits; empty for the alert itself.
    name: String,
    /// What stands in front of its members' names in a path: `data.alert.`.
    path: String,
    /// Its members by their names' letters and digits.
    members: Vec<(String, &'a str, &'a Value)>,
}

impl<'a> View<'a> {
    fn of(name: String, path: String, members: &'a Map<String, Value>) -> Self {
        let members = members.iter().filter(|(_, value)| !value.is_null()).take(MEMBERS_MAX);
        Self { name, path, members: members.map(|(name, value)| (super::names::loose(name), name.as_str(), value)).collect() }
    }

    fn get(&self, name: &str) -> Option<(&'a Value, &'a str)> {
        self.members.iter().find(|(have, ..)| have == name).map(|(_, sent, value)| (*value, *sent))
    }

    /// The texts of those of `names` that it has, each with its path. A variable that was not filled in is none.
    fn texts<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = (Cow<'a, str>, Cow<'static, str>)> + 's {
        names.iter().filter_map(move |name| {
            let (value, sent) = self.get(name)?;
            let text = read::text(value).filter(|text| !read::unexpanded(text))?;
            Some((text, Cow::Owned(format!("{}{sent}", self.path))))
        })
    }
}

impl<'a> Guess<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        let Value::Object(members) = value else { return Self(Vec::new()) };
        let mut views = vec![View::of(String::new(), String::new(), members)];
        let mut from = 0;
        for _ in 0..DEPTH_MAX {
            let level: Vec<View<'a>> = views.get(from..).unwrap_or_default().iter().flat_map(inner).collect();
            from = views.len();
            views.extend(level);
            views.truncate(VIEWS_MAX);
        }
        Self(views)
    }

    /// The texts under `names`, object by object.
    fn texts<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = (Cow<'a, str>, Cow<'static, str>)> + 's {
        self.0.iter().flat_map(|view| view.texts(names))
    }

    /// Whether it names its own dedup key.
    pub(super) fn is_keyed(&self) -> bool {
        self.0.iter().any(|view| view.key(names::KEY).is_some())
    }

    pub(super) fn summary(&self) -> Option<Said<'a>> {
        self.texts(names::TITLE).next().or_else(|| self.texts(names::TEXT).next())
    }

    pub(super) fn source(&self) -> Option<Said<'a>> {
        let address = || self.0.iter().filter(|view| view.is_watched()).find_map(|view| view.texts(&["url"]).next());
        self.texts(names::SOURCE).next().or_else(address)
    }

    /// The text under `name` in the alert itself.
    pub(super) fn own(&self, name: &str) -> Option<Cow<'a, str>> {
        self.0.first()?.texts(&[name]).next().map(|(text, _)| text)
    }

    /// The id of the alert. Where the body is an envelope, which says what happened, the envelope's own id comes last: the next one has
    /// another.
    pub(super) fn dedup_key(&self) -> Option<(DedupKey, Cow<'static, str>)> {
        let (body, inside) = self.0.split_first()?;
        let is_alert = |view: &&View<'_>| !view.is_watched() && !names::STATELESS.contains(&view.name.as_str());
        let envelope = body.texts(names::STATE).next().is_none();
        let strong = self.0.iter().find_map(|view| view.key(names::KEY));
        let own = || body.key(names::ID);
        let alert = || inside.iter().filter(is_alert).find_map(|view| view.key(names::ID));
        let watched = || {
            let by_name = self.0.iter().find_map(|view| self.watched(view, names::WATCHED_ID));
            by_name.or_else(|| inside.iter().filter(|view| view.is_watched()).find_map(|view| self.watched(view, names::ID)))
        };
        strong
            .or_else(|| if envelope { alert() } else { own().or_else(alert) })
            .or_else(watched)
            .or_else(|| if envelope { own() } else { None })
    }

    /// The id of what is watched: with its name in front, so that it never equals an alert's, and with the host.
    fn watched(&self, view: &View<'a>, names: &[&str]) -> Option<(DedupKey, Cow<'static, str>)> {
        let (id, path) = view.texts(names).next()?;
        let host = self.texts(names::HOST).next().map(|(host, _)| format!(":{host}")).unwrap_or_default();
        let id = id.replace('\\', "\\\\").replace(':', "\\:");
        Some((DedupKey::lenient(&format!("{path}:{id}{host}"))?, path))
    }

    /// A key for an alert without an id: by the name of what is watched where the tool tells states, else by the summary, without what
    /// in it is the state; and by the source.
    pub(super) fn fallback_key(&self, summary: &str, source: &str, stateful: bool) -> DedupKey {
        let host = self.texts(names::HOST).next();
        let service = || host.as_ref().and_then(|_| self.texts(names::SERVICE).next());
        let watched = self.texts(names::WATCHED_NAME).next().or_else(service).filter(|_| stateful);
        match watched {
            Some((name, _)) => key::guess_of(&name, source),
            None => key::guess(title::state(summary).map_or(summary, |(_, rest)| rest), source),
        }
    }

    /// What the alert asks for: by the first field whose word is known, else by a member that is true or false, by the time of its end,
    /// by what stands in front of its title. A word that nobody knows pages.
    pub(super) fn action(&self) -> Result<Asked<'a>, &'static str> {
        let mut unknown = None;
        // `event: alert` says no more than that this is one.
        let mut vague = None;
        for view in self.0.iter().filter(|view| !names::STATELESS.contains(&view.name.as_str())) {
            let kinds = view.texts(names::KIND).filter(|(word, _)| tokens::is_one_of(word, names::KIND_WORDS) || compound(word));
            for (word, path) in view.texts(names::STATE).chain(view.texts(names::HAPPENED)).chain(kinds) {
                match meaning(&word) {
                    Some(Meaning::Act(action)) if tokens::is_one_of(&word, names::VAGUE) => {
                        vague = vague.or(Some((action, path, Some(word))));
                    }
                    Some(Meaning::Act(action)) => return Ok((action, path, Some(word))),
                    Some(Meaning::Nothing) => return Err("its state asks for nothing"),
                    None => unknown = unknown.or(Some(path)),
                }
            }
        }
        if let Some((action, path)) = self.flag() {
            return Ok((action, path, Some(Cow::Borrowed(action.as_str()))));
        }
        if let Some(asked) = vague {
            return Ok(asked);
        }
        if let Some(path) = unknown {
            return Ok((Action::Trigger, format!("default: trigger (`{path}` holds an unknown word)").into(), None));
        }
        let over = self.0.iter().find_map(|view| names::OVER.iter().find_map(|name| view.get(name)));
        if let Some((_, name)) = over.filter(|(value, _)| read::time(value).is_some_and(|time| time.at.0 > 0)) {
            return Ok((Action::Resolve, Cow::Owned(name.to_owned()), Some(Cow::Borrowed("resolved"))));
        }
        let titled = self.summary().and_then(|(title, path)| Some((title::state(&title)?.0, path)));
        match titled {
            Some((action, path)) => Ok((action, path, Some(Cow::Borrowed(action.as_str())))),
            None => Ok((Action::Trigger, "default: trigger".into(), None)),
        }
    }

    fn flag(&self) -> Option<(Action, Cow<'static, str>)> {
        self.0.iter().filter(|view| !names::STATELESS.contains(&view.name.as_str())).find_map(|view| {
            let (name, over, value) = names::FLAGS.iter().find_map(|(name, over)| {
                let (value, sent) = view.get(name)?;
                Some((sent, over, value.as_bool()?))
            })?;
            let action = if value == *over { Action::Resolve } else { Action::Trigger };
            Some((action, Cow::Owned(format!("{}{name}", view.path))))
        })
    }

    pub(super) fn severity(&self, state: Option<&str>) -> (Severity, Cow<'static, str>) {
        let named = self.texts(names::SEVERITY).find_map(|(word, path)| Some((tokens::severity(&word)?, path)));
        let stated = || Some((tokens::severity(state?)?, Cow::Borrowed("the state")));
        named.or_else(stated).unwrap_or((Severity::Error, "default: error".into()))
    }

    pub(super) fn time(&self) -> Option<Parsed> {
        self.0.iter().find_map(|view| names::TIME.iter().find_map(|name| read::time(view.get(name)?.0)))
    }

    pub(super) fn links(&self, links: &mut Vec<Link>) {
        for view in &self.0 {
            for (name, text) in names::LINKS {
                labels::push_link(links, view.get(name).and_then(|(value, _)| read::text(value)), text);
            }
        }
    }

    pub(super) fn image(&self) -> Option<String> {
        self.texts(names::IMAGE).map(|(text, _)| text.into_owned()).find(|text| read::is_web_address(text))
    }
}

impl View<'_> {
    /// Whether it is what is watched, and not the alert.
    fn is_watched(&self) -> bool {
        names::WATCHED.contains(&self.name.as_str())
    }

    /// The first of `names` that is an id, as sent: in keys U+0000 must not vanish.
    fn key(&self, names: &[&str]) -> Option<(DedupKey, Cow<'static, str>)> {
        names.iter().find_map(|name| {
            let (value, sent) = self.get(name)?;
            let text = read::scalar(value).filter(|text| !read::unexpanded(text))?;
            Some((DedupKey::lenient(&text)?, Cow::Owned(format!("{}{sent}", self.path))))
        })
    }
}

/// The objects inside one, in the order of [`names::WRAPPERS`].
fn inner<'a>(view: &View<'a>) -> Vec<View<'a>> {
    let objects = names::WRAPPERS.iter().filter_map(|name| {
        let (value, sent) = view.get(name)?;
        Some(View::of((*name).to_owned(), format!("{}{sent}.", view.path), value.as_object()?))
    });
    objects.collect()
}

/// The alerts of a body that lists them, and the JSON pointer of the list.
pub(super) fn list(body: &Value) -> Option<(&[Value], String)> {
    let members = body.as_object()?;
    let of = |name: &str| members.iter().find(|(have, _)| super::names::loose(have) == name);
    let states = || names::STATE.iter().any(|name| of(name).is_some_and(|(_, value)| !value.is_null() && !value.is_array()));
    names::LISTS.iter().find_map(|name| {
        let (sent, value) = of(name)?;
        let elements = value.as_array().filter(|elements| !elements.is_empty() && elements.iter().all(Value::is_object))?;
        let pointer = format!("/{}", sent.replace('~', "~0").replace('/', "~1"));
        (*name == "alerts" || !states()).then_some((elements.as_slice(), pointer))
    })
}

/// What a word asks for: as a whole, or behind a noun (`alert.resolved`).
fn meaning(word: &str) -> Option<Meaning> {
    tokens::meaning(word).or_else(|| meaning(behind_noun(word)?))
}

fn behind_noun(word: &str) -> Option<&str> {
    let (noun, rest) = word.split_once(['.', '_', '-', ':', '/', ' '])?;
    tokens::is_one_of(noun, names::NOUNS).then_some(rest)
}

fn compound(word: &str) -> bool {
    behind_noun(word).is_some()
}
