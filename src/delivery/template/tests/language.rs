//! The language, as Go's `text/template` has it, and the functions that are ours.

use serde_json::json;

use super::*;

#[test]
fn the_language_is_gos() {
    let page = page(|_| {});
    for (source, expected) in [
        ("a {{- \" b \" -}} c", "a b c"),
        ("{{/* nothing */}}x", "x"),
        ("{{ if and .title (not .notes) }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if eq .incident.severity \"critical\" \"warning\" }}yes{{ end }}", "yes"),
        ("{{ if gt .incident.event_count 2 }}many{{ end }}", "many"),
        ("{{ if 0 }}a{{ else if 1 }}b{{ else }}c{{ end }}d", "bd"),
        ("{{ with 0 }}a{{ else with 1 }}{{ . }}{{ end }}d", "1d"),
        ("{{ with $x := .incident.url }}{{ $x }}{{ end }}", "https://callbox.example/incidents/inc_1"),
        ("{{ range .notes }}{{ . }}{{ else }}none{{ end }}", "none"),
        (
            "{{ range $i, $l := .incident.links }}{{ if $i }}{{ break }}{{ end }}{{ $l.href }}{{ end }}",
            "https://prometheus.example/graph",
        ),
        ("{{ range 3 }}{{ if eq . 1 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "02"),
        ("{{ $n := 0 }}{{ range .incident.links }}{{ $n = len .href }}{{ end }}{{ $n }}", "32"),
        ("{{ index .incident.custom_details \"labels\" \"job\" }}", "api"),
        ("{{ index (index .incident.links 1) \"text\" }}", "Graph"),
        ("{{ slice .incident.first_seen 0 10 }}", "2026-01-02"),
        ("{{ printf \"%q %v %05d %.1f %x %t %%\" \"a\" 1 42 2.5 255 true }}", "\"a\" 1 00042 2.5 ff true %"),
        ("{{ print 1 2 \"a\" }}|{{ println \"a\" }}", "1 2a|a\n"),
        ("{{ urlquery \"a b&c\" }}", "a+b%26c"),
        ("{{ .incident.title | printf \"%s!\" | len }}", "21"),
        ("{{ block \"b\" .incident }}{{ .number }}{{ end }}", "1"),
        ("{{ define \"d\" }}<{{ .id }}>{{ end }}{{ template \"d\" .incident.service }}", "<svc_1>"),
        ("{{ (index .incident.links 0).href | len }}", "32"),
        (
            "{{ not true }} {{ or 0 \"\" \"x\" }} {{ and 1 0 }} {{ ne 1 2 }} {{ le 1 1 }} {{ ge 1 2 }} {{ lt 1.5 2.5 }}",
            "false x 0 true true false true",
        ),
        ("{{ range $k, $v := .incident.custom_details.labels }}{{ $k }}={{ $v }}{{ end }}", "job=api"),
    ] {
        assert_eq!(text(source, &page).as_deref(), Ok(expected), "{source}");
    }
}

/// Every function that templates are told they have is there.
#[test]
fn every_function_is_known_to_the_engine() {
    for name in instrument::FUNCTIONS {
        let why = text(&format!("{{{{ {name} }}}}"), &page(|_| {})).err().unwrap_or_default();
        assert!(!why.contains("undefined function"), "{name}: {why}");
    }
}

#[test]
fn get_reads_what_may_not_be_there() {
    let page = page(|incident| incident.details = details(&json!({"a": {"b.c/d": [1, {"e": "deep"}]}, "n": null})));
    for (source, expected) in [
        ("{{ get .incident.custom_details \"a\" \"b.c/d\" 1 \"e\" }}", "deep"),
        ("{{ get .incident.custom_details \"a\" \"nowhere\" \"e\" }}", ""),
        ("{{ get .incident.custom_details \"a\" \"b.c/d\" 9 }}", ""),
        ("{{ get .incident.custom_details \"n\" \"x\" }}", ""),
        ("{{ get .title \"x\" }}", ""),
        ("{{ or (get .incident.custom_details \"region\") \"somewhere\" }}", "somewhere"),
        ("{{ with get .incident.custom_details \"a\" }}{{ len . }}{{ end }}", "1"),
        ("{{ get .incident.custom_details \"region\" | printf \"%v\" }}", "<nil>"),
    ] {
        assert_eq!(text(source, &page).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn json_writes_what_the_contract_has() {
    let page = page(|_| {});
    let message = serde_json::to_value(&page).unwrap();
    let said = |source: &str| serde_json::from_str::<Json>(&text(source, &page).unwrap()).unwrap();
    assert_eq!(said("{{ json .message }}"), message);
    assert_eq!(said("{{ json .incident }}"), message["incident"]);
    assert_eq!(said("{{ json .incident.component }}"), "checkout");
    assert_eq!(said("{{ json .incident.service }}"), json!({"id": "svc_1", "name": "Shop"}));
    assert_eq!(said("{{ json .incident.images }}"), message["incident"]["images"]);
    assert_eq!(said("{{ json .Application }}"), "Shop:alertmanager:web-1");
    assert_eq!(
        said("{{ json (index .Reports 0) }}"),
        json!({"name": "checkout", "check": "http", "message": "Checkout answers 500"})
    );
    let written = text("{{ json .incident.custom_details }}", &page).unwrap();
    assert!(written.starts_with(r#"{"region": "eu-1", "value": 97.5"#), "as the tool wrote it: {written}");
    let odd = json!({"big": 18_446_744_073_709_551_615_u64, "low": -5, "none": null, "list": [1.5, true, "é\u{1}"], "object": {"b": 1, "a": {}}});
    let page = super::page(|incident| incident.details = details(&json!({"odd": odd})));
    assert_eq!(serde_json::from_str::<Json>(&text("{{ json .incident.custom_details.odd }}", &page).unwrap()).unwrap(), odd);
}

#[test]
fn a_body_is_for_json_where_it_looks_like_it() {
    for (source, body) in [
        ("{\"a\": 1}", Body::Json),
        (" \n[ {{ json . }} ]", Body::Json),
        ("[\"{{ .title }}\"]", Body::Json),
        ("[{{ range $i, $n := .notes }}{{ if $i }},{{ end }}{{ json $n }}{{ end }}]", Body::Json),
        ("{{ json .message }}", Body::Json),
        ("{{ .incident | json }}", Body::Json),
        ("{{ if .title }}\n  {\"a\": 1}{{ else }}{}{{ end }}", Body::Json),
        ("{{ $x := 1 }}{{ template \"t\" . }}{{ define \"t\" }} {} {{ end }}", Body::Json),
        ("[FIRING] {{ .title }}", Body::Text),
        ("[{{ .event }}] {{ .title }}", Body::Text),
        ("{{ if .title }}[OVER]{{ end }}", Body::Text),
        ("{{ .title }}", Body::Text),
        ("", Body::Text),
        ("a{}", Body::Text),
        ("{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}", Body::Text),
    ] {
        assert_eq!(Template::parse_as(source, None).unwrap().body(), body, "{source}");
    }
}

#[test]
fn a_template_is_compiled_once_and_run_by_many() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let template = Template::parse("{\"t\": {{ json .title }}, \"id\": \"{{ .id }}\"}", Body::Json).unwrap();
    shared(&template);
    let run = |n: usize| {
        let template = template.clone();
        std::thread::spawn(move || {
            (0..50).all(|k| {
                let made = template.render(&titled(&format!("{n}.{k}\"")), &format!("dlv_{n}")).unwrap();
                serde_json::from_slice::<Json>(&made.body).unwrap()
                    == json!({"t": format!("{n}.{k}\""), "id": format!("dlv_{n}")})
            })
        })
    };
    assert!((0..4).map(run).collect::<Vec<_>>().into_iter().all(|thread| thread.join().unwrap()));
}
