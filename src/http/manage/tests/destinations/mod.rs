//! Destinations.

mod refused;
mod secrets;

use diesel::prelude::*;

use super::*;
use crate::delivery::channel::Target;
use crate::store::schema::{deliveries, destinations, threads};

const URL: &str = "https://hooks.example/in?token=hush";

pub(super) fn webhook(name: &str) -> Value {
    json!({"kind": "webhook", "name": name, "url": URL})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Server {
    pub(super) async fn destination(&self, body: Value) -> Value {
        let made = self.post("/destinations", body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.body
    }

    /// What an attempt now would be made with.
    fn target(&self, id: &str) -> Result<Target, String> {
        let snapshot = self.app.directory.snapshot();
        snapshot.destinations[id].open(self.app.clock.now()).map(|(_, target)| target).map_err(str::to_owned)
    }
}

#[actix_web::test]
async fn a_destination_is_made_with_a_secret_and_a_rule_and_keeps_its_secrets() {
    for server in Server::each() {
        let body =
            with(webhook("ops"), json!({"headers": {"X-Team": "hush2"}, "basic_auth": {"user": "u", "password": "hush3"}}));
        let made = server.destination(body).await;
        let (id, secret) = (text(&made, "id"), text(&made, "signing_secret"));
        assert!(secret.starts_with("whsec_"));
        let target = server.target(&id).unwrap();
        assert_eq!((target.url.expose(), target.signing[0].expose()), (URL, secret.as_str()));
        assert_eq!((target.headers[0].1.expose(), target.basic_auth.unwrap().1.expose()), ("hush2", "hush3"));
        let shown = server.get(&format!("/destinations/{id}")).await.body;
        assert_eq!(shown["url"], "https://hooks.example/in?token=***");
        assert_eq!((&shown["headers"], &shown["basic_auth"]["password"]), (&json!({"X-Team": "***"}), &json!("***")));
        assert_eq!(
            (&shown["breaker_failures"], &shown["breaker_rest"], &shown["problem"]),
            (&json!(5), &json!("30s"), &Value::Null)
        );
        assert_eq!(shown["signing_secrets"].as_array().unwrap().len(), 1);
        let listed = server.get("/destinations?kind=webhook&name=ops").await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let rule = server.get(&format!("/rules/{}", text(&made["rule"], "id"))).await.body;
        assert_eq!(
            (&rule["name"], &rule["destinations"], &rule["made_for"]),
            (&json!("everything → ops"), &json!([id]), &json!(id))
        );
        let all = format!("{shown}{listed}{rule}{}", server.get("/audit").await.body);
        for secret in ["hush", &secret] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        assert_eq!(server.post("/destinations", webhook("ops")).await.status, 409);
        let bare = server.destination(with(webhook("bare"), json!({"no_rule": true, "signing_secret": null}))).await;
        assert_eq!((&bare["rule"], &bare["signing_secrets"], bare.get("signing_secret")), (&Value::Null, &json!([]), None));
        assert_eq!(server.get("/rules").await.body["items"].as_array().unwrap().len(), 1);
    }
}

#[actix_web::test]
async fn a_change_keeps_what_it_does_not_name() {
    for server in Server::each() {
        let made =
            server.destination(with(webhook("ops"), json!({"headers": {"X-A": "1", "X-B": "2"}, "include": "details"}))).await;
        let (id, secret) = (text(&made, "id"), text(&made, "signing_secret"));
        let path = format!("/destinations/{id}");
        server.app.clock.advance(5);
        let body = json!({
            "url": "https://hooks.example/new", "name": "ops 2", "headers": {"x-a": "3", "X-B": null, "X-C": "4"},
            "signature_header": "X-Exosphere-Signature", "templates": {"incident": "{{ .title }}"}, "rate_limit_per_minute": 60,
            "breaker_rest": "2m",
        });
        let changed = server.patch(&path, body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let target = server.target(&id).unwrap();
        let headers: Vec<_> = target.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!((target.url.expose(), headers), ("https://hooks.example/new", vec![("X-C", "4"), ("x-a", "3")]));
        assert_eq!(target.signing[0].expose(), secret);
        let shown = &changed.body;
        assert_eq!(
            (&shown["name"], &shown["include"], &shown["breaker_rest"]),
            (&json!("ops 2"), &json!("details"), &json!("2m"))
        );
        assert_eq!(shown["options"], json!({"signature_header": "X-Exosphere-Signature"}));
        assert_eq!(shown["templates"], json!({"incident": {"source": "{{ .title }}"}}));
        let templates = server.patch(&path, json!({"templates": {"incident": null, "change": {"name": "coroot"}}})).await.body;
        assert_eq!(templates["templates"], json!({"change": {"name": "coroot"}}));
        assert!(server.app.directory.snapshot().destinations[id.as_str()].templates.change.is_some());
        assert_eq!((&shown["created_at"], shown["updated_at"] == shown["created_at"]), (&made["created_at"], false));
        for masked in [json!({"url": made["url"]}), json!({"headers": {"X-C": "***"}}), json!({"token": "***"})] {
            let refused = server.patch(&path, masked).await;
            assert!(refused.body.to_string().contains("is masked"), "{}", refused.body);
        }
        let refused = server.patch(&path, json!({"kind": "slack", "problem": null, "rule": null})).await;
        assert_eq!((refused.status, fields(&refused.body)), (400, vec!["kind", "problem", "rule"]));
        let cleared =
            server.patch(&path, json!({"headers": null, "templates": null, "signature_header": null, "breaker_rest": null}));
        let cleared = cleared.await.body;
        assert_eq!((&cleared["headers"], &cleared["templates"], &cleared["options"]), (&json!({}), &json!({}), &json!({})));
        assert_eq!(cleared["breaker_rest"], "30s");
        let entry = server.get("/audit?action=destination.updated").await.body["items"][2].clone();
        assert_eq!((&entry["before"]["name"], &entry["after"]["secrets_set"]), (&json!("ops"), &json!(["url", "headers"])));
    }
}

#[actix_web::test]
async fn a_url_can_say_all_that_there_is_to_say() {
    for server in Server::each() {
        let key = "0123456789abcdef0123456789abcdef";
        for (url, kind, options) in [
            ("slack://T1/B1/hush".to_owned(), "slack", json!({})),
            ("slack://xoxb-1-hush@C0ABC?buttons=true".to_owned(), "slack", json!({"channel": "C0ABC", "buttons": true})),
            (format!("pagerduty://{key}"), "pagerduty", json!({})),
            ("https://hooks.slack.com/services/T1/B1/hush".to_owned(), "slack", json!({})),
            ("https://receiver.example/hook".to_owned(), "webhook", json!({})),
        ] {
            let made = server.destination(json!({"name": url, "url": url})).await;
            assert_eq!((&made["kind"], &made["options"]), (&json!(kind), &options), "{made}");
            assert!(!made["url"].to_string().contains("hush"), "{made}");
        }
        let body =
            json!({"name": "own", "url": "slack://xoxb-1-a@C0ABC?buttons=true", "options": {"channel": "C1"}, "token": "xoxb-2"});
        let made = server.destination(body).await;
        let id = text(&made, "id");
        assert_eq!(made["options"], json!({"channel": "C1", "buttons": true}), "the body's own go first");
        assert_eq!(server.target(&id).unwrap().token.unwrap().expose(), "xoxb-2");
        let path = format!("/destinations/{id}");
        let changed = server.patch(&path, json!({"url": "slack://xoxb-3@C2"})).await;
        assert_eq!(
            (changed.status, &changed.body["options"]),
            (200, &json!({"channel": "C2", "buttons": true})),
            "{}",
            changed.body
        );
        assert_eq!(server.target(&id).unwrap().token.unwrap().expose(), "xoxb-3");
        let refused = server.patch(&path, json!({"url": format!("pagerduty://{key}")})).await;
        assert!(refused.body.to_string().contains("of kind pagerduty"), "{}", refused.body);
        let hooked = json!({"kind": "webhook", "name": "raw", "url": "https://hooks.slack.com/services/T1/B1/x"});
        assert_eq!(server.destination(hooked).await["kind"], "webhook", "whoever names the kind means it");
        let inner = server.post("/destinations", json!({"name": "in", "url": "mattermost://127.0.0.1/abc"})).await;
        assert_eq!((inner.status, fields(&inner.body)), (400, vec!["url"]));
        for body in
            [json!({"name": "x"}), json!({"name": "x", "url": "${HOOK}"}), json!({"name": "x", "url": "carrier://pigeon"})]
        {
            assert_eq!(fields(&server.post("/destinations", body).await.body), ["kind"]);
        }
    }
}

#[actix_web::test]
async fn one_destination_at_most_is_the_default() {
    for server in Server::each() {
        let one = server.destination(with(webhook("one"), json!({"default": true}))).await;
        let two = server.destination(with(webhook("two"), json!({"default": true}))).await;
        let path = |made: &Value| format!("/destinations/{}", text(made, "id"));
        let is_default = async |made: &Value| server.get(&path(made)).await.body["default"].as_bool().unwrap();
        assert_eq!((is_default(&one).await, is_default(&two).await), (false, true));
        server.patch(&path(&one), json!({"default": true})).await;
        assert_eq!((is_default(&one).await, is_default(&two).await), (true, false));
        server.patch(&path(&two), json!({"default": false})).await;
        assert!(is_default(&one).await);
        server.delete(&path(&one)).await;
        server.patch(&path(&two), json!({"default": true})).await;
        assert!(is_default(&two).await);
        let audited = server.get("/audit?action=destination.updated").await.body;
        let lost = audited["items"].as_array().unwrap().iter().filter(|item| item["after"]["default"] == false).count();
        assert_eq!(lost, 3, "who lost it is in the audit log: {audited}");
    }
}

#[actix_web::test]
async fn a_destination_with_undelivered_deliveries_is_not_deleted_by_accident() {
    for server in Server::each() {
        let made = server.destination(webhook("ops")).await;
        let (id, tenant) = (text(&made, "id"), server.app.default_tenant.to_string());
        let mut conn = server.database.store.writer().unwrap();
        for finished in [false, false, true] {
            testing::plant_delivery(&mut conn, &tenant, &id, finished);
        }
        let thread = (
            (threads::destination_id.eq(&id), threads::subject.eq("s1"), threads::tenant_id.eq(&tenant)),
            (threads::wants.eq(""), threads::due_at.eq(1), threads::updated_at.eq(1)),
        );
        diesel::insert_into(threads::table).values(thread).execute(&mut conn).unwrap();
        let path = format!("/destinations/{id}");
        let refused = server.delete(&path).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["details"]),
            (409, &json!({"pending": 2, "deliveries": 2, "held": 0}))
        );
        assert_eq!(server.delete(&format!("{path}?pending=keep")).await.status, 400);
        let deleted = server.delete(&format!("{path}?pending=drop")).await;
        assert_eq!((deleted.status, &deleted.body["dropped_deliveries"]), (200, &json!(2)), "{}", deleted.body);
        assert_eq!(deleted.body["rules"][0]["name"], "everything → ops", "rules are deleted by hand only");
        let skipped: i64 = deliveries::table.filter(deliveries::status.eq("skipped")).count().get_result(&mut conn).unwrap();
        let due: i64 = threads::table.filter(threads::due_at.is_not_null()).count().get_result(&mut conn).unwrap();
        assert_eq!((skipped, due), (2, 0));
        assert_eq!(server.get("/audit?action=destination.deleted").await.body["items"][0]["before"]["dropped_deliveries"], 2);
        assert_eq!(server.get(&path).await.status, 404);
        let rule = server.get(&format!("/rules/{}", text(&made["rule"], "id"))).await;
        assert!(rule.body["warnings"][0].as_str().unwrap().contains("is deleted"), "{}", rule.body);
        let again = server.destination(webhook("ops")).await;
        assert_eq!(again["rule"]["name"], "everything → ops (2)", "the name of the rule is taken, that of the destination free");
    }
}
