//! What a condition may consist of, decided on its syntax tree when it is saved.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, operators};

use super::facts::VARIABLES;
use super::pattern::Pattern;

/// How deep a syntax tree may be: what a chain of `+` or `.` needs, and far less than a small stack holds.
const DEPTH_MAX: usize = 40;
/// Loops (`all`, `exists`, `exists_one`, `map`, `filter`) in all; none within another.
const LOOPS_MAX: usize = 3;
/// Elements of a list or map that is written out.
const ELEMENTS_MAX: usize = 100;

/// What a condition may call.
const FUNCTIONS: [&str; 12] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "string",
    "int",
    "double",
    "bool",
];

const OPERATORS: [&str; 19] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// The fields of an incident, as the generic webhook has them.
pub(super) const INCIDENT: [&str; 27] = [
    "id",
    "number",
    "title",
    "status",
    "urgency",
    "severity",
    "service",
    "integration",
    "dedup_key",
    "source",
    "component",
    "group",
    "class",
    "event_count",
    "first_seen",
    "last_seen",
    "acknowledged_at",
    "acknowledged_by",
    "resolved_at",
    "resolved_by",
    "assignee",
    "url",
    "custom_details",
    "links",
    "images",
    "client",
    "client_url",
];

/// The fields of a change.
pub(super) const CHANGE: [&str; 8] =
    ["id", "summary", "source", "service", "integration", "timestamp", "custom_details", "links"];

/// Checks an expression and compiles its patterns.
///
/// # Errors
/// Everything that is wrong with it, a sentence each.
pub(super) fn check(expr: &IdedExpr) -> Result<HashMap<String, Pattern>, Vec<String>> {
    let mut check = Check { names: Vec::new(), loops: 0, patterns: HashMap::new(), problems: Vec::new() };
    check.visit(expr, Place { depth: 0, looping: false });
    if check.loops > LOOPS_MAX {
        check.problem(format!("has {} loops (all, exists, map, filter); at most {LOOPS_MAX}", check.loops));
    }
    if check.problems.is_empty() { Ok(check.patterns) } else { Err(check.problems) }
}

struct Check<'e> {
    /// What loops name.
    names: Vec<&'e str>,
    loops: usize,
    patterns: HashMap<String, Pattern>,
    problems: Vec<String>,
}

#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Within what a loop repeats.
    looping: bool,
}

impl<'e> Check<'e> {
    fn problem(&mut self, problem: impl Into<String>) {
        let problem = problem.into();
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn visit(&mut self, expr: &'e IdedExpr, place: Place) {
        if place.depth > DEPTH_MAX {
            return self.problem(format!(
                "is nested too deep, or a chain of more than {DEPTH_MAX} operators; write lists: x in [\"a\", \"b\"]"
            ));
        }
        let below = Place { depth: place.depth + 1, ..place };
        match &expr.expr {
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => self.select(select, below),
            Expr::Call(call) => self.call(call, below),
            Expr::List(list) => self.collection(list.elements.iter().collect(), below),
            Expr::Map(map) => {
                let mut parts = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        parts.extend([&entry.key, &entry.value]);
                    }
                }
                self.collection(parts, below);
            }
            Expr::Comprehension(all) => self.comprehension(all, below),
            Expr::Struct(message) => self.problem(format!("there is no type {}", message.type_name)),
            Expr::Unspecified => self.problem("is empty"),
            Expr::Literal(_) => {}
        }
    }

    fn ident(&mut self, name: &str) {
        if !VARIABLES.contains(&name) && !self.names.contains(&name) {
            self.problem(format!("there is no variable {name}; there are {}", VARIABLES.join(", ")));
        }
    }

    fn select(&mut self, select: &'e SelectExpr, below: Place) {
        let fields: &[&str] = match &select.operand.expr {
            Expr::Ident(name) if self.names.contains(&name.as_str()) => &[],
            Expr::Ident(name) if name == "incident" => &INCIDENT,
            Expr::Ident(name) if name == "change" => &CHANGE,
            _ => &[],
        };
        if !fields.is_empty() && !fields.contains(&select.field.as_str()) {
            let near =
                fields.iter().map(|field| (strsim::jaro_winkler(&select.field, field), field)).filter(|(score, _)| *score > 0.8);
            let known = match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((_, near)) => format!("did you mean {near}?"),
                None => format!("there are {}", fields.join(", ")),
            };
            self.problem(format!("there is no field {}; {known}", select.field));
        }
        self.visit(&select.operand, below);
    }

    fn call(&mut self, call: &'e CallExpr, below: Place) {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) && !OPERATORS.contains(&name) {
            self.problem(format!("there is no function {name}; there are {}", FUNCTIONS.join(", ")));
        }
        if name == "matches" {
            match call.args.last().map(|pattern| &pattern.expr) {
                Some(Expr::Literal(LiteralValue::String(pattern))) => self.pattern(pattern.inner()),
                _ => self.problem("the pattern of matches must be a literal text"),
            }
        }
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            self.visit(part, below);
        }
    }

    fn pattern(&mut self, pattern: &str) {
        match Pattern::new(pattern) {
            Ok(compiled) => {
                self.patterns.insert(pattern.to_owned(), compiled);
            }
            Err(problem) => self.problem(problem),
        }
    }

    fn collection(&mut self, parts: Vec<&'e IdedExpr>, below: Place) {
        if parts.len() > ELEMENTS_MAX {
            self.problem(format!("has a list of {} elements; at most {ELEMENTS_MAX}", parts.len()));
        }
        parts.into_iter().for_each(|part| self.visit(part, below));
    }

    fn comprehension(&mut self, all: &'e ComprehensionExpr, below: Place) {
        self.loops += 1;
        if below.looping {
            self.problem("has a loop (all, exists, map, filter) within another");
        }
        if VARIABLES.contains(&all.iter_var.as_str()) {
            self.problem(format!("{} is a variable already; name the element otherwise", all.iter_var));
        }
        self.visit(&all.iter_range, below);
        let names = self.names.len();
        self.names.extend([all.iter_var.as_str(), all.accu_var.as_str()]);
        for part in [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
            self.visit(part, Place { looping: true, ..below });
        }
        self.names.truncate(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::message::{Details, Message};
    use crate::delivery::rule::tests::{changed, triggered};

    fn fields(message: &Message, name: &str) -> Vec<String> {
        let value = serde_json::to_value(message).unwrap();
        let mut fields: Vec<String> = value[name].as_object().unwrap().keys().cloned().collect();
        fields.sort_unstable();
        fields
    }

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_fields_are_those_of_the_generic_webhook() {
        let mut message = triggered();
        if let Some(incident) = &mut message.incident {
            incident.details = Some(Details::default());
        }
        assert_eq!(fields(&message, "incident"), sorted(&INCIDENT));
        assert_eq!(fields(&changed(), "change"), sorted(&CHANGE));
    }
}
