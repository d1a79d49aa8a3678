//! A compiled template, and a run of it.

use std::sync::Arc;

use gotmpl::parse::{BranchNode, Node, Parser};
use gotmpl::{MissingKey, TemplateError};

use super::function::Run;
use super::value::Bounded;
use super::view::View;
use super::{Body, Failure, Problem, RESULT_MAX, TOO_LARGE, instrument, splice};

/// Bytes of a template.
const SOURCE_MAX: usize = 64 * 1024;
/// `else if` and `else with` of a template: each stands in the one before, and the parser counts them as no depth.
const CHAINED_MAX: usize = 100;
/// Rounds of all loops of one run.
const ROUNDS_MAX: u64 = 10_000;
/// What the template itself is called among those that it defines; nobody can write it.
const MAIN: &str = "\u{1}main";

/// A template that can be run, by any number of threads at once.
#[derive(Clone)]
pub(super) struct Program(Arc<gotmpl::Template>);

impl Program {
    /// Compiles a template, and says whether it looks like one for JSON.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn compile(source: &str) -> Result<(Self, Body), Problem> {
        if source.len() > SOURCE_MAX {
            return Err(Problem::of(format!("it is longer than {} KiB: shorten it", SOURCE_MAX / 1024)));
        }
        if chained(source) > CHAINED_MAX {
            return Err(Problem::of(format!("it holds more than {CHAINED_MAX} of `else if` and `else with`: shorten it")));
        }
        let parsed = Parser::new(source, "{{", "}}").and_then(Parser::parse);
        let (mut body, mut defines) = parsed.map_err(syntax)?;
        balanced(source)?;
        let looks = if instrument::begins_json(&body, &defines) { Body::Json } else { Body::Text };
        instrument::instrument(&mut body, &mut defines)?;
        let bare = gotmpl::Template::new("").missing_key(MissingKey::Error).max_range_iters(ROUNDS_MAX);
        let defined = defines.into_iter().fold(bare, |template, define| template.add_parse_tree(&define.name, define.body));
        Ok((Self(Arc::new(defined.add_parse_tree(MAIN, body))), looks))
    }

    /// Runs it.
    ///
    /// # Errors
    /// What stopped it, and where.
    pub(super) fn run(&self, view: View, body: Body) -> Result<String, Failure> {
        let run = Run::new(body, view.written);
        // The trees are shared, not copied.
        let template = gotmpl::Template::clone(&self.0).funcs(run.functions());
        let mut out = Bounded::new(RESULT_MAX);
        template.execute_template_fmt(&mut out, MAIN, &view.root).map_err(|error| failure(&error, run.line()))?;
        match body {
            Body::Json => splice::splice(&out.into_text(), &run.pieces()),
            Body::Text => Ok(out.into_text()),
        }
    }
}

/// That every block has its end and every end its block: the parser stops at one too many, and drops the rest; one that is missing it
/// takes to be at the end. So what is put after the whole must come out after the whole.
fn balanced(source: &str) -> Result<(), Problem> {
    let after = format!("{source}\n{{{{ nil }}}}");
    let (body, _) = Parser::new(&after, "{{", "}}").and_then(Parser::parse).map_err(syntax)?;
    let lines = source.split('\n').count();
    let last = body.nodes.last();
    if matches!(last, Some(Node::Action(action)) if action.pos.line > lines) {
        return Ok(());
    }
    match last {
        Some(Node::If(block) | Node::With(block) | Node::Range(block)) if reaches(block, lines) => {
            Err(Problem::at(block.pos.line, "this block has no {{ end }}"))
        }
        _ => Err(Problem::of(
            "there is an {{ end }} or {{ else }} that belongs to nothing, or a {{ define }} without its {{ end }}",
        )),
    }
}

/// Whether a block goes on after this line.
fn reaches(block: &BranchNode, line: usize) -> bool {
    let last = block.else_body.as_ref().unwrap_or(&block.body).nodes.last();
    match last {
        Some(Node::Action(action)) => action.pos.line > line,
        Some(Node::If(block) | Node::With(block) | Node::Range(block)) => reaches(block, line),
        _ => false,
    }
}

/// How often `else` is followed by `if` or `with`, wherever that stands.
fn chained(source: &str) -> usize {
    let after_each = source.split("else").skip(1).map(str::trim_start);
    after_each.filter(|after| after.starts_with("if") || after.starts_with("with")).count()
}

fn syntax(error: TemplateError) -> Problem {
    match error {
        // Where it is nested too deeply the parser does not say.
        TemplateError::Parse { line, message, .. } | TemplateError::Lex { line, message, .. } => {
            Problem { line: Some(line).filter(|line| *line > 0), message }
        }
        other => Problem::of(other.to_string()),
    }
}

fn failure(error: &TemplateError, line: usize) -> Failure {
    let message = match error {
        TemplateError::Write => return Failure { line: Some(line), ..Failure::too_large() },
        TemplateError::Exec(why) if why == TOO_LARGE => return Failure { line: Some(line), ..Failure::too_large() },
        TemplateError::Exec(why) => why.clone(),
        TemplateError::MissingKey { key } => {
            format!(
                "there is no field {key:?} there: write get for one that is not always there, {{{{ get .incident.custom_details {key:?} }}}}"
            )
        }
        TemplateError::RangeIterLimit => format!("it loops more than {ROUNDS_MAX} times"),
        TemplateError::RecursionLimit => {
            "its templates call each other, or its blocks stand in each other, too deeply".to_owned()
        }
        other => other.to_string(),
    };
    Failure::at(line, message)
}
