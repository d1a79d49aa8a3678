//! What SMS and WhatsApp have in common at Twilio: one resource, one form.
//!
//! <https://www.twilio.com/docs/messaging/api/message-resource>. A request goes to one receiver.

use super::settings::{self, Settings};
use super::{Parcel, Target};
use crate::secret::Secret;

/// Where the API is.
const API: &str = "https://api.twilio.com";

/// A message to the receiver that `target` names, each number with `prefix`, with what `fields` say.
///
/// # Errors
/// A setting is missing; a sentence that names it.
pub fn message(target: &Target, prefix: &str, fields: &[(&str, &str)]) -> Result<Parcel, String> {
    let (user, password) = target.basic_auth.as_ref().ok_or("there are no credentials: set basic_auth")?;
    let account = account(target).ok_or("the account is not named: set account_sid")?;
    let from = target.text("from").ok_or("there is no sender: set from")?;
    let to = format!("{prefix}{}", target.text("to").ok_or("there is no receiver: set to")?);
    let numbered = format!("{prefix}{from}");
    let sender = if is_sid(from, "MG") { ("MessagingServiceSid", from) } else { ("From", numbered.as_str()) };
    let fields: Vec<(&str, &str)> = [("To", to.as_str()), sender].into_iter().chain(fields.iter().copied()).collect();
    let url = Secret::new(format!("{}/2010-04-01/Accounts/{account}/Messages.json", target.base(API)));
    Ok(Parcel::form(&url, &fields).basic(user, password))
}

/// Checks what every message needs; `is_from` says what else than a number may send.
pub fn check(settings: &mut Settings<'_>, target: &Target, is_from: fn(&str) -> bool, what: &str) {
    settings.own_url();
    settings.login(
        |user| is_sid(user, "AC") || is_sid(user, "SK"),
        "the Account SID (AC…) and its auth token, or an API key (SK…) and its secret",
    );
    settings.text("account_sid", false, |sid| is_sid(sid, "AC"), "the Account SID: AC…");
    if account(target).is_none() {
        settings.wrong("account_sid", "must be the Account SID (AC…), because the credentials are an API key's");
    }
    settings.text("from", true, |from| is_phone(from) || is_sid(from, "MG") || is_from(from), what);
    settings.text("to", true, is_phone, "the receiver's number with its country: +4915112345678");
}

fn account(target: &Target) -> Option<&str> {
    let user = target.basic_auth.as_ref().map(|(user, _)| user.as_str());
    target.text("account_sid").or(user).filter(|sid| is_sid(sid, "AC"))
}

/// An id of Twilio's: two letters and 32 hex digits.
fn is_sid(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A number as it is dialled from anywhere (<https://www.itu.int/rec/T-REC-E.164>): a plus and up to 15 digits.
pub fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && settings::is_number(digits)
}

/// An id of a template's content.
pub fn is_content(text: &str) -> bool {
    is_sid(text, "HX")
}
