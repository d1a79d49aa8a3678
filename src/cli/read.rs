//! Reading the API's answers for print. Lenient: a field that is missing is empty, a field that is new is left to `--output json`.

use serde_json::Value;

use super::output::Output;
use super::terminal;

/// The field `name` (dots go down: `service.name`) as text: empty when missing or null, `yes`/`no` for booleans, compact JSON for
/// arrays and objects.
pub fn text(value: &Value, name: &str) -> String {
    at(value, name).map(plain).unwrap_or_default()
}

/// The first of `names` that is present and not empty.
pub fn first(value: &Value, names: &[&str]) -> String {
    names.iter().map(|name| text(value, name)).find(|text| !text.is_empty()).unwrap_or_default()
}

/// The field as a time in the zone of `out`.
pub fn time(value: &Value, name: &str, out: &Output) -> String {
    out.time(&text(value, name))
}

/// The field cut to `columns`, for a cell of a table.
pub fn cell(value: &Value, name: &str, columns: usize) -> String {
    terminal::clip(&terminal::line(&text(value, name)), columns)
}

/// The elements of the array `name`; none when it is missing.
pub fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    at(value, name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The rows of a list answer.
pub fn items(answer: &Value) -> &[Value] {
    array(answer, "items")
}

/// One value as text.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::Array(list) if list.iter().all(Value::is_string) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    }
}

fn at<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(value, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_as_text() {
        let value = json!({"a": {"b": 7}, "s": "x", "n": null, "t": true, "l": ["x", "y"], "o": {"k": [1]}, "e": {}});
        let cases = [
            ("a.b", "7"),
            ("s", "x"),
            ("n", ""),
            ("missing.too", ""),
            ("t", "yes"),
            ("l", "x, y"),
            ("o", r#"{"k":[1]}"#),
            ("e", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(text(&value, name), expected, "{name}");
        }
        assert_eq!(first(&value, &["n", "missing", "s"]), "x");
        assert!(array(&value, "s").is_empty());
    }
}
