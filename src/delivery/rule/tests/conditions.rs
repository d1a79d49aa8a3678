use std::thread;

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::super::{Condition, Facts};
use super::{changed, triggered};
use crate::delivery::message::{Details, Message};

fn message(details: &str) -> Message {
    let mut message = triggered();
    if let Some(incident) = &mut message.incident {
        let custom_details = RawValue::from_string(details.to_owned()).ok();
        incident.details = Some(Details { custom_details, ..Details::default() });
    }
    message
}

fn holds(condition: &str) -> Result<bool, String> {
    let details = r#"{"team": "db", "tags": ["env:prod", "az:b"], "load": 1.5, "cpus": 8, "big": 18446744073709551615, "empty": null,
        "labels": {"severity": "page", "env": "prod"}, "items": [{"n": 1}, {"n": 2}]}"#;
    Condition::new(condition).unwrap_or_else(|problems| panic!("{condition}: {problems:?}")).holds(&Facts::of(&message(details)))
}

fn problems(condition: &str) -> String {
    match Condition::new(condition) {
        Ok(_) => panic!("{condition} is accepted"),
        Err(problems) => problems.join(" / "),
    }
}

/// What holds of the incident and details below.
const TRUE: [&str; 24] = [
    "true",
    "incident.severity == 'critical'",
    "event == 'incident.triggered' && incident.status == \"triggered\"",
    "incident.severity in ['critical', 'error']",
    "incident.title.contains('full') || incident.title.startsWith('x')",
    "incident.title.lowerAscii().matches('^disk (full|failed) on db[0-9]+$')",
    "incident.custom_details.team == 'db' && incident.custom_details.cpus >= 8",
    "incident.custom_details.load * 2.0 == 3.0",
    "incident.custom_details.cpus > incident.custom_details.load",
    "incident.custom_details.tags.exists(t, t == 'env:prod')",
    "incident.custom_details.tags.all(t, t.contains(':')) && size(incident.custom_details.tags) == 2",
    "incident.custom_details.items.filter(i, i.n > 1).map(i, i.n) == [2]",
    "incident.custom_details.tags.exists_one(t, t.startsWith('az:'))",
    "'env' in incident.custom_details.labels",
    "incident.custom_details['labels']['severity'] == 'page'",
    "has(incident.custom_details.team) && !has(incident.custom_details.teams)",
    "incident.component == null && incident.component != 'x'",
    "incident.service.name == 'shop' && incident.integration.type == 'prometheus'",
    "incident.event_count > 1 ? incident.urgency == 'high' : false",
    "string(incident.number) == '7' && int('7') == incident.number",
    "incident.first_seen < '2026-11-21T10:00:00Z'",
    "change == null",
    "incident.custom_details.big > 1.0",
    "incident.custom_details.teams == 1 || true",
];

#[test]
fn conditions_as_people_write_them() {
    for yes in TRUE {
        assert_eq!(holds(yes), Ok(true), "{yes}");
    }
    for no in
        ["false", "incident.severity == 'info'", "incident.custom_details.team == 1", "incident.custom_details.empty == 'x'"]
    {
        assert_eq!(holds(no), Ok(false), "{no}");
    }
}

/// A tree without the numbers of its nodes.
fn shape(expr: &cel::IdedExpr) -> String {
    let text = format!("{expr:?}");
    text.split("id: ").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn the_parser_that_is_used_agrees_with_the_one_that_is_documented() {
    for condition in TRUE {
        let used = cel::parser::PrattParser::new().parse(condition).unwrap();
        let documented = cel::parser::Parser::new().parse(condition).unwrap();
        assert_eq!(shape(&used), shape(&documented), "{condition}");
    }
}

#[test]
fn a_change_is_seen_too() {
    let facts = Facts::of(&changed());
    let holds = |condition: &str| Condition::new(condition).unwrap().holds(&facts);
    assert_eq!(holds("event == 'change.created' && change.summary.startsWith('Deploy')"), Ok(true));
    assert_eq!(holds("incident == null || incident.severity == 'critical'"), Ok(true));
    assert!(holds("incident.severity == 'critical'").is_err());
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    let why = |condition: &str| holds(condition).unwrap_err();
    assert!(why("incident.custom_details.teams == 'db'").contains("teams"));
    assert!(why("incident.title").contains("neither true nor false"));
    assert!(why("incident.component.startsWith('x')").contains("startsWith"));
    assert!(why("incident.number / 0 == 1").to_lowercase().contains("zero"));
    assert!(why("incident.number + 'x' == 'y'").chars().count() <= 200);
    assert!(why("incident.custom_details.tags[5] == 'x'").len() > 5);
    assert!(why("incident.custom_details < 1").chars().count() <= 200, "an error may not hold the event");
    let without = Facts::of(&triggered());
    assert!(Condition::new("incident.custom_details.team == 'x'").unwrap().holds(&without).is_err());
    assert_eq!(Condition::broken("x", "was not understood").holds(&without), Err("was not understood".to_owned()));
}

#[test]
fn what_is_no_condition_is_refused() {
    let cases = [
        ("", "is not CEL"),
        ("incident.severity = 'x'", "is not CEL (line 1, column 19)"),
        ("incident.severity ==", "is not CEL"),
        ("incident.sevrity == 'x'", "there is no field sevrity; did you mean severity?"),
        ("change.title == 'x'", "there is no field title"),
        ("incidents.severity == 'x'", "there is no variable incidents; there are event"),
        ("now() > 1", "there is no function now"),
        ("timestamp(incident.first_seen) > 1", "there is no function timestamp"),
        ("incident.title.replace('a', 'b') == 'x'", "there is no function replace"),
        ("incident.title.matches(incident.source)", "the pattern of matches must be a literal text"),
        ("incident.title.matches('(')", "is not a regular expression"),
        ("incident.title.matches('(\\\\w{100}){100}')", "is too large"),
        ("incident.links.all(a, incident.links.all(b, a == b))", "within another"),
        ("incident.links.map(incident, incident)", "name the element otherwise"),
        ("incident.?title == 'x'", "is not CEL"),
        ("google.protobuf.Timestamp{seconds: 1} == 1", "there is no type"),
    ];
    for (condition, problem) in cases {
        assert!(problems(condition).contains(problem), "{condition}: {}", problems(condition));
    }
    let all = problems("incident.sevrity == nobody && f(1)");
    assert_eq!(all.split(" / ").count(), 3, "all problems at once: {all}");
    let loops = |count: usize| vec!["incident.links.all(l, true)"; count].join(" && ");
    assert!(Condition::new(&loops(3)).is_ok());
    assert!(problems(&loops(4)).contains("has 4 loops"));
    let list = |count: usize| format!("incident.number in [{}]", vec!["1"; count].join(","));
    assert!(Condition::new(&list(100)).is_ok());
    assert!(problems(&list(101)).contains("101 elements"));
    let long = |count: usize| format!("event == '{}'", "é".repeat(count - 11));
    assert!(Condition::new(&long(2_000)).is_ok());
    assert!(problems(&long(2_001)).contains("2000 characters"));
    let many = vec!["incident.source == 'db1.example'"; 50].join(" || ");
    assert!(Condition::new(&many).is_ok(), "a long list of cases is no deep one");
}

/// 256 KiB: an eighth of what a thread has.
fn on_a_small_stack(conditions: Vec<String>) {
    let run = move || {
        let facts = Facts::of(&message("{}"));
        for condition in conditions {
            if let Ok(condition) = Condition::new(&condition) {
                let _ = condition.holds(&facts);
            }
        }
    };
    thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn no_condition_overflows_a_small_stack() {
    let mut conditions = Vec::new();
    for count in [10, 30, 45, 100, 300, 999, 1_990] {
        conditions.extend([
            vec!["1"; count].join("+") + "==1",
            vec!["1"; count].join("<"),
            vec!["true"; count].join("||"),
            vec!["true||false"; count].join("&&"),
            "!".repeat(count) + "true",
            "-".repeat(count) + "1 == 1",
            "incident".to_owned() + &".service".repeat(count),
            "incident.links".to_owned() + &"[0]".repeat(count),
            "true?true:".repeat(count) + "true",
            "(".repeat(count) + "true" + &")".repeat(count),
            "[".repeat(count) + "1" + &"]".repeat(count) + "==[]",
            "{1:".repeat(count) + "1" + &"}".repeat(count) + "=={}",
            "size(".repeat(count) + "'x'" + &")".repeat(count) + "==1",
            "incident.title".to_owned() + &".trim()".repeat(count) + "=='x'",
            "!(incident.links[".repeat(count) + "0" + &"])".repeat(count),
            "(".repeat(count),
            "[?{".repeat(count),
            format!(">{}?[{}", "{".repeat(count / 2), "(".repeat(count / 2)),
        ]);
    }
    let short: Vec<String> = conditions.into_iter().filter(|condition| condition.len() <= 2_000).collect();
    assert!(short.len() > 70);
    on_a_small_stack(short);
}

#[test]
fn what_an_event_makes_too_expensive_is_not_begun() {
    let list = |length: usize, text: usize| serde_json::json!({"l": vec!["x"; length], "t": "x".repeat(text)}).to_string();
    let condition = |text: &str| Condition::new(text).unwrap();
    let each = condition("incident.custom_details.l.exists(x, incident.custom_details.t.contains(x + 'y'))");
    let holds = |condition: &Condition, details: String| condition.holds(&Facts::of(&message(&details)));
    assert_eq!(holds(&each, list(100, 1_000)), Ok(false));
    assert!(holds(&each, list(10_000, 50_000)).unwrap_err().contains("too large"));
    let own = condition("incident.custom_details.l.exists(x, x.contains('y'))");
    assert_eq!(holds(&own, list(5_000, 200_000)), Ok(false), "what it does not look at costs nothing");
    assert!(holds(&own, list(100_000, 1)).unwrap_err().contains("1024 KiB"));
    assert!(holds(&own, list(1, 600_000)).is_err(), "details of more than 512 KiB are not read");
    assert_eq!(holds(&condition("incident.number == 7"), list(1, 600_000)), Ok(true));
}

proptest! {
    /// Whatever is written: an answer, no panic, no overflow.
    #[test]
    fn anything_is_answered(parts in proptest::collection::vec(prop_oneof![
        Just("incident"), Just("."), Just("title"), Just("("), Just(")"), Just("["), Just("]"), Just("{"), Just("}"), Just("!"),
        Just("-"), Just("+"), Just("=="), Just("&&"), Just("||"), Just("?"), Just(":"), Just(","), Just("1"), Just("'x'"), Just("b'x'"),
        Just("1u"), Just("0x7fffffffffffffff"), Just("9223372036854775807"), Just("1e999"), Just("null"), Just("in"), Just("x"), Just(" "),
        Just(".all("), Just(".map("), Just("has("), Just("size("), Just("int("), Just("'\\u"), Just("\""), Just("//"), Just("é"),
    ], 0..60)) {
        on_a_small_stack(vec![parts.concat(), parts.join(" ")]);
    }
}
