//! What templates take at worst, and templates that nobody would write.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

#[test]
#[ignore = "measures"]
fn what_the_worst_takes() {
    let fill = "{{ $x := printf \"%60000d\" 1 }}{{ $y := print $x }}";
    let each = |what: &str| format!("{fill}{{{{ range 10000 }}}}{}{{{{ end }}}}", what.repeat(1000));
    let ballast = page(|incident| {
        incident.details = details(&serde_json::json!({"a": (0..30_000).collect::<Vec<_>>(), "b": "y".repeat(60_000)}))
    });
    for (name, source) in [
        ("doubling", "{{ $x := \"ab\" }}{{ range 28 }}{{ $x = print $x $x }}{{ end }}".to_owned()),
        ("compare long texts", each("{{ if eq $x $y }}{{ end }}")),
        ("slice long texts", each("{{ $x = slice $x 1 }}")),
        ("slice a list", each("{{ $z := slice $.incident.custom_details.a 1 }}")),
        ("show a list", each("{{ $z := len (slice $.incident.custom_details.a 20000) }}")),
        ("not", each("{{ if not $x }}{{ end }}")),
        ("variables", each("{{ $z := $x }}")),
        ("formats", format!("{{{{ range 10000 }}}}{{{{ $z := printf \"{}\" 1 }}}}{{{{ end }}}}", "%[1]2000d".repeat(32))),
        (
            "quotes",
            format!("{fill}{{{{ range 10000 }}}}{{{{ $z := len (print {}) }}}}{{{{ end }}}}", "(slice $x 0 4000) ".repeat(16)),
        ),
        ("outputs", format!("{{{{ range 10000 }}}}{}{{{{ end }}}}", "{{ $.id }}".repeat(10))),
        ("json", "{{ range 10000 }}{{ $z := json $.incident }}{{ end }}".to_owned()),
        ("a large incident", "{{ len .incident.custom_details.a }}".to_owned()),
        ("one that is too large", "{{ json .incident }}".to_owned()),
        ("an ordinary one", Named::by_name("opsknight").unwrap().source(About::Incident).unwrap().to_owned()),
    ] {
        let template = Template::parse(&source, Body::Text).unwrap();
        let memory = Memory::now();
        let begun = Instant::now();
        let made = template.render(&ballast, "dlv_1").map(|made| made.body.len());
        eprintln!("{name:22} {:>8.1?} {:>6} KiB at most {made:?}", begun.elapsed(), memory.most());
    }
}

/// The most memory that this process has had since a moment, as Linux counts it.
struct Memory(usize);

impl Memory {
    fn now() -> Self {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self(Self::peak())
    }

    fn most(&self) -> usize {
        Self::peak() - self.0
    }

    fn peak() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
    }
}

/// Pieces of templates, well-formed or not.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        ".",
        ".title",
        ".incident",
        ".Reports",
        "$",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        "if ",
        "else ",
        "end",
        "range ",
        "with ",
        "define \"a\"",
        "template \"a\"",
        "block \"a\" .",
        "break",
        "continue",
        "printf ",
        "print ",
        "json ",
        "get ",
        "index ",
        "slice ",
        "len ",
        "eq ",
        "and ",
        "or ",
        "not ",
        "call ",
        "html ",
        "\"%s\" ",
        "\"%[1]*d\" ",
        "1 ",
        "-1 ",
        "9999999999 ",
        "1e400 ",
        "'a' ",
        "nil ",
        "true ",
        "`raw` ",
        "/* c */",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "é",
        "\u{1}",
        "\u{2}",
        "0x1p-2 ",
        "{{end}}",
        "{{if .title}}",
        "{{range 3}}",
        "{{.title}}",
    ]);
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_template_panics(source in pieces()) {
        for body in [Body::Json, Body::Text] {
            if let Ok(template) = Template::parse(&source, body) {
                let _ = template.try_out(About::Incident);
                if let Ok(made) = template.render(&page(|_| {}), "dlv_1") && body == Body::Json {
                    prop_assert!(serde_json::from_slice::<Json>(&made.body).is_ok());
                }
            }
        }
    }
}
