//! The functions of one run: ours, and the measures that [`instrument`](super::instrument) put into the tree.
//!
//! A run has an amount of work. Each statement and each command costs one, and what a command made costs by its length: that bounds time
//! and memory whatever a template does, with no clock.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gotmpl::{FuncMap, TemplateError, Value};

use super::splice::{Kept, Piece};
use super::value::{self, Written};
use super::{Body, TOO_LARGE, VALUE_MAX, instrument, splice};

/// The work of one run.
const WORK: usize = 50_000;
/// Bytes of a text, or elements of a list, that cost as much as a command.
const UNIT: usize = 32;
/// Verbs in the format of a `printf`: each may fill 64 KiB.
const VERBS_MAX: usize = 32;

/// One run of a template.
pub(super) struct Run {
    body: Body,
    written: Written,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    line: usize,
    work: usize,
    pieces: Vec<Piece>,
    /// The texts that `json` made, by their addresses; held, so that no other text gets one of these.
    json: HashMap<usize, Arc<str>>,
}

type Returned = gotmpl::Result<Value>;

impl Run {
    /// A run over values that are written as JSON in these ways.
    pub(super) fn new(body: Body, written: Written) -> Arc<Self> {
        Arc::new(Self { body, written, state: Mutex::default() })
    }

    /// The functions, for the engine.
    pub(super) fn functions(self: &Arc<Self>) -> FuncMap {
        let mut functions = FuncMap::new();
        let mut add = |name: &str, function: fn(&Self, &[Value]) -> Returned| {
            let run = Arc::clone(self);
            functions.insert(name.to_owned(), Arc::new(move |arguments: &[Value]| function(&run, arguments)));
        };
        add(instrument::AT, Self::at);
        add(instrument::METER, Self::meter);
        add(instrument::FORMAT, Self::format);
        add("json", Self::json);
        add("get", |_, arguments| get(arguments));
        if self.body == Body::Json {
            add(instrument::OUT, Self::set_aside);
            add("js", Self::js);
        } else {
            add(instrument::OUT, Self::show);
        }
        functions
    }

    /// The line that was last begun.
    pub(super) fn line(&self) -> usize {
        self.state().line
    }

    /// What was set aside, in the order of the marks.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        std::mem::take(&mut self.state().pieces)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at(&self, arguments: &[Value]) -> Returned {
        let line = arguments.first().and_then(Value::as_int).unwrap_or_default();
        self.state().line = usize::try_from(line).unwrap_or_default();
        self.spend(1)?;
        Ok(Value::Nil)
    }

    fn meter(&self, arguments: &[Value]) -> Returned {
        let made = one("a command", arguments)?;
        let size = match made {
            Value::String(text) if text.len() > VALUE_MAX => return Err(too_large()),
            Value::String(text) => text.len(),
            Value::List(items) => items.len(),
            _ => 0,
        };
        self.spend(1 + size / UNIT)?;
        Ok(made.clone())
    }

    fn spend(&self, cost: usize) -> gotmpl::Result<()> {
        let mut state = self.state();
        state.work = state.work.saturating_add(cost);
        if state.work > WORK { Err(error("it does too much: loop over less, and build shorter texts")) } else { Ok(()) }
    }

    fn format(&self, arguments: &[Value]) -> Returned {
        let format = one("printf", arguments)?;
        if format.as_str().is_some_and(|text| text.matches('%').count() > VERBS_MAX) {
            return Err(error("the format of a printf holds more than 32 verbs"));
        }
        Ok(format.clone())
    }

    fn json(&self, arguments: &[Value]) -> Returned {
        let json: Arc<str> = value::json(one("json", arguments)?, &self.written, VALUE_MAX).ok_or_else(too_large)?.into();
        self.spend(json.len() / UNIT)?;
        self.state().json.insert(address(&json), Arc::clone(&json));
        Ok(Value::String(json))
    }

    /// In JSON every value is escaped where it is put in, so escaping it before would do it twice.
    fn js(&self, arguments: &[Value]) -> Returned {
        self.text(one("js", arguments)?).map(Value::String)
    }

    /// Sets a value aside, and puts its mark out.
    fn set_aside(&self, arguments: &[Value]) -> Returned {
        let value = one("a statement", arguments)?;
        let kept = match value {
            Value::Nil => Kept::Nothing,
            Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => Kept::Json(value.to_string().into()),
            Value::String(text) if self.state().json.contains_key(&address(text)) => Kept::Json(Arc::clone(text)),
            _ => Kept::Text(self.text(value)?),
        };
        let mut state = self.state();
        let line = state.line;
        state.pieces.push(Piece { line, value: kept });
        Ok(Value::String(splice::mark(state.pieces.len() - 1).into()))
    }

    fn show(&self, arguments: &[Value]) -> Returned {
        self.text(one("a statement", arguments)?).map(Value::String)
    }

    /// A value as it is put out: nothing is an empty text, and what is one text in JSON is that text.
    fn text(&self, value: &Value) -> gotmpl::Result<Arc<str>> {
        match value {
            Value::Nil => return Ok("".into()),
            Value::String(text) => return Ok(Arc::clone(text)),
            _ => {}
        }
        if let Some(text) = self.written.text(value) {
            return Ok(text.into());
        }
        let mut shown = value::Bounded::new(VALUE_MAX);
        write!(shown, "{value}").map_err(|_| too_large())?;
        let shown = shown.into_text();
        self.spend(shown.len() / UNIT)?;
        Ok(shown.into())
    }
}

/// What is at the end of a path of names and numbers; nothing where the path breaks off.
fn get(arguments: &[Value]) -> Returned {
    let Some((value, path)) = arguments.split_first().filter(|(_, path)| !path.is_empty()) else {
        return Err(error("get takes a value and at least one name: {{ get .incident.custom_details \"region\" }}"));
    };
    let step = |value: Value, name: &Value| match (&value, name) {
        (Value::Map(_), Value::String(name)) => value.field(name).cloned().unwrap_or(Value::Nil),
        (Value::List(_), Value::Int(_) | Value::Uint(_)) => value.index(name).unwrap_or(Value::Nil),
        _ => Value::Nil,
    };
    Ok(path.iter().fold(value.clone(), step))
}

fn one<'a>(name: &str, arguments: &'a [Value]) -> gotmpl::Result<&'a Value> {
    match arguments {
        [value] => Ok(value),
        _ => Err(error(&format!("{name} takes one value"))),
    }
}

fn address(text: &Arc<str>) -> usize {
    Arc::as_ptr(text).cast::<u8>() as usize
}

fn too_large() -> TemplateError {
    error(TOO_LARGE)
}

fn error(why: &str) -> TemplateError {
    TemplateError::Exec(why.to_owned())
}
