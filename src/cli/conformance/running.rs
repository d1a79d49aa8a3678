//! The test of an integration of a running service, from outside and without leaving anything open.

use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::body::Message;
use super::cases::{self, Case, Expected, Material, Plan};
use super::door::{Door, Outcome};
use super::report::Report;
use crate::cli::Session;
use crate::cli::api::Query;
use crate::cli::args::read_file;
use crate::cli::failure::usage;
use crate::cli::lookup::{self, Named};
use crate::cli::read::{array, text};
use crate::config;
use crate::provider::Registry;
use crate::secret::Secret;
use crate::signature::sign;
use crate::time::Clock;

/// Why a case is left out that would have an effect.
const HAS_EFFECT: &str = "it would open an incident";
/// What the tests of this program's own service cover.
const ROTATION: &str = "a running service is not rotated; `callbox conformance` alone tests it";

/// Tests the integration with this name or id.
///
/// # Errors
/// It cannot be found, has no secret, or is of a type that this program does not know.
pub async fn run(session: &Session, integration: &str, file: Option<&Path>) -> anyhow::Result<Report> {
    let mut door = find(session, integration, secret(file)?).await?;
    let message = harmless(session, &door).await?;
    let (scheme, secret, key) = (door.scheme.clone(), door.secret.clone(), door.key.clone());
    let now = Clock::System.now();
    let fallback = Message::samples(&door.kind).pop();
    let Some(sample) = message.as_ref().or(fallback.as_ref()) else { return Ok(Report::default()) };
    let material = Material { scheme: &scheme, secret: &secret, key: &key, message: sample, now };
    let mut report = Report::default();
    for case in cases::all(&material)? {
        let case = without_effect(session, &door, case).await?;
        report.rows.push(door.try_case(session, case).await?);
    }
    report.rows.push(door.row("rotation", Outcome::Skipped, Expected::Refused, ROTATION));
    Ok(report)
}

/// The secret: from a file, or from the environment; never an argument, which others can see.
fn secret(file: Option<&Path>) -> anyhow::Result<Secret> {
    let text = match file {
        Some(path) => {
            let text = String::from_utf8(read_file(path)?).map_err(|_| usage("the signature secret is not UTF-8 text"))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => config::environment().find(|(name, _)| name == "CALLBOX_SIGNATURE_SECRET").map(|(_, value)| value),
    };
    let text = text.filter(|text| !text.is_empty());
    text.map(Secret::new)
        .ok_or_else(|| usage("give the integration's secret with --signature-secret-file or CALLBOX_SIGNATURE_SECRET"))
}

async fn find(session: &Session, wanted: &str, secret: Secret) -> anyhow::Result<Door> {
    let id = lookup::id(&session.api, Named::Integration, wanted).await?;
    let found = session.api.get(&["integrations", &id], &Query::new()).await?;
    let kind = text(&found, "type");
    let Some(tool) = Registry::built_in().by_type(&kind) else {
        return Err(usage(format!("the type {kind:?} is not one of this program's: how it signs is not known here")));
    };
    if text(&found, "policy") != "signature" {
        return Err(usage(format!(
            "{wanted} demands no signature: set a secret with `callbox integration update {wanted}` first"
        )));
    }
    let options = found.get("options").cloned().unwrap_or_default();
    let compiled =
        tool.compile(&options).map_err(|problems| usage(format!("its options are not understood here: {problems:?}")))?;
    let scheme = tool.scheme(&compiled);
    let url = text(&found, "url").parse().context("its URL is not shown: the token needs the scope integrations:write")?;
    let named = scheme.name().to_owned();
    Ok(Door { kind, id, named, scheme, url, key: Secret::new(text(&found, "key")), secret, from: None, refusal: None })
}

/// A request of the tool's that would change nothing here and now, as the service itself says.
async fn harmless(session: &Session, door: &Door) -> anyhow::Result<Option<Message>> {
    for message in Message::samples(&door.kind) {
        if has_no_effect(session, door, &message).await? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

/// The case, unless it would change anything if it were accepted, as it should be.
async fn without_effect(session: &Session, door: &Door, case: Case) -> anyhow::Result<Case> {
    let harmless = match (&case.plan, case.expected) {
        (Plan::Post { message, .. }, Expected::Accepted) => has_no_effect(session, door, message).await?,
        // Should it be accepted after all, it had better be harmless too: it says the same as the good one, or is no alert.
        _ => true,
    };
    Ok(if harmless { case } else { Case { plan: Plan::Skip(HAS_EFFECT), ..case } })
}

/// Asks the service what it would make of the message if it were signed.
async fn has_no_effect(session: &Session, door: &Door, message: &Message) -> anyhow::Result<bool> {
    let proof = sign(&door.scheme, std::slice::from_ref(&door.secret), "msg_conformance", &message.body, Clock::System.now());
    let pairs = message.headers.iter().chain(&proof);
    let headers: Map<String, Value> = pairs.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let query: Map<String, Value> =
        message.query.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    let question = json!({
        "headers": headers, "query": query, "body_base64": STANDARD.encode(&message.body), "integration_id": door.id,
    });
    let trace = session.api.post(&["explain", &door.kind], &question).await?;
    // What would be refused has no effect, and shall be posted: with a wrong secret everything should fail.
    if text(&trace, "verdict") == "unauthorized" {
        return Ok(true);
    }
    let acts = |event: &Value| !matches!(text(event, "outcome").as_str(), "unmatched" | "stale");
    Ok(!array(&trace, "events").iter().any(acts) && array(&trace, "changes").is_empty())
}
