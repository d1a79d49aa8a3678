//! What each form names, as a table.

use serde_json::{Value, json};

use super::super::by_kind;
use super::shorthand;

/// Kind, URL, token, login and options.
type Read = (&'static str, String, Option<String>, Option<String>, Value);

fn read(text: &str) -> Option<Read> {
    let named = shorthand(text)?;
    let token = named.token.as_ref().map(|token| token.expose().to_owned());
    let login = named.basic_auth.as_ref().map(|(user, password)| format!("{user}:{}", password.expose()));
    Some((named.kind, named.url.expose().to_owned(), token, login, Value::Object(named.options)))
}

#[test]
fn each_form_names_a_destination_that_is_well_set_up() {
    let key = "0123456789abcdef0123456789abcdef";
    let sid = format!("AC{key}");
    let app = "11111111-2222-4333-8444-555555555555";
    let arn = "arn:aws:sns:eu-west-1:123456789012:pages";
    let cases = [
        ("slack://T1/B1/abc".to_owned(), "slack", "https://hooks.slack.com/services/T1/B1/abc", None, None, json!({})),
        (
            "slack://xoxb-1-a@C0ABC?buttons=true&mentions=<@U1>,<!here>".to_owned(),
            "slack",
            "",
            Some("xoxb-1-a"),
            None,
            json!({ "channel": "C0ABC", "buttons": true, "mentions": ["<@U1>", "<!here>"] }),
        ),
        (
            "https://hooks.slack.com/services/T1/B1/abc".to_owned(),
            "slack",
            "https://hooks.slack.com/services/T1/B1/abc",
            None,
            None,
            json!({}),
        ),
        (format!("pagerduty://{key}"), "pagerduty", "", Some(key), None, json!({})),
        (
            format!("pagerduty://{key}@events.eu.pagerduty.com"),
            "pagerduty",
            "https://events.eu.pagerduty.com/v2/enqueue",
            Some(key),
            None,
            json!({}),
        ),
        (
            "discord://1/a-b_c?thread_id=9".to_owned(),
            "discord",
            "https://discord.com/api/webhooks/1/a-b_c?thread_id=9",
            None,
            None,
            json!({}),
        ),
        ("discord://tok@1".to_owned(), "discord", "https://discord.com/api/webhooks/1/tok", None, None, json!({})),
        (
            "https://discord.com/api/webhooks/1/tok/slack".to_owned(),
            "discord",
            "https://discord.com/api/webhooks/1/tok/slack",
            None,
            None,
            json!({}),
        ),
        (
            "telegram://110201543:AAH_x-y@-1001234".to_owned(),
            "telegram",
            "",
            Some("110201543:AAH_x-y"),
            None,
            json!({ "chat_id": -1_001_234 }),
        ),
        (
            "telegram://1:a@@ops/5".to_owned(),
            "telegram",
            "",
            Some("1:a"),
            None,
            json!({ "chat_id": "@ops", "message_thread_id": 5 }),
        ),
        (
            "msteams://x.westeurope.logic.azure.com/workflows/1?sig=s".to_owned(),
            "msteams",
            "https://x.westeurope.logic.azure.com/workflows/1?sig=s",
            None,
            None,
            json!({}),
        ),
        (
            "https://x.westeurope.logic.azure.com:443/workflows/1?sig=s".to_owned(),
            "msteams",
            "https://x.westeurope.logic.azure.com:443/workflows/1?sig=s",
            None,
            None,
            json!({}),
        ),
        (
            "googlechat://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t".to_owned(),
            "google-chat",
            "https://chat.googleapis.com/v1/spaces/S/messages?key=k&token=t",
            None,
            None,
            json!({}),
        ),
        (
            "mattermost://chat.example/hooks/abc?channel=ops".to_owned(),
            "mattermost",
            "https://chat.example/hooks/abc",
            None,
            None,
            json!({ "channel": "ops" }),
        ),
        (
            "mattermost://chat.example:8065/team/abc".to_owned(),
            "mattermost",
            "https://chat.example:8065/team/hooks/abc",
            None,
            None,
            json!({}),
        ),
        (
            "opsgenie://key@eu?teams=ops,db".to_owned(),
            "opsgenie",
            "",
            Some("key"),
            None,
            json!({ "region": "eu", "teams": ["ops", "db"] }),
        ),
        (
            "smtps://u%40x:p%2F@mail.example.com:465/?from=a@example.com&to=b@example.com,c@example.com".to_owned(),
            "email",
            "smtps://u%40x:p%2F@mail.example.com:465",
            None,
            None,
            json!({ "from": "a@example.com", "to": ["b@example.com", "c@example.com"] }),
        ),
        (
            format!("sms://{sid}:tok@+15005550006/4915112345678?segments=2"),
            "sms",
            "",
            None,
            Some(format!("{sid}:tok")),
            json!({ "from": "+15005550006", "to": "+4915112345678", "segments": 2 }),
        ),
        (
            format!("twilio://{sid}:tok@Callbox/+4915112345678"),
            "sms",
            "",
            None,
            Some(format!("{sid}:tok")),
            json!({ "from": "Callbox", "to": "+4915112345678" }),
        ),
        (
            "whatsapp://tok@123/+4915112345678?template=page&language=en_US".to_owned(),
            "whatsapp",
            "",
            Some("tok"),
            None,
            json!({ "phone_number_id": "123", "to": "+4915112345678", "template": "page", "language": "en_US" }),
        ),
        (
            format!("whatsapp://{sid}:tok@+15005550006/+4915112345678"),
            "whatsapp",
            "",
            None,
            Some(format!("{sid}:tok")),
            json!({ "provider": "twilio", "from": "+15005550006", "to": "+4915112345678" }),
        ),
        (format!("sns://AKIA:s%2Fx@{arn}"), "aws-sns", "", None, Some("AKIA:s/x".to_owned()), json!({ "topic_arn": arn })),
        (
            "sns://AKIA:s@eu-west-1/+4915112345678".to_owned(),
            "aws-sns",
            "",
            None,
            Some("AKIA:s".to_owned()),
            json!({ "region": "eu-west-1", "phone_number": "+4915112345678" }),
        ),
        (
            format!("onesignal://os_v2_k@{app}/Total%20Subscriptions"),
            "push",
            "",
            Some("os_v2_k"),
            None,
            json!({ "app_id": app, "segments": ["Total Subscriptions"] }),
        ),
        (
            format!("onesignal://k@{app}?external_ids=ann,bob"),
            "push",
            "",
            Some("k"),
            None,
            json!({ "app_id": app, "external_ids": ["ann", "bob"] }),
        ),
        (
            "https://receiver.example/hook?key=1".to_owned(),
            "webhook",
            "https://receiver.example/hook?key=1",
            None,
            None,
            json!({}),
        ),
        ("http://127.0.0.1:9000/".to_owned(), "webhook", "http://127.0.0.1:9000/", None, None, json!({})),
        (
            "https://hooks.slack.com.evil.example/services/a".to_owned(),
            "webhook",
            "https://hooks.slack.com.evil.example/services/a",
            None,
            None,
            json!({}),
        ),
    ];
    for (text, kind, url, token, login, options) in cases {
        let expected = (kind, url.to_owned(), token.map(str::to_owned), login, options);
        assert_eq!(read(&text), Some(expected), "{text}");
        let named = shorthand(&text).unwrap();
        assert!(named.token.is_none() || format!("{named:?}").contains("token: Some([secret])"), "{named:?}");
        assert_eq!(by_kind(kind).unwrap().problems(&named.target("x")), [], "{text}");
    }
}

#[test]
fn a_mail_address_still_needs_a_server() {
    let (kind, url, .., options) = read("mailto:ops@example.com,ann%40example.com?subject=x&from=a@example.com").unwrap();
    assert_eq!(
        (kind, url.as_str(), options),
        ("email", "", json!({ "to": ["ops@example.com", "ann@example.com"], "from": "a@example.com" }))
    );
    let problems = by_kind(kind).unwrap().problems(&shorthand("mailto:ops@example.com?from=a@example.com").unwrap().target("x"));
    assert_eq!(problems.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["url"]);
}

#[test]
fn what_names_nothing_is_none() {
    for text in [
        "",
        "slack://",
        "slack://T1/B1",
        "discord://1",
        "telegram://-100",
        "mattermost://host",
        "sms://x/y",
        "whatsapp://1/2",
        "sns://a",
        "onesignal://a",
        "gopher://a",
        "ops@example.com",
        "slack:T/B/x",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
