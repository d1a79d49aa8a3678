//! Templates that would take all time and all memory, and what stops each.

use std::time::{Duration, Instant};

use super::*;

/// Why a template fails: when it is parsed, or when it runs; in time.
fn refused(source: &str) -> String {
    let begun = Instant::now();
    let why = text(source, &page(|_| {})).map(|made| made.len());
    // Far above what it takes (`work::what_the_worst_takes`): machines that build are busy.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    why.unwrap_err()
}

#[test]
fn g1_doubling_ends_at_the_length_of_a_value() {
    for doubled in [
        "printf \"%s%s\" $x $x",
        "print $x $x",
        "println $x $x",
        "html (print $x $x)",
        "urlquery (print $x $x)",
        "js (print $x $x)",
    ] {
        let why = refused(&format!("{{{{ $x := \"ab\" }}}}{{{{ range 28 }}}}{{{{ $x = {doubled} }}}}{{{{ end }}}}"));
        assert!(why.contains("64 KiB"), "{doubled}: {why}");
    }
    let nested = (0..20).fold("\"ab\"".to_owned(), |inner, _| format!("(print {inner} {inner})").chars().take(60_000).collect());
    assert!(!refused(&format!("{{{{ {nested} }}}}")).is_empty());
    let piped = "| printf \"%s%s\" $x ".repeat(500);
    assert!(refused(&format!("{{{{ $x := printf \"%9999d\" 1 }}}}{{{{ $x {piped} }}}}")).contains("64 KiB"));
}

#[test]
fn doubling_by_more_variables_than_a_text_may_be_long_costs_work() {
    let kept: String = (0..200).map(|n| format!("{{{{ $v{n} := print $x \"{n}\" }}}}")).collect();
    assert!(refused(&format!("{{{{ $x := printf \"%60000d\" 1 }}}}{kept}")).contains("too much"));
}

#[test]
fn g2_loops_and_recursion_end() {
    assert!(refused("{{ range 2000000000 }}x{{ end }}").contains("10000 times"));
    assert!(refused("{{ range 2000 }}{{ range 2000 }}{{ end }}{{ end }}").contains("10000 times"));
    assert!(refused("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}").contains("too deeply"));
    let parentheses = format!("{}.{}", "(".repeat(90), ")".repeat(90));
    let deep = format!(
        "{{{{ define \"a\" }}}}{{{{ with {parentheses} }}}}{{{{ template \"a\" {parentheses} }}}}{{{{ end }}}}{{{{ end }}}}{{{{ template \"a\" . }}}}"
    );
    assert!(refused(&deep).contains("too deeply"));
    let tree: String = (0..40)
        .map(|n| format!("{{{{ define \"t{n}\" }}}}{{{{ template \"t{0}\" }}}}{{{{ template \"t{0}\" }}}}{{{{ end }}}}", n + 1))
        .collect();
    assert!(refused(&format!("{tree}{{{{ define \"t40\" }}}}{{{{ end }}}}{{{{ template \"t0\" }}}}")).contains("too much"));
    let busy = "{{ if eq $x $x }}{{ end }}".repeat(2000);
    assert!(
        refused(&format!("{{{{ $x := printf \"%60000d\" 1 }}}}{{{{ range 10000 }}}}{busy}{{{{ end }}}}")).contains("too much")
    );
}

#[test]
fn g3_nesting_is_refused_when_it_is_parsed() {
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000));
    let ifs = format!("{}{}", "{{if 1}}".repeat(3_000), "{{end}}".repeat(3_000));
    for source in [deep, ifs] {
        let problem = Template::parse(&source, Body::Text).unwrap_err();
        assert!(problem.message.contains("depth"), "{problem}");
    }
    for word in ["if", "with"] {
        let chain = |length: usize| format!("{{{{if 0}}}}{}{{{{end}}}}", format!("{{{{else\n{word} 0}}}}").repeat(length));
        assert!(text(&chain(100), &page(|_| {})).is_ok());
        assert!(refused(&chain(101)).contains("else if"));
        assert!(refused(&chain(4_000)).contains("else if"));
    }
}

#[test]
fn g4_formats_are_bounded() {
    assert_eq!(text("{{ len (printf \"%99999999d\" 1) }}", &page(|_| {})).unwrap(), "65535");
    assert!(text("{{ len (printf \"%*d\" 99999999 1) }}", &page(|_| {})).unwrap() == "65535");
    let again = "%[1]65535d".repeat(33);
    for call in [format!("printf \"{again}\" 1"), format!("\"{again}\" | printf"), format!("printf (print \"{again}\") 1")] {
        assert!(refused(&format!("{{{{ {call} }}}}")).contains("32 verbs"), "{call}");
    }
    let arguments = " 1".repeat(17);
    assert!(refused(&format!("{{{{ print{arguments} }}}}")).contains("16 arguments"));
    assert_eq!(text("{{ printf \"%s-%05.1f-%[1]q\" \"a\" 2.25 }}", &page(|_| {})).unwrap(), "a-002.2-\"a\"");
}

#[test]
fn the_result_is_bounded() {
    assert!(refused(&format!("{{{{ range 9000 }}}}{}{{{{ end }}}}", "x".repeat(60_000))).contains("64 KiB"));
    let long = "{{ $x := printf \"%30000d\" 1 }}{\"a\": \"{{ $x }}{{ $x }}{{ $x }}\"}";
    assert!(json(long, &page(|_| {})).unwrap_err().contains("64 KiB"));
    let controls = "\u{7}".repeat(20_000);
    assert!(json("{\"a\": \"{{ .title }}\"}", &titled(&controls)).unwrap_err().contains("64 KiB"), "six bytes each");
    let source = " ".repeat(65 * 1024);
    assert!(Template::parse(&source, Body::Text).unwrap_err().message.contains("longer"));
}

#[test]
fn g5_what_cannot_be_done_is_an_error_that_names_the_line() {
    let page = page(|_| {});
    for (source, line, why) in [
        ("a\n{{ .incident.titel }}", 2, "no field \"titel\""),
        ("{{ .incident.custom_details.nowhere }}", 1, "write get"),
        ("\n\n{{ index .incident.links 7 }}", 3, "index out of range: 7"),
        ("{{ slice .title 3 1 }}", 1, "slice"),
        ("{{ call .title }}", 1, "call: non-function"),
        ("{{ .title 1 }}", 1, "argument to non-function"),
        ("{{ json }}", 1, "json takes one value"),
        ("{{ get . }}", 1, "get takes"),
        ("{{ len 3 }}", 1, "len"),
        ("{{ lt 1 \"a\" }}", 1, "incompatible types"),
        ("{{ range .title }}{{ end }}", 1, "cannot range over"),
        ("{{ if true }}\n{{ else }}{{ end }}\n{{ template \"x\" . }}{{ define \"x\" }}\n{{ .y }}{{ end }}", 4, "no field \"y\""),
        ("{{ .title.x }}", 1, "can't evaluate field x"),
    ] {
        let said = text(source, &page).unwrap_err();
        assert!(said.contains(why), "{source}: {said}");
        assert!(said.starts_with(&format!("the template failed in its line {line}: ")), "{source}: {said}");
    }
}

#[test]
fn what_go_refuses_when_it_parses_is_refused_when_it_is_saved() {
    for (source, line, why) in [
        ("{{ shout .title }}", 1, "no function \"shout\""),
        ("{{ if false }}\n{{ print (shout 1) }}{{ end }}", 2, "no function"),
        ("a{{ $x }}", 1, "no variable $x"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}\n{{ $x }}", 2, "no variable"),
        ("{{ $x = 1 }}", 1, "no variable"),
        ("{{ range $i, $e := .notes }}{{ end }}{{ $i }}", 1, "no variable"),
        ("{{ define \"x\" }}{{ $y }}{{ end }}{{ $y := 1 }}", 1, "no variable"),
        ("\n{{ template \"x\" }}", 2, "no template \"x\""),
        ("{{ define \"x\" }}a{{ end }}\n{{ define \"x\" }}b{{ end }}", 2, "defined twice"),
        ("\n{{ if }}{{ end }}", 2, ""),
        ("{{ .title", 1, "unclosed"),
        ("{{ }}", 1, ""),
        ("x\n{{ if true }}\na", 2, "no {{ end }}"),
        ("\n\n{{ range .notes }}{{ if true }}{{ end }}{{ else }}{{ with 1 }}", 3, "no {{ end }}"),
        ("{{ if true }}{{ break }}{{ end }}", 1, "outside every range"),
        ("{{ range 1 }}{{ else }}{{ continue }}{{ end }}", 1, "outside every range"),
        ("a\u{1}0\u{2}", 1, "control character"),
    ] {
        let problem = Template::parse(source, Body::Text).expect_err(source);
        assert_eq!(problem.line, Some(line), "{source}: {problem}");
        assert!(problem.message.contains(why), "{source}: {problem}");
    }
    for source in [
        "a{{ end }}b",
        "{{ else }}",
        "{{ if 1 }}{{ end }}{{ end }}",
        "{{ define \"x\" }}a",
        "{{ block \"x\" . }}a",
        "{{ if 1 }}{{ else }}{{ else }}{{ end }}",
    ] {
        assert!(Template::parse(source, Body::Text).is_err(), "{source}");
    }
    for source in [
        "{",
        "{{ 1 -}}",
        "a\n",
        "{{/* c */}}",
        "{{ range 1 }}{{ if 1 }}{{ continue }}{{ end }}{{ end }}",
        "{{ define \"x\" }}a{{ end }}",
        "{{- nil | print -}} ",
    ] {
        assert!(Template::parse(source, Body::Text).is_ok(), "{source}");
    }
    assert!(
        Template::parse(
            "{{ if $x := 1 }}{{ $x }}{{ else }}{{ $x }}{{ end }}{{ $y := 2 }}{{ with 1 }}{{ $y }}{{ end }}",
            Body::Text
        )
        .is_ok()
    );
}

#[test]
fn details_that_are_too_large_are_left_out_and_the_rest_is_told() {
    let large = |size: usize| page(|incident| incident.details = details(&serde_json::json!({"log": "x".repeat(size)})));
    let source = "{\"all\": {{ json .incident }}, \"notes\": {{ json .notes }}}";
    let small = json(source, &large(1000)).unwrap();
    assert_eq!(
        (small["all"]["custom_details"]["log"].as_str().unwrap().len(), small["notes"].as_array().unwrap().len()),
        (1000, 0)
    );
    for size in [70_000, 300_000, 8_000_000] {
        let told = json(source, &large(size)).unwrap();
        assert_eq!(told["all"]["title"], "Checkout answers 500");
        assert!(told["all"].get("custom_details").is_none_or(Json::is_null), "{size}");
        assert!(told["notes"][0].as_str().unwrap().contains("too large"), "{told}");
    }
    let clipped = text("{{ len (get .incident.custom_details \"log\") }}", &large(100_000));
    assert_eq!(clipped.unwrap(), "65536", "one text of many keeps its beginning");
    let told = change(|change| change.custom_details = Some(serde_json::json!({"log": ["x".repeat(300_000)]})));
    assert_eq!(
        json("{\"c\": {{ json .change.custom_details }}, \"n\": {{ len .notes }}}", &told).unwrap(),
        serde_json::json!({"c": {}, "n": 1})
    );
}
