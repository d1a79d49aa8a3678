//! What happens to a template's syntax tree before it ever runs: names are checked, and measures are put in.
//!
//! Go finds unknown functions, variables and templates when it parses; gotmpl only when it comes across them, which for a page is too
//! late. And gotmpl bounds loops and depth, but neither the length of a text (28 rounds of doubling are 512 MiB) nor how often templates
//! call each other. So every statement is preceded by [`AT`], every command followed by [`METER`], every output by [`OUT`]: functions
//! whose names nobody can write. They count the work, know the line, and are where each value that is put out passes.

use std::collections::HashSet;

use gotmpl::parse::{ActionNode, BranchNode, CommandNode, DefineNode, Expr, ListNode, Node, Number, PipeNode, Pos, SmolStr};

use super::Problem;

/// Notes the line that is next.
pub(super) const AT: &str = "\u{1}at";
/// Counts the work of a command, and bounds what came of it.
pub(super) const METER: &str = "\u{1}meter";
/// Bounds the format of a `printf`.
pub(super) const FORMAT: &str = "\u{1}format";
/// Puts a value out.
pub(super) const OUT: &str = "\u{1}out";

/// Arguments of one command: each may be as long as a value may, and all are in memory at once.
const ARGUMENTS_MAX: usize = 16;
/// Go's functions, and ours.
pub(super) const FUNCTIONS: [&str; 21] = [
    "and", "call", "eq", "ge", "get", "gt", "html", "index", "js", "json", "le", "len", "lt", "ne", "not", "or", "print",
    "printf", "println", "slice", "urlquery",
];

/// Checks a template and puts the measures in.
///
/// # Errors
/// The first name that nothing is known by, or a command that is too long; with its line.
pub(super) fn instrument(body: &mut ListNode, defines: &mut [DefineNode]) -> Result<(), Problem> {
    let mut templates = HashSet::new();
    for define in defines.iter() {
        if !templates.insert(define.name.clone()) {
            return Err(Problem::at(define.pos.line, format!("the template {:?} is defined twice", define.name)));
        }
    }
    let mut walk = Walk { templates, variables: vec![DOLLAR], loops: 0 };
    walk.list(body)?;
    for define in defines {
        walk.variables = vec![DOLLAR];
        walk.list(&mut define.body)?;
    }
    Ok(())
}

const DOLLAR: SmolStr = SmolStr::new_static("$");

struct Walk {
    templates: HashSet<SmolStr>,
    /// Those that are declared, the innermost last.
    variables: Vec<SmolStr>,
    /// Loops around the place.
    loops: usize,
}

impl Walk {
    fn list(&mut self, list: &mut ListNode) -> Result<(), Problem> {
        let mut nodes = Vec::with_capacity(list.nodes.len() * 2);
        for mut node in std::mem::take(&mut list.nodes) {
            if let Some(pos) = self.node(&mut node)? {
                nodes.push(at(pos));
            }
            nodes.push(node);
        }
        list.nodes = nodes;
        Ok(())
    }

    /// The place of a statement; `None` for what cannot fail.
    fn node(&mut self, node: &mut Node) -> Result<Option<Pos>, Problem> {
        match node {
            Node::Text(text) if text.text.contains(super::splice::MARKS) => {
                return Err(Problem::at(text.pos.line, "the text holds a control character: take it out"));
            }
            Node::Break(pos) | Node::Continue(pos) if self.loops == 0 => {
                return Err(Problem::at(pos.line, "a break or continue stands outside every range"));
            }
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => return Ok(None),
            Node::List(list) => self.list(list)?,
            Node::Define(define) => self.list(&mut define.body)?,
            Node::Action(action) => {
                self.pipe(&mut action.pipe)?;
                if action.pipe.decl.is_empty() {
                    action.pipe.commands.push(call(action.pos, OUT));
                }
                return Ok(Some(action.pos));
            }
            Node::If(branch) | Node::With(branch) => return self.branch(branch, 0),
            Node::Range(branch) => return self.branch(branch, 1),
            Node::Template(template) => {
                if !self.templates.contains(&template.name) {
                    return Err(Problem::at(template.pos.line, format!("there is no template {:?}", template.name)));
                }
                let pos = template.pos;
                let dot = || CommandNode { pos, args: vec![Expr::Dot(pos)] };
                let given = template.pipe.get_or_insert_with(|| PipeNode {
                    pos,
                    decl: Vec::new(),
                    commands: vec![dot()],
                    is_assign: false,
                });
                self.pipe(given)?;
                return Ok(Some(pos));
            }
        }
        Ok(None)
    }

    fn branch(&mut self, branch: &mut BranchNode, loops: usize) -> Result<Option<Pos>, Problem> {
        let outside = self.variables.len();
        self.pipe(&mut branch.pipe)?;
        let inside = self.variables.len();
        self.loops += loops;
        self.list(&mut branch.body)?;
        self.loops -= loops;
        self.variables.truncate(inside);
        if let Some(otherwise) = &mut branch.else_body {
            self.list(otherwise)?;
        }
        self.variables.truncate(outside);
        Ok(Some(branch.pos))
    }

    fn pipe(&mut self, pipe: &mut PipeNode) -> Result<(), Problem> {
        let mut commands = Vec::with_capacity(pipe.commands.len() * 2);
        for mut command in std::mem::take(&mut pipe.commands) {
            let pos = command.pos;
            if self.command(&mut command)? && !commands.is_empty() {
                commands.push(call(pos, FORMAT));
            }
            commands.push(command);
            commands.push(call(pos, METER));
        }
        pipe.commands = commands;
        if pipe.is_assign {
            for name in &pipe.decl {
                self.known(name, pipe.pos)?;
            }
        } else {
            self.variables.extend(pipe.decl.iter().cloned());
        }
        Ok(())
    }

    /// Whether it is a `printf` that is piped its format.
    fn command(&mut self, command: &mut CommandNode) -> Result<bool, Problem> {
        if command.args.len() > ARGUMENTS_MAX + 1 {
            return Err(Problem::at(command.pos.line, format!("a function is given more than {ARGUMENTS_MAX} arguments")));
        }
        for argument in &mut command.args {
            self.expression(argument)?;
        }
        if command.args.first().and_then(function) != Some("printf") {
            return Ok(false);
        }
        let Some(format) = command.args.get_mut(1) else { return Ok(true) };
        let pos = format.pos();
        let given = std::mem::replace(format, Expr::Dot(pos));
        let commands = vec![CommandNode { pos, args: vec![given] }, call(pos, FORMAT)];
        *format = Expr::Pipe(pos, PipeNode { pos, decl: Vec::new(), commands, is_assign: false });
        Ok(false)
    }

    fn expression(&mut self, expression: &mut Expr) -> Result<(), Problem> {
        match expression {
            Expr::Variable(pos, name, _) => self.known(name, *pos),
            Expr::Identifier(pos, name) if !FUNCTIONS.contains(&name.as_str()) => {
                Err(Problem::at(pos.line, format!("there is no function {name:?}")))
            }
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(_, inner, _) => self.expression(inner),
            Expr::Dot(_)
            | Expr::Field(..)
            | Expr::Identifier(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_) => Ok(()),
        }
    }

    fn known(&self, name: &SmolStr, pos: Pos) -> Result<(), Problem> {
        if self.variables.contains(name) {
            return Ok(());
        }
        Err(Problem::at(pos.line, format!("there is no variable {name}: declare it with {name} := …")))
    }
}

/// The function that a command calls.
fn function(first: &Expr) -> Option<&str> {
    match first {
        Expr::Identifier(_, name) => Some(name),
        Expr::Chain(_, inner, _) => function(inner),
        _ => None,
    }
}

fn call(pos: Pos, name: &'static str) -> CommandNode {
    CommandNode { pos, args: vec![Expr::Identifier(pos, SmolStr::new_static(name))] }
}

/// A statement that notes its line: declared to a variable, so that nothing is put out.
fn at(pos: Pos) -> Node {
    let mut note = call(pos, AT);
    note.args.push(Expr::Number(pos, Number::Int(i64::try_from(pos.line).unwrap_or(i64::MAX))));
    let pipe = PipeNode { pos, decl: vec![SmolStr::new_static(AT)], commands: vec![note], is_assign: false };
    Node::Action(ActionNode { pos, pipe })
}

/// Whether a template's result begins as JSON does, as far as can be seen without running it.
pub(super) fn begins_json(body: &ListNode, defines: &[DefineNode]) -> bool {
    first_of(body, defines, false, 0) == Some(First::Json)
}

#[derive(PartialEq, Eq)]
enum First {
    Json,
    Text,
    /// An opening bracket, and nothing after it yet.
    Bracket,
}

fn first_of(list: &ListNode, defines: &[DefineNode], mut bracket: bool, depth: usize) -> Option<First> {
    for node in &list.nodes {
        let found = match node {
            Node::Text(text) => first_of_text(&text.text, bracket),
            Node::Action(action) if action.pipe.decl.is_empty() => {
                let last = action.pipe.commands.last().and_then(|command| command.args.first()).and_then(function);
                Some(if last == Some("json") { First::Json } else { First::Text })
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => first_of(&branch.body, defines, bracket, depth),
            Node::Template(template) if depth < 8 => {
                let called = defines.iter().find(|define| define.name == template.name);
                called.and_then(|define| first_of(&define.body, defines, bracket, depth + 1))
            }
            _ => None,
        };
        match found {
            Some(First::Bracket) => bracket = true,
            None => {}
            found => return found,
        }
    }
    bracket.then_some(First::Bracket)
}

/// `[` begins a list only where what follows can stand in one: `[FIRING] …` is a text.
fn first_of_text(text: &str, mut bracket: bool) -> Option<First> {
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        match letter {
            '{' => return Some(First::Json),
            '[' => bracket = true,
            '"' | ',' | '-' | ']' | '0'..='9' | 't' | 'f' | 'n' if bracket => return Some(First::Json),
            _ => return Some(First::Text),
        }
    }
    bracket.then_some(First::Bracket)
}
