//! The page about every tool, `docs/sources.md`: made from what the program knows of each, so that it cannot say anything else.

use std::fmt::Write;

use super::{Clock, Meta, Method, Provider, Registry, Resolves, Setup};
use crate::signature::{Proof, Scheme, Signed};

/// The command that writes the page anew.
pub const COMMAND: &str = "UPDATE_DOCS=1 cargo test --lib provider::tests::sources";

const HEAD: &str = "# Sources: the tools that can be integrated

<!-- Made from the program by `COMMAND`. Change src/provider, not this page. -->

`callbox integration create TYPE --name NAME` makes an integration and prints its setup text with its own URL and key; `callbox
integration show NAME --setup` prints it again. Below, `https://callbox.example` stands for your Callbox, HOOK for the secret part of
the integration's URL, KEY for its routing key. Lines about the key are shown only where the policy demands it, lines about a signature
only where a secret is set.

Every tool may prove itself by the secret URL alone. On top of it any may be asked for the key: as `Authorization: Bearer`, as the
password of Basic, in `X-Api-Key` and its like, or as `&key=` in the URL. Where a signature secret is set, it must sign; one that cannot
may use `X-Signature` (hex HMAC-SHA256 of the body) or Standard Webhooks, added by a proxy. `callbox conformance` holds all of them to
it.

";

/// The whole page.
pub fn page(tools: &Registry) -> String {
    let mut page = HEAD.replace("COMMAND", COMMAND);
    page.push_str("| type | tool | signs | says that it is over |\n|---|---|---|---|\n");
    for tool in tools.tools() {
        let meta = tool.meta();
        let signs = if meta.scheme == Scheme::Generic { "no" } else { meta.scheme.name() };
        let over = match meta.resolves {
            Resolves::Never => "never",
            Resolves::OnTransition => "yes",
            Resolves::Repeats => "yes, and repeats while it fires",
        };
        // A name has no anchor of its own where it is written with signs; the type always has.
        line(&mut page, &format!("| [`{0}`](#{0}) | {1} | {signs} | {over} |", meta.kind, meta.name));
    }
    tools.tools().for_each(|tool| section(&mut page, tool));
    page
}

fn line(page: &mut String, text: &str) {
    // A String takes everything.
    let _ = writeln!(page, "{text}");
}

fn section(page: &mut String, tool: &dyn Provider) {
    let meta = tool.meta();
    line(page, &format!("\n## {}\n\n{} (<{}>)\n", meta.kind, meta.name, meta.docs));
    line(page, "| | |\n|---|---|");
    let mut row = |name: &str, text: &str| {
        if !text.is_empty() {
            line(page, &format!("| {name} | {} |", text.replace('|', "\\|")));
        }
    };
    row("also called", &code(meta.aliases));
    row("what it can prove", &meta.about("auth"));
    row("signature", &signature(&meta.scheme));
    row("the key also in", &code(meta.key_headers));
    row("credentials in its body, not kept", &code(meta.secret_fields));
    row("sends by", &methods(meta));
    row("redelivery", &redelivery(meta));
    row("says that it is over", &over(meta));
    row("order of its messages", order(meta.clock));
    line(page, &format!("\n```text\n{}\n```", setup(meta).trim_end()));
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn signature(scheme: &Scheme) -> String {
    let hmac = match scheme.proof() {
        _ if *scheme == Scheme::Generic => return "none of its own".to_owned(),
        Proof::Token(token) => return format!("none: the secret itself in `{}`", token.header),
        Proof::Hmac(hmac) => hmac,
    };
    let signed = match &hmac.signed {
        Signed::Body => "the raw body".to_owned(),
        other => format!("`{}`", other.described()),
    };
    let time = if hmac.signed.timestamp_header().is_some() { ", not older than 5 minutes" } else { ", without a time" };
    let encoding = format!("{:?}", hmac.encoding).to_ascii_lowercase();
    format!("`{}`: {encoding} HMAC-{} of {signed}{time}", hmac.header, hmac.algorithm.name())
}

fn methods(meta: &Meta) -> String {
    let more = meta.methods.iter().map(|method| match method {
        Method::Get => "GET with everything in the URL",
        Method::Options => "OPTIONS for its handshake",
    });
    ["POST", "PUT"].into_iter().chain(more).collect::<Vec<_>>().join(", ")
}

fn redelivery(meta: &Meta) -> String {
    let id = match meta.delivery_header {
        Some(header) => format!("one that comes again with the same `{header}` and body has no further effect"),
        None => String::new(),
    };
    [meta.about("redelivery"), id].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

fn over(meta: &Meta) -> String {
    match meta.resolves {
        Resolves::Never => "never: an incident closes 24 hours after its last alert (`auto_resolve_after`)".to_owned(),
        Resolves::OnTransition => "once, when the state changes".to_owned(),
        Resolves::Repeats => {
            "yes, and repeats the alert while it fires; without a repeat it closes after 24 hours (`auto_resolve_after`)"
                .to_owned()
        }
    }
}

fn order(clock: Clock) -> &'static str {
    match clock {
        Clock::Arrival => "as they arrive",
        Clock::Transition => "by the time at which each state began: a late message changes nothing",
        Clock::Episode => "by the start of each episode: a late message of an earlier one changes nothing",
    }
}

fn setup(meta: &Meta) -> String {
    let base = format!("https://callbox.example/api/integrations/{}", meta.kind);
    let signs = meta.scheme != Scheme::Generic;
    meta.setup(&Setup {
        name: "NAME",
        url: &format!("{base}?integrationId=HOOK"),
        base_url: &format!("{base}/HOOK"),
        origin: "https://callbox.example",
        key: "KEY",
        signed: signs,
        key_required: !signs,
    })
}
