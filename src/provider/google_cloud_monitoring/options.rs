//! The option `oidc`: what the ID token of a push subscription must say.

use serde_json::Value;
use url::Url;

use crate::provider::OptionProblem;
use crate::signature::published::oidc::{GOOGLE, GOOGLE_KEYS, Rules};

const NAMES: &[&str] = &["audience", "email", "issuer", "jwksUrl"];

/// Reads the options; `None` where no token is demanded.
pub(super) fn read(options: &Value) -> Result<Option<Rules>, Vec<OptionProblem>> {
    let members = match options {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(vec![OptionProblem::new("options", "must be an object")]),
    };
    let unknown = members.keys().filter(|name| *name != "oidc");
    let mut problems: Vec<OptionProblem> = unknown.map(|name| OptionProblem::unknown(name, &["oidc"])).collect();
    let rules = match members.get("oidc").filter(|oidc| !oidc.is_null()) {
        Some(oidc) => rules(oidc, &mut problems),
        None => None,
    };
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

fn rules(oidc: &Value, problems: &mut Vec<OptionProblem>) -> Option<Rules> {
    let Some(members) = oidc.as_object() else {
        problems.push(OptionProblem::new("oidc", "must be an object with audience and email"));
        return None;
    };
    for name in members.keys().filter(|name| !NAMES.contains(&name.as_str())) {
        let OptionProblem { problem, .. } = OptionProblem::unknown(name, NAMES);
        problems.push(OptionProblem::new(format!("oidc.{name}"), problem));
    }
    let text = |name: &str| members.get(name).filter(|value| !value.is_null());
    let mut required = |name: &str, why: &str| match text(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(text.to_owned()),
        None => {
            problems.push(OptionProblem::new(format!("oidc.{name}"), why));
            None
        }
    };
    let audience = required("audience", "must be the audience that the push subscription sets");
    let email = required("email", "must be the service account that the push subscription authenticates as");
    let issuers = match text("issuer").map(Value::as_str) {
        None => GOOGLE.map(str::to_owned).to_vec(),
        Some(Some(issuer)) => vec![issuer.to_owned()],
        Some(None) => {
            problems.push(OptionProblem::new("oidc.issuer", "must be a text"));
            return None;
        }
    };
    let url = text("jwksUrl").map_or(Some(GOOGLE_KEYS), Value::as_str).and_then(|text| Url::parse(text).ok());
    let Some(keys) = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty())
    else {
        problems.push(OptionProblem::new("oidc.jwksUrl", "must be a URL such as https://www.googleapis.com/oauth2/v3/certs"));
        return None;
    };
    Some(Rules { audience: audience?, email: email?, issuers, keys })
}
