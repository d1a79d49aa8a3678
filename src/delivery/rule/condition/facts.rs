//! What a condition sees of an event.

use std::collections::{BTreeMap, HashMap};

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString};
use cel::common::value::Val;
use serde_json::Value;

use super::work::{Sizes, VALUE};
use crate::delivery::message::Message;

/// The largest part of an event that a condition may look at, as [`Sizes`] counts it.
pub(super) const SIZE_MAX: u64 = 1 << 20;
/// Bytes of details that are read at all: what an event of PagerDuty's may have in all.
const DETAILS_MAX: usize = 512 << 10;

/// The variables: the fields of the generic webhook's body.
pub(super) const VARIABLES: [&str; 4] = ["event", "timestamp", "incident", "change"];

/// An event, as conditions see it: the body of the generic webhook. Made once for all rules.
#[derive(Clone, Debug)]
pub struct Facts(Value);

/// The variables of one evaluation, and how large they are.
pub(super) struct Input<'v> {
    pub variables: Vec<(&'static str, Box<dyn Val + 'v>)>,
    pub sizes: Sizes,
}

impl Facts {
    /// Of a message; one with details, or conditions on them fail. Details of more than 512 KiB are left out: reading them takes long.
    pub fn of(message: &Message) -> Self {
        let details = message.incident.as_ref().and_then(|incident| incident.details.as_ref());
        let size = details.and_then(|details| details.custom_details.as_ref()).map_or(0, |details| details.get().len());
        // A message has no keys that are not texts, and nothing else fails.
        let read = |message: &Message| Self(serde_json::to_value(message).unwrap_or_default());
        if size <= DETAILS_MAX {
            return read(message);
        }
        let mut message = message.clone();
        if let Some(details) = message.incident.as_mut().and_then(|incident| incident.details.as_mut()) {
            details.custom_details = None;
        }
        read(&message)
    }

    /// What a condition needs of it.
    ///
    /// # Errors
    /// It is too large.
    pub(super) fn select(&self, needs: &Needs) -> Result<Input<'_>, String> {
        let mut sizes = Sizes::default();
        let mut variables = Vec::new();
        for name in VARIABLES {
            if let Some(needs) = needs.fields.get(name) {
                let value = self.0.get(name).unwrap_or(&Value::Null);
                variables.push((name, read(value, Some(needs), &mut sizes)?));
            }
        }
        Ok(Input { variables, sizes })
    }
}

/// A value as the evaluator takes it, borrowed where it is text; of an object only what is needed.
fn read<'v>(value: &'v Value, needs: Option<&Needs>, sizes: &mut Sizes) -> Result<Box<dyn Val + 'v>, String> {
    sizes.size += VALUE;
    if sizes.size > SIZE_MAX {
        return Err(format!("it looks at more than {} KiB of the event", SIZE_MAX >> 10));
    }
    Ok(match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Box::new(CelInt::from(number)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => {
            sizes.size += text.len() as u64;
            Box::new(CelString::from(text.as_str()))
        }
        Value::Array(list) => {
            let items: Result<Vec<_>, String> = list.iter().map(|item| element(item, sizes)).collect();
            sizes.collection(list.len());
            Box::new(CelList::from(items?))
        }
        Value::Object(map) => {
            // Of an object on the way to what is needed nothing can be reached but by name, so it is none to go through.
            let way = needs.filter(|needs| !needs.all);
            let mut fields = HashMap::new();
            for (name, value) in map {
                let value = match way {
                    None => element(value, sizes)?,
                    Some(needs) => match needs.fields.get(name) {
                        Some(needs) => read(value, Some(needs), sizes)?,
                        None => continue,
                    },
                };
                sizes.size += name.len() as u64;
                fields.insert(CelMapKey::String(CelString::from(name.as_str())), value);
            }
            if way.is_none() {
                sizes.collection(fields.len());
            }
            Box::new(CelMap::from(fields))
        }
    })
}

fn element<'v>(value: &'v Value, sizes: &mut Sizes) -> Result<Box<dyn Val + 'v>, String> {
    let before = sizes.size;
    let read = read(value, None, sizes)?;
    sizes.element(before);
    Ok(read)
}

/// The parts of an event that an expression looks at: a tree of names.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// All below this name.
    all: bool,
    fields: BTreeMap<String, Needs>,
}

impl Needs {
    /// What `expr` looks at. Names that it gives to elements itself hide nothing: at worst more is read than needed.
    pub fn of(expr: &IdedExpr) -> Self {
        let mut needs = Self::default();
        needs.visit(&expr.expr);
        needs
    }

    fn visit(&mut self, expr: &Expr) {
        if let Some(path) = path(expr) {
            let mut at = self;
            for name in path {
                at = at.fields.entry(name.to_owned()).or_default();
            }
            at.all = true;
            return;
        }
        match expr {
            Expr::Select(select) => self.visit(&select.operand.expr),
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.visit(&target.expr));
                call.args.iter().for_each(|arg| self.visit(&arg.expr));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(&element.expr)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key.expr);
                        self.visit(&entry.value.expr);
                    }
                }
            }
            Expr::Comprehension(all) => {
                for part in [&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                    self.visit(&part.expr);
                }
            }
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
        }
    }
}

/// The names of `incident.custom_details.team`, and of `has(…)` around them.
fn path(expr: &Expr) -> Option<Vec<&str>> {
    match expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) => {
            let mut path = path(&select.operand.expr)?;
            path.push(&select.field);
            Some(path)
        }
        _ => None,
    }
}
