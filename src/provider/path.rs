//! Paths into a JSON document as a user writes them: `alert.title`, `$.alert.title`, `$.items[0]['a b']`, or any JSONPath
//! (RFC 9535) within limits of work.
//!
//! Owns compiling and evaluating. Plain paths are walked directly; only the others meet the JSONPath engine, and what the engine
//! may be asked is bounded when the path is compiled and again when it meets a document.

use std::borrow::Cow;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

mod limits;

/// Characters of a path.
pub const LENGTH_MAX: usize = 256;
/// Segments of a path.
pub const SEGMENTS_MAX: usize = 16;
/// What one evaluation may cost: values in the document times the length of its longest path, because the engine carries a path
/// with each value.
const COST_MAX: usize = 64 * 1024 * 1024;

/// A compiled path.
#[derive(Clone, Debug)]
pub struct Path {
    text: String,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Steps(Vec<Step>),
    Query(Box<JpQuery>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(i64),
}

impl Path {
    /// Compiles a path.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence: not a path, or outside the limits of work (at most one `..`, no functions but
    /// `length`, `count` and `value`, no `$` inside a filter, at most 256 characters and 16 segments).
    pub fn compile(text: &str) -> Result<Self, Cow<'static, str>> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty".into());
        }
        if text.chars().count() > LENGTH_MAX {
            return Err(format!("is longer than {LENGTH_MAX} characters").into());
        }
        let rooted = match text.chars().next() {
            Some('$') => Cow::Borrowed(text),
            Some('[') => Cow::Owned(format!("${text}")),
            _ => Cow::Owned(format!("$.{text}")),
        };
        let form = match steps(&rooted) {
            Some(steps) if steps.len() > SEGMENTS_MAX => return Err(limits::too_many_segments()),
            Some(steps) => Form::Steps(steps),
            None => Form::Query(Box::new(query(&rooted)?)),
        };
        Ok(Self { text: text.to_owned(), form })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first value that the path selects and that is not null.
    pub fn first<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        match &self.form {
            Form::Steps(steps) => walk(steps, document).or_else(|| self.literal(document)).filter(|value| !value.is_null()),
            Form::Query(query) => run(query, document).into_iter().map(|(value, _)| value).find(|value| !value.is_null()),
        }
    }

    /// Every value that the path selects, with its JSON pointer (empty where it cannot be told).
    pub fn all<'a>(&self, document: &'a Value) -> Vec<(&'a Value, String)> {
        match &self.form {
            Form::Steps(steps) => self.first(document).map(|value| (value, pointer(steps, document))).into_iter().collect(),
            Form::Query(query) => run(query, document)
                .into_iter()
                .map(|(value, path)| {
                    let pointer = steps(&path).map(|steps| pointer(&steps, document)).unwrap_or_default();
                    let right = document.pointer(&pointer).is_some_and(|found| std::ptr::eq(found, value));
                    (value, if right { pointer } else { String::new() })
                })
                .collect(),
        }
    }

    /// A dotted path may be the name of one member: form fields and flat templates have names such as `alert.title`.
    fn literal<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        if self.text.starts_with('$') || !self.text.contains('.') { None } else { document.get(&self.text) }
    }
}

fn walk<'a>(steps: &[Step], document: &'a Value) -> Option<&'a Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Name(name) => value.get(name),
        Step::Index(index) => value.as_array().and_then(|elements| elements.get(position(*index, elements.len())?)),
    })
}

/// Where `index` is in an array of `length`; a negative one counts from the end.
fn position(index: i64, length: usize) -> Option<usize> {
    let back = usize::try_from(index.unsigned_abs()).ok()?;
    if index < 0 { length.checked_sub(back) } else { Some(back) }
}

/// The JSON pointer (RFC 6901) of `steps`.
fn pointer(steps: &[Step], document: &Value) -> String {
    let mut pointer = String::new();
    let mut value = Some(document);
    for step in steps {
        pointer.push('/');
        match step {
            Step::Name(name) => {
                pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                value = value.and_then(|value| value.get(name));
            }
            Step::Index(index) => {
                let elements = value.and_then(Value::as_array);
                let place = elements.and_then(|elements| position(*index, elements.len()));
                pointer.push_str(&place.map_or_else(|| index.to_string(), |place| place.to_string()));
                value = place.and_then(|place| elements?.get(place));
            }
        }
    }
    pointer
}

/// Reads a path that only names members and elements; `None` for any other. Takes names that RFC 9535's short form does not
/// (`@timestamp`, `alert-id`), because tools use them.
fn steps(rooted: &str) -> Option<Vec<Step>> {
    let mut rest = rooted.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = if let Some(after) = rest.strip_prefix('.') { member(after)? } else { bracket(rest.strip_prefix('[')?)? };
        steps.push(step);
    }
    Some(steps)
}

fn member(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let odd = |c: char| c.is_whitespace() || c.is_control() || "]*?()'\",$&|<>=!\\".contains(c);
    (!name.is_empty() && !name.contains(odd)).then(|| (Step::Name(name.to_owned()), rest))
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (name, rest) = text.strip_prefix(quote)?.split_once(quote)?;
        let plain = !name.contains('\\');
        return plain.then_some(()).and_then(|()| Some((Step::Name(name.to_owned()), rest.strip_prefix(']')?)));
    }
    let (index, rest) = text.split_once(']')?;
    let canonical = index.parse::<i64>().ok().filter(|number| number.to_string() == index)?;
    Some((Step::Index(canonical), rest))
}

fn run<'a>(query: &JpQuery, document: &'a Value) -> Vec<(&'a Value, String)> {
    let mut values = 0;
    let longest = measure(document, &mut values);
    if values.saturating_mul(longest) > COST_MAX {
        return Vec::new();
    }
    js_path_process(query, document).unwrap_or_default().into_iter().map(|found| (found.val, found.path)).collect()
}

/// Counts the values of a document into `values`; the length of its longest path.
fn measure(value: &Value, values: &mut usize) -> usize {
    *values += 1;
    match value {
        Value::Array(elements) => 8 + elements.iter().map(|element| measure(element, values)).max().unwrap_or(0),
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + 4 + measure(member, values)).max().unwrap_or(0)
        }
        _ => 1,
    }
}

fn query(rooted: &str) -> Result<JpQuery, Cow<'static, str>> {
    let query = parse_json_path(rooted).map_err(|_| Cow::Borrowed("is not a JSONPath"))?;
    limits::check(rooted, &query)?;
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn first(path: &str, document: &Value) -> Value {
        Path::compile(path).unwrap_or_else(|why| panic!("{path}: {why}")).first(document).cloned().unwrap_or(Value::Null)
    }

    #[test]
    fn plain_paths_and_json_paths_say_the_same() {
        let body = json!({"alert": {"title": "x", "list": [{"a": 1}, {"a": 2}]}, "a b": 3, "@t": 4, "x-y": 5, "flat.name": 6});
        for path in ["alert.title", "$.alert.title", "$['alert']['title']", "$[\"alert\"].title", "$..title"] {
            assert_eq!(first(path, &body), "x", "{path}");
        }
        for (path, value) in
            [("alert.list[0].a", 1), ("alert.list[-1].a", 2), ("$['a b']", 3), ("@t", 4), ("x-y", 5), ("flat.name", 6)]
        {
            assert_eq!(first(path, &body), value, "{path}");
        }
        assert_eq!(first("$.alert.list[?@.a == 2].a", &body), 2);
        assert_eq!(first("$.alert.list[*].a", &body), 1, "the first of many");
        assert_eq!(first("$.alert.list[9].a", &body), Value::Null);
        assert_eq!(first("$", &body), body);
    }

    #[test]
    fn refused_when_they_are_compiled() {
        let cases = [
            ("", "is empty"),
            ("$.x.y z", "white space"),
            ("$.x['a b'].y z", "white space"),
            ("$..a..b", "more than one `..`"),
            ("$..*..*..*", "more than one `..`"),
            ("$..a[?@..b]", "more than one `..`"),
            ("$[?match(@.a, '.*')]", "function"),
            ("$[?search(@.a, 'x')]", "function"),
            ("$[?@.a in $.list]", "not a JSONPath"),
            ("$[?@.a == $.b]", "inside a filter"),
            ("$[?count($.items[*]) > 1]", "inside a filter"),
            ("$[*,*][*,*]", "several selectors"),
            ("$.", "not a JSONPath"),
            ("a..", "not a JSONPath"),
            ("$[", "not a JSONPath"),
            ("$.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", "segments"),
            ("$[*].b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", "segments"),
        ];
        for (path, why) in cases {
            let problem = Path::compile(path).map(|path| path.text).unwrap_err();
            assert!(problem.contains(why), "{path}: {problem}");
        }
        assert!(Path::compile(&"a".repeat(LENGTH_MAX)).is_ok());
        assert!(Path::compile(&"a".repeat(LENGTH_MAX + 1)).is_err());
        assert!(Path::compile(&"[".repeat(200)).is_err());
        assert!(Path::compile(&"$[?".repeat(80)).is_err());
    }

    #[test]
    fn pointers_lead_to_the_values() {
        let body = json!({"a/b": {"it's": [{"n": 1}, {"n": 2}]}});
        for path in ["$['a/b'][\"it's\"][1]", "$['a/b'].*[1]", "$['a/b'][\"it's\"][-1]"] {
            let found = Path::compile(path).unwrap();
            let (value, pointer) = found.all(&body).into_iter().next().unwrap();
            assert_eq!(value, &json!({"n": 2}), "{path}");
            assert!(pointer.is_empty() || body.pointer(&pointer) == Some(value), "{path}: {pointer}");
        }
        let all = Path::compile("$['a/b']['it\\'s'][*]").unwrap();
        assert_eq!(all.all(&body).len(), 2);
    }

    #[test]
    fn a_document_made_to_be_expensive_finds_nothing() {
        let mut deep = json!((0..20_000).collect::<Vec<_>>());
        for _ in 0..20 {
            deep = Value::Object(Map::from_iter([("k".repeat(1_000), deep)]));
        }
        assert!(Path::compile("$..x").unwrap().all(&deep).is_empty());
        assert_eq!(Path::compile("$..[0]").unwrap().first(&deep), None, "although there is one");
        assert_eq!(Path::compile("$[0:999999999999]").unwrap().all(&json!([1, 2])).len(), 2);
    }
}
