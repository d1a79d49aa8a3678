//! What the clouds' options say.

use serde_json::json;

use super::*;
use crate::signature::published::Published;

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";

fn asks() -> Value {
    json!({
        "Type": "SubscriptionConfirmation", "MessageId": "m", "TopicArn": TOPIC, "Token": "t", "Message": "…",
        "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
    })
}

#[test]
fn only_a_named_topic_is_confirmed() {
    let confirm = |options: Value| normalise("cloudwatch", &options, &asks()).unwrap().confirm.map(|confirm| confirm.topic);
    assert_eq!(confirm(json!({"topics": [TOPIC]})).as_deref(), Some(TOPIC));
    for options in [Value::Null, json!({"topics": []}), json!({"topics": ["arn:aws:sns:eu-west-1:111122223333:other"]})] {
        assert_eq!(confirm(options.clone()), None, "{options}");
    }
    let leaves = json!({"Type": "UnsubscribeConfirmation", "TopicArn": TOPIC, "SubscribeURL": "https://x", "Message": "…"});
    assert_eq!(normalise("sns", &json!({"topics": [TOPIC]}), &leaves).unwrap().confirm, None, "a visit would subscribe again");
}

#[test]
fn topics_demand_a_signature_unless_told_otherwise() {
    let demanded = |options: Value| {
        let tool = Registry::built_in().by_type("sns").unwrap();
        match tool.published(&tool.compile(&options).unwrap()) {
            Some(Published::Sns(rules)) => Some(rules.required),
            Some(other) => panic!("{other:?}"),
            None => None,
        }
    };
    assert_eq!(demanded(Value::Null), None);
    assert_eq!(demanded(json!({"topics": [TOPIC]})), Some(true));
    assert_eq!(demanded(json!({"verify": true})), Some(true));
    assert_eq!(demanded(json!({"verify": false})), None);
    assert_eq!(demanded(json!({"verify": false, "topics": [TOPIC]})), Some(false), "a subscription must be proved even so");
}

#[test]
fn what_is_wrong_with_an_option_is_said() {
    let problems = |kind: &str, options: Value| {
        let found = Registry::built_in().by_type(kind).unwrap().compile(&options).err().unwrap_or_default();
        found.into_iter().map(|problem| format!("{}: {}", problem.option, problem.problem)).collect::<Vec<_>>().join("; ")
    };
    for (kind, options, said) in [
        ("cloudwatch", json!({"topic": []}), "topic: unknown option; did you mean `topics`?"),
        (
            "cloudwatch",
            json!({"topics": ["alerts"]}),
            "topics: must hold topic ARNs, such as arn:aws:sns:eu-west-1:111122223333:alerts",
        ),
        ("cloudwatch", json!({"verify": "yes"}), "verify: must be true or false"),
        ("eventbridge", json!({"insufficientData": "page"}), "insufficientData: must be `ignore`, `trigger` or `resolve`"),
        ("eventbridge", json!({"topics": []}), "topics: unknown option"),
        (
            "cloudwatch",
            json!({"severity_by_name": {"p3": "low"}}),
            "severity_by_name: must map beginnings of alarm names to critical, error, warning or info",
        ),
        (
            "gcp",
            json!({"oidc": {"audience": "a"}}),
            "oidc.email: must be the service account that the push subscription authenticates as",
        ),
        (
            "gcp",
            json!({"oidc": {"audience": "a", "email": "b", "jwksUrl": "file:///x"}}),
            "oidc.jwksUrl: must be a URL such as https://www.googleapis.com/oauth2/v3/certs",
        ),
        (
            "gcp",
            json!({"oidc": {"audience": "a", "email": "b", "isuer": "c"}}),
            "oidc.isuer: unknown option; did you mean `issuer`?",
        ),
        ("gcp", json!({"oidc": true}), "oidc: must be an object with audience and email"),
        ("gcp", json!({"oidc": null}), ""),
    ] {
        assert_eq!(problems(kind, options.clone()), said, "{kind} {options}");
    }
}
