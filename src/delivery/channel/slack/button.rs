//! Buttons under a message in Slack, and what comes when one is pressed.
//!
//! <https://docs.slack.dev/reference/block-kit/block-elements/button-element>,
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>. A press comes as a form with one field, `payload`, that
//! holds JSON.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::{Deed, Press};
use crate::delivery::message::Incident;
use crate::incident::Status;
use crate::secret::Secret;

/// The buttons' ids.
const ACKNOWLEDGE: &str = "callbox_acknowledge";
const RESOLVE: &str = "callbox_resolve";
const OPEN: &str = "callbox_open";

/// A button that leads somewhere.
pub fn link(label: &str, url: &str) -> Value {
    json!({ "type": "button", "action_id": OPEN, "text": text(label), "url": url })
}

/// What can be done about an incident as it stands.
pub fn deeds(incident: &Incident) -> Vec<Value> {
    let button = |id: &str, label: &str| json!({ "type": "button", "action_id": id, "text": text(label), "value": incident.id });
    match incident.status {
        Status::Triggered => vec![button(ACKNOWLEDGE, "Acknowledge"), button(RESOLVE, "Resolve")],
        Status::Acknowledged => vec![button(RESOLVE, "Resolve")],
        Status::Resolved => Vec::new(),
    }
}

fn text(label: &str) -> Value {
    json!({ "type": "plain_text", "text": label, "emoji": false })
}

/// What was pressed; `None`: nothing of ours.
pub fn pressed(body: &[u8]) -> Option<Press> {
    let (_, payload) = form_urlencoded::parse(body).find(|(name, _)| name == "payload")?;
    let payload: Value = serde_json::from_str(&payload).ok()?;
    payload.get("type").filter(|kind| *kind == "block_actions")?;
    let deed = |action: &Value| match action.get("action_id")?.as_str()? {
        ACKNOWLEDGE => Some((Deed::Acknowledge, action.get("value")?.as_str()?.to_owned())),
        RESOLVE => Some((Deed::Resolve, action.get("value")?.as_str()?.to_owned())),
        _ => None,
    };
    let (deed, incident) = payload.get("actions")?.as_array()?.iter().find_map(deed)?;
    let user = payload.get("user")?;
    let name = ["username", "name", "id"].iter().find_map(|field| user.get(field)?.as_str());
    let whispers_to = payload.get("response_url").and_then(Value::as_str).map(Secret::new);
    Some(Press { deed, incident, by: name?.to_owned(), whispers_to })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::incident;
    use super::*;

    fn form(payload: &Value) -> String {
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
    }

    #[test]
    fn what_can_be_done_depends_on_where_it_stands() {
        let mut incident = incident("x").incident.unwrap();
        let ids = |incident: &Incident| {
            deeds(incident).into_iter().map(|button| button["action_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&incident), [ACKNOWLEDGE, RESOLVE]);
        assert_eq!(deeds(&incident)[0]["value"], "inc_1");
        incident.status = Status::Acknowledged;
        assert_eq!(ids(&incident), [RESOLVE]);
        incident.status = Status::Resolved;
        assert_eq!(ids(&incident), [""; 0]);
    }

    #[test]
    fn a_press_says_what_about_what_and_by_whom() {
        let payload = |id: &str, user: Value| json!({ "type": "block_actions", "user": user, "actions": [{ "action_id": OPEN }, { "action_id": id, "value": "inc_1" }] });
        let got = pressed(form(&payload(ACKNOWLEDGE, json!({ "id": "U1", "username": "ann" }))).as_bytes());
        assert_eq!(
            got,
            Some(Press { deed: Deed::Acknowledge, incident: "inc_1".to_owned(), by: "ann".to_owned(), whispers_to: None })
        );
        let got = pressed(form(&payload(RESOLVE, json!({ "id": "U1" }))).as_bytes());
        assert_eq!(got.map(|press| (press.deed, press.by)), Some((Deed::Resolve, "U1".to_owned())));
        for body in [
            form(&payload("other", json!({ "id": "U1" }))),
            form(&json!({ "type": "view_closed" })),
            "payload=%7B".to_owned(),
            String::new(),
        ] {
            assert_eq!(pressed(body.as_bytes()), None, "{body}");
        }
    }
}
