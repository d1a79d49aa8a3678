use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn masked(body: &str) -> String {
    String::from_utf8(mask(body.as_bytes(), &["routing_key", "service_key"]).into_owned()).unwrap()
}

#[test]
fn the_outermost_field_alone_is_overwritten() {
    let cases = [
        (r#"{"routing_key":"abcd","a":"abcd"}"#, r#"{"routing_key":"****","a":"abcd"}"#),
        (r#"{"routing\u005fkey" : "a\"c"}"#, r#"{"routing\u005fkey" : "****"}"#),
        (r#"{"p":{"routing_key":"abcd"},"service_key":"é"}"#, r#"{"p":{"routing_key":"abcd"},"service_key":"**"}"#),
        (r#"{"routing_key":"a","routing_key":"b"}"#, r#"{"routing_key":"*","routing_key":"*"}"#),
        (r#"{"a":"routing_key","b":"x"}"#, r#"{"a":"routing_key","b":"x"}"#),
        (r#"{"routing_key":-12.5e3,"b":1}"#, r#"{"routing_key":"*****","b":1}"#),
        (r#"{"routing_key":7,"b":1}"#, r#"{"routing_key":0,"b":1}"#),
        (r#"{"routing_key":null,"b":true}"#, r#"{"routing_key":null,"b":true}"#),
        (r#"{"routing_key":["ab",{"c":"de"}],"b":"x"}"#, r#"{"routing_key":["**",{"*":"**"}],"b":"x"}"#),
        (r#"[{"routing_key":"abcd"}]"#, r#"[{"routing_key":"****"}]"#),
        (r#"{"routing_key":""}"#, r#"{"routing_key":""}"#),
    ];
    for (body, expected) in cases {
        assert_eq!(masked(body), expected);
    }
    assert!(matches!(mask(b"{\"a\":1}", &["b"]), Cow::Borrowed(_)));
}

#[test]
fn what_is_not_json_leaks_nothing() {
    let cases = [
        (r#"{"routing_key":"abcd"#, r#"{"routing_key":"****"#),
        (r#"{"routing_key":"ab\""#, r#"{"routing_key":"****"#),
        (r#"{"summary":"say "hi"","routing_key":"abcd"}"#, r#"{"summary":"say "hi"","routing_key":"****"}"#),
        (r#"{"a":{"routing_key":"abcd","#, r#"{"a":{"routing_key":"****","#),
        (r#"{"routing_key":abcd}"#, r#"{"routing_key":"**"}"#),
        ("{\"a\":\"\n\",\"routing_key\":\"abcd\"}", "{\"a\":\"\n\",\"routing_key\":\"****\"}"),
        (r#"oops {"routing_key":"abcd"}"#, r#"oops {"routing_key":"****"}"#),
        (r#"}{"routing_key":"abcd"}"#, r#"}{"routing_key":"****"}"#),
        (r#"{"routing_key""#, r#"{"routing_key""#),
        (r#"{"routing_key":"#, r#"{"routing_key":"#),
    ];
    for (body, expected) in cases {
        assert_eq!(masked(body), expected);
    }
}

#[test]
fn a_form_keeps_all_but_the_values_named() {
    let cases = [
        ("Token=ab%20cd&a=b", "Token=*******&a=b"),
        ("a=b&%54oken=x", "a=b&%54oken=*"),
        ("Token", "Token"),
        ("Token=", "Token="),
        ("a=Token=x&&Token=y=z", "a=Token=x&&Token=***"),
    ];
    for (body, expected) in cases {
        assert_eq!(mask_form(body.as_bytes(), &["Token"]), expected.as_bytes(), "{body}");
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from)
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![Just("k".to_owned()), "[a-z\"\\\\é]{0,3}"];
    scalar().prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

/// `value` without the fields that masking may touch.
fn untouched(mut value: Value) -> Value {
    let drop_field = |value: &mut Value| value.as_object_mut().map(|object| object.remove("k"));
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| {
            drop_field(item);
        }),
        other => {
            drop_field(other);
        }
    }
    value
}

proptest! {
    #[test]
    fn json_stays_json_of_the_same_length_and_changes_only_there(value in json(), pretty in any::<bool>()) {
        let body = if pretty { serde_json::to_vec_pretty(&value).unwrap() } else { serde_json::to_vec(&value).unwrap() };
        let masked = mask(&body, &["k"]);
        prop_assert_eq!(masked.len(), body.len());
        let again: Value = serde_json::from_slice(&masked).unwrap();
        prop_assert_eq!(untouched(again.clone()), untouched(value));
        if let Some(Value::String(secret)) = again.get("k") {
            prop_assert!(secret.chars().all(|c| c == '*'));
        }
    }

    #[test]
    fn cut_anywhere_the_secret_is_gone(cut in 0usize..80, before in "[a-z\"{}:,\\[\\]\\\\]{0,12}") {
        let body = format!("{before}{{\"k\" : \"TOPSECRETVALUE\", \"b\": 1}}");
        let cut = body.len().min(cut.max(before.len()));
        let masked = mask(&body.as_bytes()[..cut], &["k"]).into_owned();
        prop_assert_eq!(masked.len(), cut);
        prop_assert!(!String::from_utf8_lossy(&masked).contains('T'), "{}", String::from_utf8_lossy(&masked));
    }
}
