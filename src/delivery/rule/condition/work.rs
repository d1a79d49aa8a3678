//! What an expression can cost at most on an event of known size, found without evaluating it.
//!
//! The unit is about a nanosecond of a release build: a byte that is looked at, some hundred for a step. The bound takes every branch,
//! every comparison as one over all of its operands, and every loop as one that runs to its end.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::pattern::Pattern;

/// What an evaluation may cost.
pub(super) const MAX: u64 = 40_000_000;
/// What a value costs that is looked at, beside the bytes of its text.
pub(super) const VALUE: u64 = 40;
/// What a step costs beside the bytes it looks at.
const STEP: u64 = 200;
/// What a byte costs that a pattern is compared with, for each state that the pattern can be in.
const STATE: u64 = 20;

/// How large a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Sizes {
    /// Bytes of text in it, and [`VALUE`] for each value.
    pub size: u64,
    /// Elements of the longest list or map in it.
    pub longest: u64,
    /// The size of the largest element of a list or map in it.
    pub widest: u64,
}

impl Sizes {
    /// Notes a list or map of `length`.
    pub fn collection(&mut self, length: usize) {
        self.longest = self.longest.max(length as u64);
    }

    /// Notes an element that began when the size was `before`.
    pub fn element(&mut self, before: u64) {
        self.widest = self.widest.max(self.size - before);
    }

    const fn of(size: u64) -> Self {
        Self { size, longest: 0, widest: 0 }
    }

    fn joined(self, other: Self) -> Self {
        Self {
            size: self.size.saturating_add(other.size),
            longest: self.longest.saturating_add(other.longest),
            widest: self.widest.max(other.widest),
        }
    }

    fn larger(self, other: Self) -> Self {
        Self { size: self.size.max(other.size), longest: self.longest.max(other.longest), widest: self.widest.max(other.widest) }
    }
}

/// What evaluating `expr` costs at most where all variables together are as large as `input`.
pub(super) fn of<'e>(expr: &'e IdedExpr, input: &Sizes, patterns: &'e HashMap<String, Pattern>) -> u64 {
    let mut bound = Bound { input: *input, patterns, names: Vec::new(), work: 0, times: 1 };
    bound.visit(expr);
    bound.work
}

struct Bound<'e> {
    input: Sizes,
    patterns: &'e HashMap<String, Pattern>,
    /// What loops name, the innermost last.
    names: Vec<(&'e str, Sizes)>,
    work: u64,
    /// How often what is being visited runs.
    times: u64,
}

impl<'e> Bound<'e> {
    fn spend(&mut self, cost: u64) {
        self.work = self.work.saturating_add(self.times.saturating_mul(STEP.saturating_add(cost)));
    }

    /// Adds what `expr` costs, and says how large what it gives can be.
    fn visit(&mut self, expr: &'e IdedExpr) -> Sizes {
        match &expr.expr {
            Expr::Ident(name) => {
                self.spend(0);
                let named = self.names.iter().rev().find(|(known, _)| known == name);
                named.map_or(self.input, |(_, sizes)| *sizes)
            }
            Expr::Select(select) => {
                self.spend(0);
                self.visit(&select.operand)
            }
            Expr::Literal(LiteralValue::String(text)) => Sizes::of(text.inner().len() as u64 + VALUE),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let elements = list.elements.iter().collect();
                self.collection(elements)
            }
            Expr::Map(map) => {
                let mut parts = Vec::new();
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        parts.extend([&entry.key, &entry.value]);
                    }
                }
                self.collection(parts)
            }
            Expr::Comprehension(all) => self.comprehension(all),
            Expr::Literal(_) | Expr::Unspecified | Expr::Struct(_) => Sizes::of(VALUE),
        }
    }

    fn call(&mut self, call: &'e CallExpr) -> Sizes {
        let mut all = Vec::with_capacity(call.args.len() + 1);
        for part in call.target.as_deref().into_iter().chain(&call.args) {
            all.push(self.visit(part));
        }
        let joined = all.iter().copied().fold(Sizes::default(), Sizes::joined);
        let first = all.first().copied().unwrap_or_default();
        let (cost, gives) = match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => (0, Sizes::of(VALUE)),
            operators::CONDITIONAL => (0, all.into_iter().fold(Sizes::default(), Sizes::larger)),
            operators::INDEX => (joined.size, first),
            operators::ADD => (joined.size, joined),
            "matches" => (first.size.saturating_mul(STATE.saturating_mul(self.states(call))), Sizes::of(VALUE)),
            "string" | "lowerAscii" | "upperAscii" | "trim" => (joined.size, Sizes::of(joined.size)),
            _ => (joined.size, Sizes::of(VALUE)),
        };
        self.spend(cost);
        gives
    }

    /// The states of the pattern of a `matches`.
    fn states(&self, call: &CallExpr) -> u64 {
        match call.args.last().map(|pattern| &pattern.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => {
                self.patterns.get(text.inner()).map_or(1, |pattern| pattern.states)
            }
            _ => 1,
        }
    }

    fn collection(&mut self, parts: Vec<&'e IdedExpr>) -> Sizes {
        let mut sizes = Sizes { size: VALUE, longest: parts.len() as u64, widest: 0 };
        for part in parts {
            let part = self.visit(part);
            sizes = Sizes {
                size: sizes.size.saturating_add(part.size),
                longest: sizes.longest.max(part.longest),
                widest: sizes.widest.max(part.widest).max(part.size),
            };
        }
        self.spend(sizes.size);
        sizes
    }

    fn comprehension(&mut self, all: &'e ComprehensionExpr) -> Sizes {
        let range = self.visit(&all.iter_range);
        let start = self.visit(&all.accu_init);
        let element = Sizes { size: range.widest, ..range };
        let (outside, names) = (self.times, self.names.len());
        self.times = self.times.saturating_mul(range.longest);
        // What a loop gathers is appended to in place, or is one number or truth, so it costs nothing to read.
        self.names.push((&all.accu_var, Sizes::default()));
        self.names.push((&all.iter_var, element));
        self.spend(element.size);
        self.visit(&all.loop_cond);
        let step = self.visit(&all.loop_step);
        self.times = outside;
        self.names.truncate(names);
        // One element for each of the range at most: no macro of CEL gathers more.
        let gathered = Sizes {
            size: start.size.saturating_add(step.size.saturating_mul(range.longest)),
            longest: range.longest.max(step.longest),
            widest: step.widest.max(range.widest),
        };
        self.names.push((&all.accu_var, gathered));
        self.visit(&all.result);
        self.names.truncate(names);
        gathered
    }
}
