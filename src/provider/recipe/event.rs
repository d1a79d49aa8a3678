//! The tables of a recipe that say how events are read: `[event]`, `[action]`, `[severity]`, `[[case]]` and `[links]`.

use super::quoted;
use super::sheet::{Given, Table};
use crate::event::{Action, Severity};
use crate::provider::path::Path;
use crate::provider::plan::{Case, Condition, Field, Names, Plan, Template, Test, Unknown, Words};
use crate::provider::tokens::Meaning;

/// Ways that one field may list.
const WAYS_MAX: usize = 16;
/// Cases, conditions of one, and links.
const CASES_MAX: usize = 32;

const ACTIONS: [(&str, Action); 3] =
    [("trigger", Action::Trigger), ("acknowledge", Action::Acknowledge), ("resolve", Action::Resolve)];
const SEVERITIES: [(&str, Severity); 4] =
    [("critical", Severity::Critical), ("error", Severity::Error), ("warning", Severity::Warning), ("info", Severity::Info)];

/// Puts everything that `root` says about events into `plan`.
pub(super) fn plan(mut plan: Plan, root: &mut Table<'_>) -> Option<Plan> {
    plan.names = root.word("names", &[("exact", Names::Exact), ("loose", Names::Loose)]).unwrap_or_default();
    let Some(mut event) = root.table("event") else {
        root.missing("event", "is missing: the table [event] says which fields an alert's key and summary are");
        return None;
    };
    fields(&mut plan, &mut event);
    event.finish();
    if let Some(action) = root.table("action") {
        actions(&mut plan, action);
    }
    if let Some(severity) = root.table("severity") {
        severities(&mut plan, severity);
    }
    for table in root.tables("case") {
        let case = case(&mut plan, table);
        plan.cases.extend(case);
    }
    if let Some(links) = root.dotted("links") {
        for (title, given) in links.into_iter().take(CASES_MAX) {
            let field = root.list(&given).and_then(|ways| compile(root, &given, &ways, plan.names));
            plan.links.extend(field.map(|field| (title, field)));
        }
    }
    Some(plan)
}

fn fields(plan: &mut Plan, event: &mut Table<'_>) {
    let names = plan.names;
    if !event.has("key") {
        event.missing("key", "is missing: name the field, or the fields, that stay the same from the alert's start to its end");
    }
    plan.key = event.texts("key").map(|(given, ways)| key(plan, event, &given, &ways, 1)).unwrap_or_default();
    if let Some((given, ways)) = event.texts("items") {
        if names == Names::Loose {
            event.wrong(&given, "cannot be combined with names = \"loose\"");
        }
        for way in ways {
            match Path::compile(&way) {
                Ok(path) => plan.items.push(path),
                Err(why) => event.wrong(&given, quoted(&way, &why)),
            }
        }
    }
    plan.summary = field(event, "summary", names);
    plan.source = field(event, "source", names);
    plan.component = field(event, "component", names);
    plan.group = field(event, "group", names);
    plan.class = field(event, "class", names);
    plan.image = field(event, "image", names);
    plan.occurred_at = field(event, "occurred_at", names);
    plan.starts_at = field(event, "starts_at", names);
}

fn actions(plan: &mut Plan, mut table: Table<'_>) {
    plan.action.field = field(&mut table, "field", plan.names);
    if plan.action.field.is_empty() {
        table.missing("field", "is missing: name the field that holds the state");
    }
    for (name, action) in ACTIONS {
        words(&mut table, name, &mut plan.action, Meaning::Act(action));
    }
    words(&mut table, "ignore", &mut plan.action, Meaning::Nothing);
    let unknown = table.word("unknown", &[("trigger", Unknown::Page), ("ignore", Unknown::Nothing)]);
    // A recipe that lists words has listed them all.
    let otherwise = if plan.action.is_empty() { Unknown::Common } else { Unknown::Page };
    plan.unknown = unknown.unwrap_or(otherwise);
    table.finish();
}

fn severities(plan: &mut Plan, mut table: Table<'_>) {
    plan.severity.field = field(&mut table, "field", plan.names);
    for (name, severity) in SEVERITIES {
        words(&mut table, name, &mut plan.severity, severity);
    }
    if plan.severity.field.is_empty() && !plan.severity.is_empty() {
        table.missing("field", "is missing: name the field that holds these words");
    }
    plan.default_severity = table.word("default", &SEVERITIES).unwrap_or(plan.default_severity);
    table.finish();
}

fn words<T: Copy + PartialEq>(table: &mut Table<'_>, name: &'static str, words: &mut Words<T>, meaning: T) {
    if let Some((given, list)) = table.texts(name) {
        for word in list {
            if words.add(word.trim(), meaning).is_err() {
                table.wrong(&given, format!("{word:?} has another meaning above: a word has one"));
            }
        }
    }
}

fn case(plan: &mut Plan, mut table: Table<'_>) -> Option<Case> {
    let names = plan.names;
    let conditions = table.dotted("when").unwrap_or_default();
    if conditions.is_empty() {
        table.missing("when", "is missing: say which fields hold which words, such as when = { type = \"test\" }");
    }
    let when: Vec<Condition> =
        conditions.into_iter().take(CASES_MAX).filter_map(|(path, given)| condition(&table, &path, &given, names)).collect();
    let mut case = Case { when, ignore: table.text("ignore"), ..Case::default() };
    case.action = table.word("action", &ACTIONS);
    case.severity = table.word("severity", &SEVERITIES);
    case.key = table.texts("key").map(|(given, ways)| key(plan, &table, &given, &ways, 0)).unwrap_or_default();
    case.summary = field(&mut table, "summary", names);
    case.source = field(&mut table, "source", names);
    table.finish();
    let says = case.ignore.is_some() || case.action.is_some() || case.severity.is_some();
    if !says && [&case.key, &case.summary, &case.source].iter().all(|field| field.is_empty()) {
        table.missing("ignore", "is missing: a case says what holds in it (ignore, action, severity, key, summary or source)");
    }
    (!case.when.is_empty()).then_some(case)
}

fn condition(table: &Table<'_>, path: &str, given: &Given<'_>, names: Names) -> Option<Condition> {
    let words = table.list(given)?;
    let test = match words.iter().map(|word| word.trim()).collect::<Vec<_>>().as_slice() {
        [""] => Test::Nothing,
        ["*"] => Test::Something,
        ["@"] => Test::Moment,
        words => Test::OneOf(words.iter().map(|&word| word.to_owned()).collect()),
    };
    match Template::path(path, names) {
        Ok(field) => Some(Condition { field, test }),
        Err(why) => {
            table.wrong(given, quoted(path, &why));
            None
        }
    }
}

fn field(table: &mut Table<'_>, name: &'static str, names: Names) -> Field {
    table.texts(name).and_then(|(given, ways)| compile(table, &given, &ways, names)).unwrap_or_default()
}

fn compile(table: &Table<'_>, given: &Given<'_>, ways: &[String], names: Names) -> Option<Field> {
    if ways.len() > WAYS_MAX {
        table.wrong(given, format!("lists more than {WAYS_MAX} ways"));
        return None;
    }
    let mut field = Field::with_capacity(ways.len());
    for way in ways {
        match Template::compile(way, names) {
            Ok(template) => field.push(template),
            Err(why) => table.wrong(given, quoted(way, &why)),
        }
    }
    Some(field)
}

/// A key: two different alerts must never share one, whichever way each takes. So many ways as `bare` may do without a text of their own
/// in front.
fn key(plan: &mut Plan, table: &Table<'_>, given: &Given<'_>, ways: &[String], bare: usize) -> Field {
    let field = compile(table, given, ways, plan.names).unwrap_or_default();
    for way in field.iter().filter(|way| way.mark().is_empty()).skip(bare) {
        let example = format!("\"name:{{{}}}\"", way.as_str().trim_matches(['{', '}']));
        let why = "needs a text of its own in front, so that it never equals a key of another way, such as";
        table.wrong(given, format!("{:?} {why} {example}; names of one and the same thing are written {{a|b}}", way.as_str()));
    }
    for way in &field {
        let mark = way.mark();
        if way.runs_together() {
            table.wrong(given, format!("{:?} has two values side by side: put a separator between them", way.as_str()));
        }
        if mark.is_empty() || plan.marked.iter().any(|known| known.as_str() == way.as_str()) {
            continue;
        }
        let near = |other: &&Template| other.mark().starts_with(mark) || mark.starts_with(other.mark());
        if let Some(other) = plan.marked.iter().find(near) {
            let why = "begins like another way: keys of both could be the same";
            table.wrong(given, format!("{:?} {why} ({:?})", way.as_str(), other.as_str()));
        }
        plan.marked.push(way.clone());
    }
    field
}
