//! What holds of every tool, recipes included: the list of tools makes the tests, so that none can come without.

use callbox::provider::fixture::Fixture;
use callbox::provider::{Compiled, Registry};
use callbox::secret::Secret;
use callbox::signature;
use callbox::time::Clock;
use serde_json::json;

use crate::support::callbox::Options;
use crate::support::tool::repository;
use crate::support::{Callbox, Database, raw, secrets};

on_both!(a_signature_that_is_set_is_enforced);

const SECRET: &str = "the secret that every tool signs with";

async fn a_signature_that_is_set_is_enforced(database: Database) {
    secrets::remember(SECRET);
    // Each tool from an address of its own: the shield of one must not answer for another.
    let environment = vec![("CALLBOX_SERVER_TRUSTED_PROXIES".to_owned(), "127.0.0.0/8".to_owned())];
    let service = Callbox::start_with(&database, Options { environment, ..Options::default() }).await;
    let api = service.api();
    let right = [Secret::new(SECRET)];
    let wrong = [Secret::new("a secret that nobody has set anywhere")];
    for (number, tool) in Registry::built_in().tools().enumerate() {
        let kind = tool.meta().kind;
        let file = repository().join("fixtures").join(kind).join("trigger.http");
        let body = Fixture::parse(&std::fs::read(&file).unwrap()).unwrap().body;
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
        assert_eq!(post(sign(&right, b"{}", now)).await, 401, "{kind}: of another body");
        assert_eq!(api.events(&integration).await.len(), 0, "{kind}: what was refused has done nothing");
        let signed = sign(&right, &body, now);
        let accepted = post(signed.clone()).await;
        assert!((200..300).contains(&accepted), "{kind}: the right one: {accepted}");
        if signed.iter().any(|(name, _)| name.contains("timestamp")) {
            assert_eq!(post(sign(&right, &body, now.plus_seconds(-301))).await, 401, "{kind}: five minutes old");
        }
    }
}
