//! What an alert says can never be more than what a template shows of it.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Ways in which authors put a title into JSON; most of them break with other engines.
const TEMPLATES: [&str; 13] = [
    r#"{"title": "{{ .incident.title }}", "kind": "page"}"#,
    r#"{"title": {{ json .incident.title }}, "kind": "page"}"#,
    r#"{"title": "{{ js .incident.title }}", "kind": "page"}"#,
    r#"{"title": "{{ printf "%s" .incident.title }}", "kind": "page"}"#,
    r#"{"title": "{{ .incident.title | print }}", "kind": "page"}"#,
    r#"{"title": "{{ with .incident }}{{ .title }}{{ end }}", "kind": "page"}"#,
    r#"{{ define "t" }}{{ . }}{{ end }}{"title": "{{ template "t" .incident.title }}", "kind": "page"}"#,
    r#"{"title": "{{ range $n, $t := .incident }}{{ if eq $n "title" }}{{ $t }}{{ end }}{{ end }}", "kind": "page"}"#,
    r#"{"title": "{{ $x := .incident.title }}{{ $x }}", "kind": "page"}"#,
    r#"{"title": {{ $x := json .incident.title }}{{ $x }}, "kind": "page"}"#,
    r#"{"title": {{ .incident.title | json }}, "kind": "page"}"#,
    r#"{"title": {{ json (get . "incident" "title") }}, "kind": "page"}"#,
    r#"{"title": "{{ or "" .incident.title }}", "kind": {{ if .incident.title }}"page"{{ else }}"page"{{ end }}}"#,
];

fn attacks() -> Vec<&'static str> {
    vec![
        r#"x", "admin": true, "y": ""#,
        r#"\"#,
        r#"\", "kind": "none"#,
        "\"",
        "\\\"",
        "line\nbreak\r\n\ttab",
        "\u{0}\u{1}\u{2}0\u{2}\u{1}0\u{2}\u{7f}",
        "{{ .Secret }}",
        "{{ json . }}",
        "\u{2028}\u{2029}\u{202e}\u{feff}",
        "]}",
        r#""}}, {"a": [""#,
        "</script>' & <b>",
        r"\u0022, \u0000",
        "🔥\u{10ffff}",
        "",
        "null",
        "{\"admin\": true}",
    ]
}

#[test]
fn g6_a_title_is_a_title() {
    for source in TEMPLATES {
        let template = Template::parse(source, Body::Json).unwrap();
        template.try_out(About::Incident).unwrap_or_else(|problem| panic!("{source}: {problem}"));
        for title in attacks() {
            let said = json(source, &titled(title)).unwrap_or_else(|why| panic!("{source} {title:?}: {why}"));
            assert_eq!(said, json!({"title": title, "kind": "page"}), "{source}");
        }
    }
}

proptest! {
    #[test]
    fn any_title_is_a_title(title in "(?s).{0,80}", way in 0..TEMPLATES.len()) {
        prop_assert_eq!(json(TEMPLATES[way], &titled(&title)).unwrap(), json!({"title": title, "kind": "page"}));
    }

    #[test]
    fn attacks_in_any_order_are_a_title(parts in proptest::collection::vec(prop::sample::select(attacks()), 0..6), way in 0..TEMPLATES.len()) {
        let title = parts.concat();
        prop_assert_eq!(json(TEMPLATES[way], &titled(&title)).unwrap(), json!({"title": title, "kind": "page"}));
    }
}

#[test]
fn a_text_outside_quotes_is_refused_whatever_it_says() {
    for source in [
        r#"{"title": {{ .incident.title }}}"#,
        "{{ .incident.title }}",
        r#"{ {{ .incident.title }} }"#,
        r#"{"a": {{ print (json .) }}}"#,
    ] {
        let template = Template::parse(source, Body::Json).unwrap();
        let problem = template.try_out(About::Incident).unwrap_err();
        assert!(problem.message.contains("where no quotes are"), "{source}: {problem}");
        assert_eq!(problem.line, Some(1));
        for title in ["5", "true", "null", "{}", "\"a\"", "\"admin\": true"] {
            assert!(template.render(&titled(title), "dlv_1").is_err(), "{source} {title}");
        }
    }
    // The very text that `json` made for another is no passport.
    let twice = r#"{"a": {{ json .incident.source }}, "b": {{ .incident.title }}}"#;
    assert!(json(twice, &titled("\"web-1\"")).is_err());
}

#[test]
fn a_name_is_a_name_and_comes_once() {
    let source = r#"{"status": "open", "{{ .incident.title }}": 1, {{ json .incident.source }}: 2}"#;
    assert_eq!(json(source, &titled("a\"b")).unwrap(), json!({"status": "open", "a\"b": 1, "web-1": 2}));
    for title in ["status", "web-1"] {
        assert!(json(source, &titled(title)).unwrap_err().contains("twice"), "{title}");
    }
    assert!(json(r#"[{"a": {"b": 1, "b": 2}}]"#, &titled("x")).is_err());
}

#[test]
fn escapes_that_the_author_began_are_not_ended_by_a_value() {
    assert!(json(r#"{"a": "\{{ .incident.title }}"}"#, &titled("n")).unwrap_err().contains("backslash"));
    assert_eq!(json(r#"{"a": "\\{{ .incident.title }}"}"#, &titled("n")).unwrap(), json!({"a": "\\n"}));
    assert_eq!(
        json(r#"{"a": "\u{{ .incident.title }}"}"#, &titled("0022, ")).unwrap(),
        json!({"a": "\", "}),
        "a text all the same"
    );
    assert!(json(r#"{"a": "\u{{ .incident.title }}"}"#, &titled("\"")).is_err());
}

#[test]
fn what_is_no_text_stands_without_quotes() {
    let source = r#"{"n": {{ .incident.number }}, "l": {{ len .notes }}, "t": {{ eq 1 1 }}, "nil": {{ get . "no" }}, "in": "{{ .incident.number }}{{ get . "no" }}",
        "d": {{ get .incident.custom_details "value" }}, "f": {{ get .incident.custom_details "firing" }}, "s": [{{ range $i, $l := .incident.links }}{{ if $i }}, {{ end }}{{ json $l }}{{ end }}]{{ "" }}}"#;
    let said = json(source, &page(|_| {})).unwrap();
    let links =
        json!([{"href": "https://prometheus.example/graph"}, {"href": "https://prometheus.example/graph", "text": "Graph"}]);
    assert_eq!(said, json!({"n": 1, "l": 0, "t": true, "nil": null, "in": "1", "d": 97.5, "f": true, "s": links}));
}

#[test]
fn raw_line_breaks_in_the_authors_own_text_are_repaired_and_the_rest_is_as_written() {
    let source = "{\"a\": \"one\ntwo\r\n\tthree\\\nfour\" ,  \"b\":1.50}\n";
    let body = rendered(source, Body::Json, &titled("x")).unwrap();
    assert_eq!(body, "{\"a\": \"one\\ntwo\\r\\n\\tthree\\nfour\" ,  \"b\":1.50}\n");
}

#[test]
fn what_is_not_json_is_never_sent() {
    for source in ["", "{", "{} {}", "{\"a\": 1,}", "{'a': 1}", "{\"a\": 1e999}", "\u{feff}{}", "{\"a\": NaN}", "nothing"] {
        let why = json(source, &titled("x")).unwrap_err();
        assert!(why.contains("not JSON"), "{source}: {why}");
        assert!(Template::parse(source, Body::Json).unwrap().try_out(About::Incident).is_err(), "{source}");
    }
    assert!(json(&format!("{}{}", "[".repeat(200), "]".repeat(200)), &titled("x")).is_err());
}

#[test]
fn g7_data_is_never_read_as_a_template() {
    for title in ["{{ .Secret }}", "{{ range 9999999 }}x{{ end }}", "{{", "`}}`", "{{/*"] {
        assert_eq!(text("{{ .incident.title }}/{{ printf .title }}", &titled(title)).unwrap(), format!("{title}/{title}"));
        assert_eq!(json(r#"["{{ .incident.title }}"]"#, &titled(title)).unwrap(), json!([title]));
    }
}

#[test]
fn a_body_of_text_shows_values_as_they_are() {
    let said = text("{{ .title }} {{ json .title }} {{ js .title }} {{ html .title }}", &titled("a\"<b>\n")).unwrap();
    assert_eq!(said, "a\"<b>\n \"a\\\"<b>\\n\" a\\\"\\u003Cb\\u003E\\u000A a&#34;&lt;b&gt;\n");
}

/// What stands between quotes, and what stands without; right and wrong.
const QUOTED: [&str; 9] = [
    "{{ .title }}",
    "a {{ js .title }} b",
    "{{ json .title }}",
    "{{ html .title }}{{ urlquery .title }}",
    "{{ printf \"%q\" .title }}",
    "{{ .incident }}",
    "\\\\{{ .title }}",
    "{{ range .incident.links }}{{ $.title }},{{ end }}",
    "plain",
];
const BARE: [&str; 12] = [
    "{{ json .title }}",
    "{{ len .title }}",
    "{{ json .incident }}",
    "{{ .incident.number }}",
    "\"{{ .title }}\"",
    "{{ .title }}",
    "\"{{ .title }}",
    "{{ .title }}\"",
    "{{ printf \"%q\" .title }}",
    "{{ js (json .title) }}",
    "[{{ range $i, $l := .incident.links }}{{ if $i }},{{ end }}{{ json $.title }}{{ end }}]",
    "\"\\{{ .title }}\"",
];

/// JSON templates, most of them well-formed.
fn templates() -> impl Strategy<Value = String> {
    let quoted = || prop::sample::select(QUOTED.to_vec()).prop_map(|inside| format!("\"{inside}\""));
    let leaf = prop_oneof![3 => quoted(), 1 => prop::sample::select(BARE.to_vec()).prop_map(str::to_owned)];
    leaf.prop_recursive(3, 12, 4, move |value| {
        let member = (quoted(), value.clone(), 0..100)
            .prop_map(|(name, value, n)| format!("\"{n}{}: {value}", name.trim_start_matches('"')));
        prop_oneof![
            proptest::collection::vec(value, 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",\n"))),
        ]
    })
}

/// What a value is, whatever its texts say.
fn shape(value: &Json) -> String {
    let mut parts: Vec<String> = match value {
        Json::Object(members) => members.values().map(shape).collect(),
        Json::Array(items) => items.iter().map(shape).collect(),
        Json::String(_) => return "text".to_owned(),
        Json::Number(_) => return "number".to_owned(),
        other => return other.to_string(),
    };
    parts.sort();
    format!("{}({})", if value.is_object() { "object" } else { "list" }, parts.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_an_alert_says_changes_no_shape(source in templates(), parts in proptest::collection::vec(prop::sample::select(attacks()), 1..4)) {
        let attack = parts.concat();
        prop_assume!(!attack.is_empty());
        let (plain, attacked) = (json(&source, &titled("x")), json(&source, &titled(&attack)));
        match (plain, attacked) {
            (Ok(plain), Ok(attacked)) => prop_assert_eq!(shape(&plain), shape(&attacked), "{}", source),
            (Ok(_), Err(why)) => prop_assert!(why.contains("twice") || why.contains("64 KiB"), "{}: {}", source, why),
            (Err(_), Ok(attacked)) => prop_assert!(false, "{}: only the attack gets through: {}", source, attacked),
            (Err(_), Err(_)) => {}
        }
    }
}
