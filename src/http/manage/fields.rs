//! Reading JSON bodies: every problem at once, unknown fields included.

use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::{FromRequest, HttpRequest, web};
use serde_json::{Map, Value};

use super::{BODY_MAX, unknown};
use crate::duration;
use crate::error::{ApiError, Problem};
use crate::time::Timestamp;

/// For how long a body may be on its way.
const DEADLINE: Duration = Duration::from_secs(10);

/// The fields of a JSON object, taken one by one; whatever is left at the end is unknown. Each reader returns `None` where the
/// field is absent or wrong, and `Some(None)` where it is null.
pub struct Fields {
    map: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl Fields {
    /// Reads the body of a request; after the caller's right to send it is settled.
    ///
    /// # Errors
    /// It is too large, too slow, encoded, or not a JSON object.
    pub async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Self, ApiError> {
        let encoded = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        if encoded {
            return Err(ApiError::UnsupportedEncoding);
        }
        let mut payload = payload.into_inner();
        let bytes = match tokio::time::timeout(DEADLINE, web::Bytes::from_request(request, &mut payload)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return Err(unread(&error)),
            Err(_) => return Err(ApiError::Timeout),
        };
        Self::parse(&bytes)
    }

    /// Of a body that is already read.
    ///
    /// # Errors
    /// It is not a JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self::of(map)),
            Ok(_) => Err(ApiError::BadRequest("the body must be a JSON object".into())),
            Err(_) if bytes.is_empty() => Err(ApiError::BadRequest("the body is empty; a JSON object is needed".into())),
            Err(error) => {
                Err(ApiError::BadRequest(format!("the body is not JSON (line {}, column {})", error.line(), error.column())))
            }
        }
    }

    /// Of an object that is already read.
    pub fn of(map: Map<String, Value>) -> Self {
        Self { map, known: Vec::new(), problems: Vec::new() }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name)
    }

    /// Notes that a field is wrong.
    pub fn problem(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.problems.push(Problem::new(field, problem));
    }

    /// Reads a field with `read`, which says what it must be where it is not.
    fn with<T>(
        &mut self,
        name: &'static str,
        must: impl Into<String>,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => match read(value) {
                Some(value) => Some(Some(value)),
                None => {
                    self.problem(name, must);
                    None
                }
            },
        }
    }

    /// A text of 1 to `max` characters, not blank, without control characters.
    pub fn text(&mut self, name: &'static str, max: usize) -> Option<Option<String>> {
        self.with(name, format!("must be a text of 1 to {max} characters, not blank, without control characters"), |value| {
            let Value::String(text) = value else { return None };
            let good = !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
            good.then_some(text)
        })
    }

    /// A whole number in `range`.
    pub fn integer(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Option<Option<i64>> {
        let must = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.with(name, must, |value| value.as_i64().filter(|number| range.contains(number)))
    }

    /// True or false.
    pub fn boolean(&mut self, name: &'static str) -> Option<Option<bool>> {
        self.with(name, "must be true or false", |value| value.as_bool())
    }

    /// A duration in seconds, at most `max`; 0 for `off`.
    pub fn duration(&mut self, name: &'static str, max: i64) -> Option<Option<i64>> {
        let must =
            format!("must be a duration like \"90s\", \"5m\", \"24h\" or \"7d\", at most {}, or \"off\"", duration::print(max));
        self.with(name, must, |value| {
            value
                .as_str()?
                .parse::<duration::Span>()
                .ok()
                .map(duration::Span::seconds)
                .filter(|seconds| (0..=max).contains(seconds))
        })
    }

    /// A time in the future.
    pub fn future(&mut self, name: &'static str, now: Timestamp) -> Option<Option<Timestamp>> {
        self.with(name, "must be an RFC 3339 time with offset, in the future", |value| {
            let parsed = Timestamp::parse(value.as_str()?).filter(|parsed| parsed.has_offset)?;
            (parsed.at > now).then_some(parsed.at)
        })
    }

    /// A moment.
    pub fn time(&mut self, name: &'static str) -> Option<Option<Timestamp>> {
        self.with(name, "must be an RFC 3339 time", |value| Some(Timestamp::parse(value.as_str()?)?.at))
    }

    /// Any JSON value but null.
    pub fn raw(&mut self, name: &'static str) -> Option<Value> {
        self.take(name).filter(|value| !value.is_null())
    }

    /// A JSON object.
    pub fn object(&mut self, name: &'static str) -> Option<Option<Value>> {
        self.with(name, "must be an object", |value| value.is_object().then_some(value))
    }

    /// One of `words`.
    pub fn word<T>(&mut self, name: &'static str, words: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        self.with(name, format!("must be one of {}", words.join(", ")), |value| parse(value.as_str()?))
    }

    /// An array of `words`, at least one.
    pub fn words<T>(&mut self, name: &'static str, words: &[&str], parse: impl Fn(&str) -> Option<T>) -> Option<Option<Vec<T>>> {
        self.with(name, format!("must be an array of at least one of {}", words.join(", ")), |value| {
            let all: Option<Vec<T>> = value.as_array()?.iter().map(|word| parse(word.as_str()?)).collect();
            all.filter(|words| !words.is_empty())
        })
    }

    /// Demands a field: absent and null are problems.
    pub fn required<T>(&mut self, name: &'static str, value: Option<Option<T>>) -> Option<T> {
        let value = value.flatten();
        if value.is_none() && !self.problems.iter().any(|problem| problem.field == name) {
            self.problem(name, "is required");
        }
        value
    }

    /// Refuses fields that exist and cannot be set, in their own words.
    pub fn read_only(&mut self, names: &[&str]) {
        for name in names {
            if self.map.remove(*name).is_some() {
                self.problem(*name, "cannot be changed");
            }
        }
    }

    /// Everything that nobody took, for a reader of its own.
    ///
    /// # Errors
    /// Every problem found so far.
    pub fn rest(self) -> Result<Map<String, Value>, ApiError> {
        if self.problems.is_empty() { Ok(self.map) } else { Err(ApiError::Invalid(self.problems)) }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every problem found, fields that nobody took among them.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let left: Vec<String> = self.map.keys().cloned().collect();
        for name in left {
            let problem = unknown("unknown field", &name, &self.known);
            self.problem(name, problem);
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.problems)) }
    }
}

fn unread(error: &actix_web::Error) -> ApiError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => ApiError::TooLarge(BODY_MAX),
        _ if error.as_response_error().status_code() == 413 => ApiError::TooLarge(BODY_MAX),
        _ => ApiError::BadRequest("the body did not arrive whole".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::of(map),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut fields = fields(json!({"name": "", "rate": "x", "ratee": 1, "wait": "5 m", "gone": null}));
        let name = fields.text("name", 3);
        assert_eq!(fields.required("name", name), None);
        assert_eq!(fields.integer("rate", 0..=5), None);
        assert_eq!(fields.duration("wait", 600), None);
        assert_eq!(fields.boolean("gone"), Some(None));
        assert_eq!(fields.boolean("absent"), None);
        let need = fields.boolean("need");
        fields.required("need", need);
        let Err(ApiError::Invalid(problems)) = fields.finish() else { panic!() };
        let told: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(told, ["name", "rate", "wait", "need", "ratee"]);
        assert!(problems[4].problem.contains("did you mean `rate`"), "{problems:?}");
    }
}
