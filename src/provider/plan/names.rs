//! How the names of a body's members are compared: as they stand, or by their letters and digits alone. Tools whose body is a
//! template of the user's spell one name in many ways (`HOSTNAME`, `host_name`, `hostName`).

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::provider::path::Path;

/// How names are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Names {
    /// As they stand.
    #[default]
    Exact,
    /// Letters and digits count, their case does not.
    Loose,
}

impl Names {
    /// Compiles a path. A loose one is made of names with dots between them, and of elements of lists: `targets[0].name`.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub(super) fn path(self, text: &str) -> Result<Path, Cow<'static, str>> {
        if self == Self::Exact {
            return Path::compile(text);
        }
        let step = |text: &str| {
            let (name, places) = text.split_at(text.find('[').unwrap_or(text.len()));
            format!("{}{places}", loose(name))
        };
        let names: Vec<String> = text.split('.').map(step).collect();
        let nameless = |name: &String| name.is_empty() || name.starts_with('[');
        if text.contains(['$', '*', '\'', '"']) || (names.len() > 1 && names.iter().any(nameless)) {
            return Err("must be names with dots between them, because `names` is \"loose\"".into());
        }
        Path::compile(&names.join("."))
    }

    /// The body as paths see it. Of members whose names are the same the first that is not null counts.
    pub(super) fn seen(self, body: &Value) -> Cow<'_, Value> {
        match self {
            Self::Exact => Cow::Borrowed(body),
            Self::Loose => Cow::Owned(loosened(body)),
        }
    }
}

/// A name by its letters and digits.
pub(super) fn loose(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn loosened(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out = Map::new();
            for (name, member) in members.iter().filter(|(_, member)| !member.is_null()) {
                out.entry(loose(name)).or_insert_with(|| loosened(member));
            }
            Value::Object(out)
        }
        Value::Array(elements) => Value::Array(elements.iter().map(loosened).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spellings_of_one_name_are_one() {
        let path = Names::Loose.path("host.display_name").unwrap();
        for body in [json!({"HOST": {"displayName": 1}}), json!({"h-o-s-t": {"display name": 1}})] {
            assert_eq!(path.first(&Names::Loose.seen(&body)), Some(&json!(1)), "{body}");
        }
        let path = Names::Loose.path("Targets[0].display_name").unwrap();
        assert_eq!(path.first(&Names::Loose.seen(&json!({"targets": [{"displayName": 1}]}))), Some(&json!(1)));
        assert!(Names::Loose.path("$.a").is_err() && Names::Loose.path("a..b").is_err() && Names::Loose.path("_").is_err());
        assert!(Names::Exact.path("$.a").is_ok());
    }
}
