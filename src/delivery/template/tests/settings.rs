//! Templates as they are set, shown and stored.

use serde_json::json;

use super::*;

fn given(settings: &Json) -> Result<Settings, Vec<String>> {
    let read = Settings::from_json(settings.as_object().unwrap());
    read.map_err(|problems| problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect())
}

#[test]
fn what_is_set_is_shown_and_read_again() {
    for settings in [
        json!({}),
        json!({"incident": {"source": "{{ .title }}"}}),
        json!({"incident": {"source": "{}", "body": "json", "content_type": "application/vnd.api+json"}, "change": {"name": "coroot"}}),
        json!({"incident": {"name": "opsknight", "content_type": "application/json; charset=utf-8"}}),
        json!({"change": {"source": "{{ .change.summary }}", "body": "text"}}),
    ] {
        let read = given(&settings).unwrap();
        assert_eq!(Json::Object(read.to_json()), settings);
        assert_eq!(serde_json::from_str::<Settings>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }
    let short = given(&json!({"incident": "{\"t\": \"{{ .title }}\"}", "change": null})).unwrap();
    assert_eq!(Json::Object(short.to_json()), json!({"incident": {"source": "{\"t\": \"{{ .title }}\"}"}}));
}

#[test]
fn they_are_compiled_for_what_they_are_about() {
    let settings =
        given(&json!({"incident": "{{ .title }}", "change": {"name": "coroot", "content_type": "application/x-coroot"}}))
            .unwrap();
    let templates = settings.compile().unwrap();
    let sent = |message: &Message| {
        let made = templates.of(message).unwrap().render(message, "dlv_1").unwrap();
        (made.content_type, String::from_utf8(made.body).unwrap().chars().take(8).collect::<String>())
    };
    assert_eq!(sent(&page(|_| {})), ("text/plain; charset=utf-8".to_owned(), "Checkout".to_owned()));
    assert_eq!(sent(&change(|_| {})), ("application/x-coroot".to_owned(), "{\"status".to_owned()));
    assert_eq!(Settings::default().compile().unwrap(), Templates::default());
    assert!(Templates::default().of(&page(|_| {})).is_none());
    assert_eq!(settings.compile().unwrap(), templates);
}

#[test]
fn every_problem_is_named_with_its_field() {
    for (settings, expected) in [
        (json!({"page": "x"}), vec!["page: is unknown"]),
        (json!({"incident": 5, "change": []}), vec!["incident: must be a template", "change: must be a template"]),
        (json!({"incident": {}}), vec!["incident.source: is missing"]),
        (json!({"incident": {"source": "x", "name": "pilot"}}), vec!["incident.name: cannot be combined"]),
        (json!({"incident": {"source": "x", "body": "xml"}}), vec!["incident.body: is \"xml\": must be json or text"]),
        (json!({"incident": {"name": "pilot", "body": "json"}}), vec!["incident.body: is known"]),
        (
            json!({"incident": {"source": 5, "kind": 1}}),
            vec!["incident.kind: is unknown", "incident.source: must be a text", "incident.source: is missing"],
        ),
        (
            json!({"incident": {"name": "pidgin"}}),
            vec!["incident.name: \"pidgin\" is none of the templates that ship with Callbox: coroot, exosphere"],
        ),
        (json!({"change": {"name": "pilot"}}), vec!["change.name: Pilot Protocol tells of no changes"]),
        (
            json!({"incident": "\n{{ .titel }}", "change": "{{ end }}"}),
            vec!["incident.source: line 2: there is no field \"titel\"", "change.source: there is an {{ end }}"],
        ),
        (json!({"incident": "{{ .change.summary }}"}), vec!["incident.source: line 1: there is no field \"change\""]),
        (json!({"incident": "{\"a\": {{ .title }}}"}), vec!["incident.source: line 1: a text is put out where no quotes are"]),
        (json!({"incident": "{\"a\": }"}), vec!["incident.source: the result is not JSON"]),
        (
            json!({"incident": {"source": "x", "content_type": "application/json"}}),
            vec!["incident.content_type: is JSON, and the body is not"],
        ),
        (
            json!({"incident": {"source": "x", "content_type": "text/html\r\nx: y"}}),
            vec!["incident.content_type: must be a media type"],
        ),
        (json!({"incident": {"source": "x", "content_type": "html"}}), vec!["incident.content_type: must be a media type"]),
    ] {
        let problems = given(&settings).unwrap_err();
        assert_eq!(problems.len(), expected.len(), "{settings}: {problems:?}");
        for (problem, start) in problems.iter().zip(expected) {
            assert!(problem.starts_with(start), "{settings}: {problem}");
        }
    }
}

#[test]
fn what_is_stored_and_does_not_compile_any_more_says_so() {
    let settings: Settings = serde_json::from_value(json!({"incident": "{{ .title"})).unwrap();
    let why = settings.compile().unwrap_err();
    assert!(why.starts_with("its template incident.source does not work any more: line 1: "), "{why}");
    assert!(serde_json::from_value::<Settings>(json!({"incident": 5})).is_err());
}
