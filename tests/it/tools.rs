//! What holds of every tool, recipes included: the list of tools makes the tests, so that none can come without.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callbox::provider::fixture::Fixture;
use callbox::provider::{Compiled, Headers, Registry, Resolves};
use callbox::secret::Secret;
use callbox::signature;
use callbox::time::Clock;
use serde_json::json;

use crate::support::api::Integration;
use crate::support::callbox::Options;
use crate::support::raw::Reply;
use crate::support::tool::repository;
use crate::support::{Callbox, Database, raw, secrets};

on_both!(
    a_signature_that_is_set_is_enforced,
    every_tool_opens_once_and_closes_what_it_opened,
    every_tool_may_bring_the_key_as_a_password
);

const SECRET: &str = "the secret that every tool signs with";

/// The fixture `name` of a tool.
fn fixture(kind: &str, name: &str) -> Fixture {
    let file = repository().join("fixtures").join(kind).join(format!("{name}.http"));
    Fixture::parse(&std::fs::read(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))).unwrap()
}

/// Sends a fixture as its tool does.
async fn post(service: &Callbox, integration: &Integration, fixture: &Fixture) -> Reply {
    let mut target = integration.path.clone();
    for (name, value) in fixture.query.iter().filter(|(name, _)| name != "integrationId") {
        let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
        target.push_str(&format!("&{pair}"));
    }
    let ours = |name: &str| name == "host" || name.starts_with("x-fixture-");
    let headers: Vec<(&str, &str)> = fixture.headers.iter().filter(|(name, _)| !ours(name)).collect();
    raw::send(service.address(), &raw::request(&fixture.method, &target, &headers, &fixture.body)).await
}

/// Each tool posts from an address of its own, because the shield of one must not answer for another.
async fn behind_a_proxy(database: &Database) -> Callbox {
    let environment = vec![("CALLBOX_SERVER_TRUSTED_PROXIES".to_owned(), "127.0.0.0/8".to_owned())];
    Callbox::start_with(database, Options { environment, ..Options::default() }).await
}

/// Trigger, repeat, test message, something malformed, resolve: one incident, opened once, closed by its resolve and by nothing else.
async fn every_tool_opens_once_and_closes_what_it_opened(database: Database) {
    let service = Callbox::start(&database).await;
    let api = service.api();
    for tool in Registry::built_in().tools() {
        let (kind, accepted) = (tool.meta().kind, tool.meta().success_status);
        let integration = api.integration(kind, &format!("loop {kind}")).await;
        let say = async |name: &str| {
            let reply = post(&service, &integration, &fixture(kind, name)).await;
            assert_eq!(reply.status, accepted, "{kind}/{name}: {}", reply.json());
            reply.json()["events"].as_array().cloned().unwrap_or_default()
        };
        let opened = say("trigger").await;
        let (outcome, key) = (&opened[0]["outcome"], opened[0]["dedup_key"].as_str().unwrap());
        assert_eq!(outcome, "opened", "{kind}: {opened:?}");
        let repeated = say("repeat").await[0]["outcome"].clone();
        assert!(repeated == "updated" || repeated == "escalated", "{kind}: the repeat is {repeated}");
        let state = async || {
            let all = api.incidents(&integration).await;
            let mine: Vec<_> = all.iter().filter(|incident| incident["dedup_key"] == *key).collect();
            assert_eq!(mine.len(), 1, "{kind}: {all:?}");
            let resolved = all.iter().filter(|incident| incident["status"] == "resolved").count();
            (mine[0]["status"].as_str().unwrap().to_owned(), mine[0]["event_count"].as_u64().unwrap(), resolved)
        };
        assert_eq!(state().await, ("triggered".to_owned(), 2, 0), "{kind}: a repeat opens nothing");
        say("test-ping").await;
        say("malformed").await;
        assert_eq!(state().await, ("triggered".to_owned(), 2, 0), "{kind}: neither a test nor nonsense touches it");
        if tool.meta().resolves != Resolves::Never {
            let closed = say("resolve").await;
            assert_eq!((&closed[0]["outcome"], closed[0]["dedup_key"].as_str()), (&json!("resolved"), Some(key)), "{kind}");
            assert_eq!(state().await, ("resolved".to_owned(), 2, 1), "{kind}: its resolve closes it, and nothing else");
        }
    }
}

/// Some senders bring a user name and password only to who asked for them, so whoever brings none is asked, whatever the tool.
async fn every_tool_may_bring_the_key_as_a_password(database: Database) {
    let service = behind_a_proxy(&database).await;
    let api = service.api();
    for (number, tool) in Registry::built_in().tools().enumerate() {
        let kind = tool.meta().kind;
        let fields = json!({"type": kind, "name": format!("keyed {kind}"), "policy": "key", "rate_limit_per_minute": 0});
        let integration = api.integration_from(fields).await;
        let mut trigger = fixture(kind, "trigger");
        let bare: Vec<(String, String)> =
            trigger.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut post = async |password: Option<&str>| {
            let basic = password.map(|password| format!("Basic {}", STANDARD.encode(format!("anybody:{password}"))));
            let from = ("x-forwarded-for".to_owned(), format!("192.0.2.{number}"));
            trigger.headers =
                Headers::new(bare.iter().cloned().chain(basic.map(|basic| ("authorization".to_owned(), basic))).chain([from]));
            post(&service, &integration, &trigger).await
        };
        for wrong in [None, Some("another"), Some("")] {
            let reply = post(wrong).await;
            let asked = (reply.status, reply.header("www-authenticate"));
            assert_eq!(asked, (401, Some("Basic realm=\"callbox\"")), "{kind}: {wrong:?}");
        }
        assert_eq!(api.events(&integration).await.len(), 0, "{kind}: what was refused has done nothing");
        let accepted = post(Some(&integration.key)).await.status;
        assert!((200..300).contains(&accepted), "{kind}: {accepted}");
        assert!(!api.events(&integration).await.is_empty(), "{kind}");
    }
}

async fn a_signature_that_is_set_is_enforced(database: Database) {
    secrets::remember(SECRET);
    let service = behind_a_proxy(&database).await;
    let api = service.api();
    let right = [Secret::new(SECRET)];
    let wrong = [Secret::new("a secret that nobody has set anywhere")];
    for (number, tool) in Registry::built_in().tools().enumerate() {
        let kind = tool.meta().kind;
        let body = fixture(kind, "trigger").body;
        let fields =
            json!({"type": kind, "name": format!("signed {kind}"), "signature_secret": SECRET, "rate_limit_per_minute": 0});
        let integration = api.integration_from(fields).await;
        let scheme = tool.scheme(&Compiled::none());
        let now = Clock::System.now();
        let sign = |secret: &[Secret], body: &[u8], at| signature::sign(&scheme, secret, "msg_1", body, at);
        let post = async |mut headers: Vec<(String, String)>| {
            headers.push(("x-forwarded-for".to_owned(), format!("192.0.2.{number}")));
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            raw::send(service.address(), &raw::request("POST", &integration.path, &headers, &body)).await.status
        };
        let key = vec![("authorization".to_owned(), format!("Bearer {}", integration.key))];
        assert_eq!(post(Vec::new()).await, 401, "{kind}: none");
        assert_eq!(post(key).await, 401, "{kind}: the key is no signature");
        assert_eq!(post(sign(&wrong, &body, now)).await, 401, "{kind}: by another secret");
        if scheme.covers_body() {
            assert_eq!(post(sign(&right, b"{}", now)).await, 401, "{kind}: of another body");
        }
        assert_eq!(api.events(&integration).await.len(), 0, "{kind}: what was refused has done nothing");
        let signed = sign(&right, &body, now);
        let accepted = post(signed.clone()).await;
        assert!((200..300).contains(&accepted), "{kind}: the right one: {accepted}");
        let events = api.events(&integration).await.len();
        assert!(events > 0, "{kind}: what was signed counts");
        if signed.iter().any(|(name, _)| name.contains("timestamp")) {
            assert_eq!(post(sign(&right, &body, now.plus_seconds(-301))).await, 401, "{kind}: five minutes old");
        }
        // The same request once more: refused, without an effect, or one more report of the same alert; never an incident more.
        let incidents = api.incidents(&integration).await.len();
        post(signed).await;
        assert_eq!(api.incidents(&integration).await.len(), incidents, "{kind}: replayed");
    }
}
