//! What a field of an event is made of: paths, and templates such as `{check_name}: {description|current_state}`. A field lists
//! several; the first that is complete counts.
//!
//! A text without braces is a path. In a template `{a|b}` is the first of the paths that holds something, `{a?}` may be missing, and
//! `{{` and `}}` are braces. A template whose parts are not all there is as good as none.

use std::borrow::Cow;

use serde_json::Value;

use crate::provider::path::Path;
use crate::provider::read;

use super::names::Names;

/// Characters of a template.
const LENGTH_MAX: usize = 1_000;
/// What escapes a separator inside a value of a key.
const ESCAPE: char = '\\';

/// What one field is made of, in the order tried. Empty: not mapped.
pub type Field = Vec<Template>;

/// One way to fill a field.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
    /// Characters that are escaped in the values of a key: those between two values, so that the values cannot run into each other.
    separators: String,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Value { paths: Vec<Path>, optional: bool },
}

impl Template {
    /// A path alone, whatever characters it has.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn path(text: &str, names: Names) -> Result<Self, Cow<'static, str>> {
        let part = Part::Value { paths: vec![names.path(text)?], optional: false };
        Ok(Self { text: text.trim().to_owned(), parts: vec![part], separators: String::new() })
    }

    /// A path, or a template when it has braces.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn compile(text: &str, names: Names) -> Result<Self, Cow<'static, str>> {
        if !text.contains(['{', '}']) {
            return Self::path(text, names);
        }
        if text.chars().count() > LENGTH_MAX {
            return Err(format!("is longer than {LENGTH_MAX} characters").into());
        }
        let parts = parts(text, names)?;
        let is_value = |part: &Part| matches!(part, Part::Value { .. });
        let Some(last) = parts.iter().rposition(is_value) else {
            return Err("names no field between braces".into());
        };
        let inner = parts.iter().take(last).skip_while(|part| !is_value(part));
        let mut separators: String = inner.filter_map(Part::as_text).collect();
        if parts.iter().filter(|part| is_value(part)).count() > 1 {
            separators.push(ESCAPE);
        }
        Ok(Self { text: text.to_owned(), parts, separators })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text in front of the first value; empty where there is none.
    pub fn mark(&self) -> &str {
        self.parts.first().and_then(Part::as_text).unwrap_or_default()
    }

    /// Whether two values stand side by side with nothing between them.
    pub fn runs_together(&self) -> bool {
        self.parts.iter().zip(self.parts.iter().skip(1)).any(|(one, next)| one.as_text().is_none() && next.as_text().is_none())
    }

    /// The text that it makes of what is found in the first of `places` that has it.
    pub fn text<'a>(&self, places: &[&'a Value]) -> Option<Cow<'a, str>> {
        self.fill(places, shown, |text, value| text.push_str(value))
    }

    /// As [`Template::text`], for keys: values as sent, and any two different lists of values give two different texts. An object or a
    /// list counts as its JSON only when `whole` says so: it holds what changes while the alert stays the same.
    pub fn key<'a>(&self, place: &'a Value, whole: bool) -> Option<Cow<'a, str>> {
        self.fill(&[place], if whole { raw } else { scalar }, |text, value| {
            for character in value.chars() {
                if self.separators.contains(character) {
                    text.push(ESCAPE);
                }
                text.push(character);
            }
        })
    }

    /// The value behind a lone path.
    pub fn value<'a>(&self, places: &[&'a Value]) -> Option<&'a Value> {
        match self.parts.as_slice() {
            [Part::Value { paths, .. }] => places.iter().find_map(|place| paths.iter().find_map(|path| path.first(place))),
            _ => None,
        }
    }

    /// Every value behind a lone path.
    pub fn values<'a>(&self, place: &'a Value) -> Vec<&'a Value> {
        match self.parts.as_slice() {
            [Part::Value { paths, .. }] => {
                let found = paths.iter().map(|path| path.all(place)).find(|found| !found.is_empty());
                found.into_iter().flatten().map(|(value, _)| value).collect()
            }
            _ => Vec::new(),
        }
    }

    fn fill<'a>(
        &self,
        places: &[&'a Value],
        read: fn(&'a Value) -> Option<Cow<'a, str>>,
        push: impl Fn(&mut String, &str),
    ) -> Option<Cow<'a, str>> {
        let find = |paths: &[Path]| {
            let mut found = places.iter().flat_map(|place| paths.iter().filter_map(|path| read(path.first(place)?)));
            found.find(|text| !read::unexpanded(text))
        };
        if let [Part::Value { paths, .. }] = self.parts.as_slice() {
            return find(paths);
        }
        let mut text = String::new();
        let mut any = false;
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Value { paths, optional } => match find(paths) {
                    Some(value) => {
                        any = true;
                        push(&mut text, &value);
                    }
                    None if *optional => {}
                    None => return None,
                },
            }
        }
        any.then_some(Cow::Owned(text))
    }
}

impl Part {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Value { .. } => None,
        }
    }
}

/// A value as text to show; objects and arrays as their JSON, unless they are empty.
pub(super) fn shown(value: &Value) -> Option<Cow<'_, str>> {
    raw(value).and_then(read::shown)
}

/// As [`shown`], as sent: for keys, in which U+0000 must not vanish. The names in the JSON are sorted, so that it is stable. Blank is
/// nothing.
pub(super) fn raw(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::Array(elements) if elements.is_empty() => None,
        Value::Object(members) if members.is_empty() => None,
        Value::Array(_) | Value::Object(_) => Some(Cow::Owned(value.to_string())),
        scalar => read::scalar(scalar),
    };
    text.filter(|text| !text.trim().is_empty())
}

/// As [`raw`], for a text, a number or a boolean; objects and arrays are nothing.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    read::scalar(value).filter(|text| !text.trim().is_empty())
}

/// Takes a template apart.
fn parts(text: &str, names: Names) -> Result<Vec<Part>, Cow<'static, str>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        literal.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            literal.extend(from.chars().next());
            rest = after;
            continue;
        }
        let inner = from.strip_prefix('{').ok_or("has a `}` without `{`; a brace itself is written `}}`")?;
        let (inside, after) = inner.split_once('}').ok_or("has a `{` without `}`; a brace itself is written `{{`")?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(value(inside, names)?);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// What stands between braces: `path`, `path|path`, with `?` at the end where it may be missing.
fn value(inside: &str, names: Names) -> Result<Part, Cow<'static, str>> {
    let (paths, optional) = inside.strip_suffix('?').map_or((inside, false), |paths| (paths, true));
    let compile = |path: &str| names.path(path).map_err(|why| format!("{{{inside}}}: the path {path:?} {why}").into());
    let paths: Result<_, Cow<'static, str>> = paths.split('|').map(compile).collect();
    Ok(Part::Value { paths: paths?, optional })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(template: &str, body: &Value) -> Option<String> {
        let template = Template::compile(template, Names::Exact).unwrap_or_else(|why| panic!("{template}: {why}"));
        template.text(&[body]).map(Cow::into_owned)
    }

    #[test]
    fn the_first_path_what_may_be_missing_and_braces() {
        let body = json!({"a": "x", "n": 7, "o": {"k": [1]}, "blank": " ", "raw": "$NAME", "null": null});
        let cases = [
            ("a", Some("x")),
            ("{a}", Some("x")),
            ("{b|a}: {n}", Some("x: 7")),
            ("{blank|null|raw|a}", Some("x")),
            ("{a}/{b?}", Some("x/")),
            ("{a}/{b}", None),
            ("{b?}!", None),
            ("{{{a}}}", Some("{x}")),
            ("{o}", Some(r#"{"k":[1]}"#)),
            ("{o.k[0]}.", Some("1.")),
            ("b", None),
        ];
        for (template, expected) in cases {
            assert_eq!(text(template, &body).as_deref(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_said_so() {
        for (template, why) in [
            ("{a", "without `}`"),
            ("a}", "without `{`"),
            ("{{a}}", "names no field"),
            ("{}", "is empty"),
            ("{a||b}", "is empty"),
            ("{$..a..b}", "more than one"),
        ] {
            let problem = Template::compile(template, Names::Exact).map(|template| template.text).unwrap_err();
            assert!(problem.contains(why), "{template}: {problem}");
        }
    }

    #[test]
    fn values_of_a_key_cannot_run_into_each_other() {
        let template = Template::compile("{a}:{b?}", Names::Exact).unwrap();
        let key = |a: &str, b: &str| template.key(&json!({"a": a, "b": b}), false).map(Cow::into_owned);
        assert_eq!(key("db1", "disk").as_deref(), Some("db1:disk"));
        assert_eq!(key("db1", "").as_deref(), Some("db1:"));
        assert_ne!(key("a:b", "c"), key("a", "b:c"));
        assert_ne!(key("a\\", "b"), key("a", "\\b"));
        assert!(Template::compile("{a}{b}", Names::Exact).unwrap().runs_together());
    }

    proptest! {
        #[test]
        fn two_lists_of_values_never_make_one_key(
            one in proptest::collection::vec("[ab:\\\\/]{1,4}", 3), other in proptest::collection::vec("[ab:\\\\/]{1,4}", 3),
        ) {
            let template = Template::compile("{a}:{b}://{c}/", Names::Exact).unwrap();
            let key = |values: &[String]| template.key(&json!({"a": values[0], "b": values[1], "c": values[2]}), false).map(Cow::into_owned);
            prop_assert_eq!(one == other, key(&one) == key(&other));
        }
    }
}
