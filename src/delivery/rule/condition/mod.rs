//! What must hold besides: an expression in CEL (<https://github.com/google/cel-spec/blob/master/doc/langdef.md>) over the event.
//!
//! The crate `cel` parses and evaluates. It knows no budget (<https://github.com/cel-rust/cel-rust/issues/56>), so one is kept here:
//! [`check`] refuses at save what could be large whatever the event, and [`work`] bounds, before each evaluation, what an expression
//! can cost on this very event. What would cost too much is not begun. An evaluation can thus not be interrupted, and need not be.

mod check;
mod facts;
mod pattern;
mod work;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::parser::PrattParser;
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

pub use facts::Facts;
use pattern::Pattern;

use crate::event::clip;

/// Characters that a condition may have.
pub(super) const LENGTH_MAX: usize = 2_000;
/// Characters of an error that are told.
const ERROR_MAX: usize = 200;
/// How deep brackets may be nested.
const NESTING_MAX: u16 = 12;

/// The functions of CEL, and those on texts that most implementations add (`lowerAscii`, `upperAscii`, `trim`).
static LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // It fails where a function is there already, and then the condition that asks for it fails, and says so.
    let _ = env.add_extension(cel::extensions::strings);
    Arc::new(env)
});

/// A condition, ready to be evaluated.
#[derive(Clone)]
pub struct Condition {
    source: String,
    /// What is evaluated, or why nothing can be.
    program: Result<Arc<Program>, String>,
}

/// A parsed and checked expression.
struct Program {
    expr: IdedExpr,
    /// The parts of an event that it looks at.
    needs: facts::Needs,
    /// The patterns that it compares with, by their text.
    patterns: Arc<HashMap<String, Pattern>>,
}

impl Condition {
    /// Of its text.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence each.
    pub fn new(source: &str) -> Result<Self, Vec<String>> {
        if source.chars().count() > LENGTH_MAX {
            return Err(vec![format!("must have at most {LENGTH_MAX} characters")]);
        }
        let expr = parse(source).map_err(|problem| vec![problem])?;
        let checked = check::check(&expr)?;
        let program = Program { needs: facts::Needs::of(&expr), patterns: Arc::new(checked), expr };
        Ok(Self { source: source.to_owned(), program: Ok(Arc::new(program)) })
    }

    /// One that is not understood, and why: whoever evaluates it is told that.
    pub fn broken(source: &str, why: impl Into<String>) -> Self {
        Self { source: source.to_owned(), program: Err(why.into()) }
    }

    /// Its text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// It cannot be evaluated on this event; why, in a sentence.
    pub fn holds(&self, facts: &Facts) -> Result<bool, String> {
        let program = self.program.as_ref().map_err(Clone::clone)?;
        // The evaluator has places that panic where they think that nobody comes.
        catch_unwind(AssertUnwindSafe(|| program.run(facts))).unwrap_or_else(|_| Err("the evaluator failed".to_owned()))
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

impl Program {
    fn run(&self, facts: &Facts) -> Result<bool, String> {
        let input = facts.select(&self.needs)?;
        if work::of(&self.expr, &input.sizes, &self.patterns) > work::MAX {
            return Err("the event is too large for it".to_owned());
        }
        let mut context = Context::with_env(Arc::clone(&LIBRARY));
        for (name, value) in input.variables {
            context.add_variable_as_val(name, value);
        }
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| match patterns.get(pattern.as_str()) {
            Some(pattern) => Ok(pattern.regex.is_match(&text)),
            None => Err(ExecutionError::function_error("matches", "the pattern must be a literal text")),
        };
        context.add_function("matches", matches).map_err(|error| error.to_string())?;
        match Value::resolve(&self.expr, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gave a value of type {}, neither true nor false", other.type_of())),
            Err(error) => Err(clip(&error.to_string(), ERROR_MAX).into_owned()),
        }
    }
}

/// Parses `source`. The parser counts brackets; how deep an expression is that needs none is seen by [`check`].
fn parse(source: &str) -> Result<IdedExpr, String> {
    PrattParser::new().max_recursion_depth(NESTING_MAX).parse(source).map_err(|errors| match errors.errors.first() {
        Some(error) if error.msg.contains("recursion limit") => format!("is nested too deep; at most {NESTING_MAX} brackets"),
        Some(error) => format!("is not CEL (line {}, column {}): {}", error.pos.0, error.pos.1, clip(&error.msg, ERROR_MAX)),
        None => "is not CEL".to_owned(),
    })
}
