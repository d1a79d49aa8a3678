//! A body's scalars by the letters and digits of their names, whatever its nesting and spelling: `{"alert": {"cycle_key": 1}}`,
//! `{"alert.cycleKey": 1}` and `{"ALERT_CYCLE_KEY": "1"}` are one. For tools whose body is a template of the user's.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::read;

/// Values that one body may hold for us to look at.
const FIELDS_MAX: usize = 256;
/// Objects within objects.
const DEPTH_MAX: usize = 4;

/// The scalar fields of a body by normalised name. A variable that was not expanded is not among them.
pub(super) struct Flat<'a> {
    fields: BTreeMap<String, Cow<'a, str>>,
    unexpanded: bool,
}

impl<'a> Flat<'a> {
    pub(super) fn of(body: &'a Value) -> Self {
        let mut flat = Self { fields: BTreeMap::new(), unexpanded: false };
        // Level by level: what an outer object says is not crowded out by what is deep in another one.
        let mut level = vec![(String::new(), body)];
        for _ in 0..DEPTH_MAX {
            level = level.into_iter().flat_map(|(prefix, value)| flat.collect(value, &prefix)).collect();
        }
        flat
    }

    /// Takes the scalars of an object; its other members come back with their names.
    fn collect(&mut self, value: &'a Value, prefix: &str) -> Vec<(String, &'a Value)> {
        let mut inner = Vec::new();
        for (name, member) in value.as_object().into_iter().flatten() {
            if self.fields.len() + inner.len() >= FIELDS_MAX {
                break;
            }
            let name = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
            let name: String = prefix.chars().chain(name).collect();
            match read::scalar(member) {
                Some(text) if text.trim().is_empty() => {}
                Some(text) if read::unexpanded(&text) => self.unexpanded = true,
                Some(text) => {
                    self.fields.entry(name).or_insert(text);
                }
                None if member.is_object() => inner.push((name, member)),
                None => {}
            }
        }
        inner
    }

    /// Whether a variable was left as it stands in its template.
    pub(super) fn has_unexpanded(&self) -> bool {
        self.unexpanded
    }

    /// The text of the first of `names` that has one.
    pub(super) fn get(&self, names: &[&'static str]) -> Option<(Cow<'_, str>, &'static str)> {
        names.iter().find_map(|name| Some((read::shown(Cow::Borrowed(self.fields.get(*name)?))?, *name)))
    }

    /// As [`Flat::get`], the text alone.
    pub(super) fn text(&self, names: &[&'static str]) -> Option<Cow<'_, str>> {
        self.get(names).map(|(text, _)| text)
    }

    /// As [`Flat::text`], as sent: for keys, in which U+0000 must not vanish.
    pub(super) fn raw(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.fields.get(*name)).map(Cow::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_name_whatever_its_spelling_and_nesting() {
        for body in [json!({"alert": {"cycle_key": 1}}), json!({"alert.cycleKey": "1"}), json!({"ALERT_CYCLE_KEY": " 1 "})] {
            assert_eq!(Flat::of(&body).text(&["x", "alertcyclekey"]).as_deref(), Some("1"), "{body}");
        }
        let flat = Flat::of(&json!({"a": "$NAME", "b": {"c": null}})).get(&["a", "bc"]).is_none();
        assert!(flat && Flat::of(&json!({"a": "{{b}}"})).has_unexpanded());
    }

    #[test]
    fn a_large_inner_object_hides_no_outer_field() {
        let large: serde_json::Map<String, Value> = (0..1_000).map(|n| (format!("k{n}"), json!(n))).collect();
        let body = json!({"a": {"b": large}, "rule": {"id": "r"}, "watch_id": "w"});
        assert_eq!(Flat::of(&body).raw(&["watchid"]), Some("w"));
        assert_eq!(Flat::of(&body).raw(&["ruleid"]), Some("r"));
    }
}
