//! Rules.

use super::destinations::webhook;
use super::*;

#[actix_web::test]
async fn rules_name_things_by_name_and_keep_their_ids() {
    for server in Server::each() {
        let (one, two) = (server.destination(webhook("one")).await, server.destination(webhook("two")).await);
        let place = server.place().await;
        let body = json!({
            "name": "night", "destinations": ["one"], "integrations": ["planted"], "services": ["default"],
            "severity_floor": "warning", "steps": [{"after": "10m", "destinations": [text(&two, "id")]}], "dedupe_window": "5m",
        });
        let made = server.post("/rules", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let rule = made.body;
        assert_eq!((&rule["destinations"], &rule["steps"][0]["destinations"]), (&json!([one["id"]]), &json!([two["id"]])));
        assert_eq!((&rule["integrations"], &rule["services"]), (&json!([place.integration_id]), &json!([place.service_id])));
        assert_eq!((&rule["made_for"], &rule["warnings"], &rule["enabled"]), (&Value::Null, &json!([]), &json!(true)));
        let in_memory = server.app.directory.snapshot().rules[&*server.app.default_tenant].last().unwrap().rule.clone();
        assert_eq!((in_memory.name.as_str(), in_memory.reaches().len()), ("night", 2));
        assert_eq!(server.post("/rules", body).await.status, 409);
        let refused =
            server.post("/rules", json!({"name": "x", "destinations": ["three"], "services": ["one"], "floor": 1})).await;
        let mut told = fields(&refused.body);
        told.sort_unstable();
        assert_eq!((refused.status, told), (400, vec!["destinations.0", "floor", "services.0"]));

        let path = format!("/rules/{}", text(&rule, "id"));
        server.patch(&format!("/destinations/{}", text(&one, "id")), json!({"name": "renamed"})).await;
        assert_eq!(server.delete(&format!("/destinations/{}", text(&two, "id"))).await.status, 200);
        let changed = server.patch(&path, json!({"enabled": false, "severity_floor": null, "services": []})).await;
        assert_eq!(changed.status, 200, "what it names already it may go on naming: {}", changed.body);
        let told = (&changed.body["enabled"], &changed.body["severity_floor"], &changed.body["dedupe_window"]);
        assert_eq!(told, (&json!(false), &Value::Null, &json!("5m")));
        assert_eq!((&changed.body["destinations"], changed.body["warnings"].as_array().unwrap().len()), (&json!([one["id"]]), 1));
        assert_eq!(server.patch(&path, json!({"destinations": ["two"]})).await.status, 400);
        let refused = server.patch(&path, json!({"id": "x", "made_for": "y", "warnings": []})).await;
        assert_eq!(fields(&refused.body), ["id", "made_for", "warnings"]);
        assert_eq!(server.patch(&path, json!({"name": "everything → one"})).await.status, 409);
        assert_eq!(server.get("/rules?name=night").await.body["items"].as_array().unwrap().len(), 1);
        assert_eq!(server.delete(&path).await.status, 200);
        assert_eq!((server.get(&path).await.status, server.delete(&path).await.status), (404, 404));
        let actions: Vec<_> = ["rule.created", "rule.updated", "rule.deleted"].into();
        for action in actions {
            let audited = server.get(&format!("/audit?action={action}&object_type=rule")).await.body;
            assert!(!audited["items"].as_array().unwrap().is_empty(), "{action}");
        }
    }
}
