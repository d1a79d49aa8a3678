//! Who may do and see what: tokens, scopes, tenants, the audit log.

use super::*;
use crate::store::services;

#[actix_web::test]
async fn d11_every_route_demands_its_scope_and_a_token() {
    for server in Server::each() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "int_00000000000000000000000000");
            let bare = test::TestRequest::default().method(route.method.clone()).uri(&format!("/api/v1{path}"));
            let answer = server.send(bare).await;
            assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("unauthorized")), "{}", route.path);
            assert_eq!(answer.body["error"]["request_id"], answer.request_id);
        }
        for have in Scope::ALL {
            let token = server.token(&[have]);
            for route in ROUTES {
                let path = route.path.replace("{id}", "int_00000000000000000000000000");
                let status = server.call(&token, route.method.clone(), &path, None).await.status;
                let may = route.scope.is_none_or(|wanted| have.implies(wanted));
                assert_eq!(status != 403, may, "{} {} with {have:?}: {status}", route.method, route.path);
            }
        }
    }
}

#[actix_web::test]
async fn keys_and_urls_are_for_those_who_may_change_them() {
    for server in Server::each() {
        let made = server.post("/integrations", json!({"type": "events", "name": "a"})).await.body;
        let reader = server.token(&[Scope::IntegrationsRead]);
        let path = format!("/integrations/{}", text(&made, "id"));
        for path in [path.as_str(), "/integrations"] {
            let seen = server.call(&reader, Method::GET, path, None).await;
            assert_eq!(seen.status, 200);
            assert!(!seen.body.to_string().contains(&text(&made, "key")), "{}", seen.body);
            assert!(!seen.body.to_string().contains("integrationId="));
        }
        assert_eq!(server.get(&path).await.body["key"], made["key"]);
    }
}

#[actix_web::test]
async fn d12_tokens_hold_until_revoked_or_expired() {
    for server in Server::each() {
        let expires = START.plus_seconds(60).to_string();
        let body = json!({"name": "ci", "scopes": ["incidents:read"], "expires_at": expires});
        let made = server.post("/tokens", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let token = text(&made.body, "token");
        assert_eq!(server.post("/tokens", body).await.status, 409, "a name stands for one token");
        assert_eq!(server.call(&token, Method::GET, "/incidents", None).await.status, 200);
        let listed = server.get("/tokens").await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert!(!listed.to_string().contains(&token), "shown once");
        server.app.clock.advance(60);
        assert_eq!(server.call(&token, Method::GET, "/incidents", None).await.status, 401);

        let made = server.post("/tokens", json!({"name": "two", "scopes": ["admin"]})).await;
        let (token, id) = (text(&made.body, "token"), text(&made.body, "id"));
        assert_eq!(server.call(&token, Method::DELETE, &format!("/tokens/{id}"), None).await.status, 200);
        assert_eq!(server.call(&token, Method::GET, "/incidents", None).await.status, 401);
        assert_eq!(server.delete(&format!("/tokens/{id}")).await.status, 404);
        let bad = server.post("/tokens", json!({"name": "x", "scopes": ["root"], "expires_at": "2001-01-01T00:00:00Z"})).await;
        assert_eq!((bad.status, fields(&bad.body)), (400, vec!["scopes", "expires_at"]));
        assert_eq!(server.post("/tokens", json!({"name": "CALLBOX_ADMIN_TOKEN", "scopes": ["admin"]})).await.status, 409);
    }
}

#[actix_web::test]
async fn a_token_made_elsewhere_holds_at_once() {
    for server in Server::each() {
        let token = server.token(&[Scope::IncidentsRead]);
        assert_eq!(server.call(&token, Method::GET, "/incidents", None).await.status, 200);
        for wrong in [format!("{token}x"), token.replace("cbx_", "cbx-"), "x".into(), "ä".into()] {
            assert_eq!(server.call(&wrong, Method::GET, "/incidents", None).await.status, 401, "{wrong}");
        }
    }
}

#[actix_web::test]
async fn i9_foreign_ids_do_not_exist_on_any_route() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let event = testing::plant_event(&mut conn, &place, None, None, "opened");
        let token = text(&server.post("/tokens", json!({"name": "t", "scopes": ["admin"]})).await.body, "id");
        let webhook = json!({"kind": "webhook", "name": "planted", "url": "https://hooks.example/x"});
        let destination = server.post("/destinations", webhook).await.body;
        let own: Vec<(&str, String)> = vec![
            ("integrations", place.integration_id.clone()),
            ("services", place.service_id.clone()),
            ("incidents", testing::plant_incident(&mut conn, &place, "k", true, &event)),
            ("events", event.clone()),
            ("requests", testing::plant_request(&mut conn, &place, b"{}", std::slice::from_ref(&event))),
            ("tokens", token),
            ("destinations", text(&destination, "id")),
            ("rules", text(&destination["rule"], "id")),
            ("deliveries", testing::plant_delivery(&mut conn, &place.tenant_id, &text(&destination, "id"), false)),
        ];
        testing::plant_change(&mut conn, &place);
        let mut tried = 0;
        for route in ROUTES.iter().filter(|route| route.path.contains("{id}")) {
            let noun = route.path.split('/').nth(1).unwrap();
            let (_, id) = own.iter().find(|(have, _)| *have == noun).unwrap_or_else(|| panic!("plant one for {noun}"));
            for id in [id.as_str(), "int_00000000000000000000000000", "x", "%00", "%ff", "..%2f"] {
                let path = route.path.replace("{id}", id);
                let body = match route.method {
                    Method::POST => Some(json!({"what": "key"})),
                    Method::PATCH => Some(json!({"name": "stolen"})),
                    _ => None,
                };
                let answer = server.call(&server.other, route.method.clone(), &path, body).await;
                assert_eq!(answer.status, 404, "{} {path}: {}", route.method, answer.body);
                tried += 1;
            }
        }
        assert!(tried >= 60, "{tried}");
        for route in ROUTES.iter().filter(|route| route.method == Method::GET && !route.path.contains("{id}")) {
            let answer = server.call(&server.other, Method::GET, route.path, None).await;
            let listed = answer.body.to_string();
            assert_eq!(answer.status, 200, "{}", route.path);
            assert!(own.iter().all(|(_, id)| !listed.contains(id.as_str())), "{}: {listed}", route.path);
            assert!(!listed.contains(&*server.app.default_tenant) && !listed.contains("chg_"), "{}: {listed}", route.path);
        }
        assert_ne!(server.other_tenant, *server.app.default_tenant);
        let foreign = services::by_name(&mut conn, &place.tenant_id, "default").unwrap().unwrap().id;
        let body = json!({"type": "events", "name": "x", "service": foreign});
        let answer = server.call(&server.other, Method::POST, "/integrations", Some(body)).await;
        assert_eq!((answer.status, fields(&answer.body)), (400, vec!["service"]));
    }
}

#[actix_web::test]
async fn i5_every_change_is_audited_without_secrets() {
    for server in Server::each() {
        let pasted = "a very secret text";
        let key = "K".repeat(32);
        let body = json!({"type": "events", "name": "a", "key": key, "signature_secret": pasted});
        let made = server.post("/integrations", body).await.body;
        let path = format!("/integrations/{}", text(&made, "id"));
        server.patch(&path, json!({"name": "b", "signature_secret": format!("{pasted} 2")})).await;
        let rotated = server.post(&format!("{path}/rotate"), json!({"what": "secret"})).await.body;
        server.delete(&path).await;
        let service = server.post("/services", json!({"name": "s"})).await.body;
        server.patch(&format!("/services/{}", text(&service, "id")), json!({"name": "t"})).await;
        server.delete(&format!("/services/{}", text(&service, "id"))).await;
        let token = server.post("/tokens", json!({"name": "t", "scopes": ["admin"]})).await.body;
        server.delete(&format!("/tokens/{}", text(&token, "id"))).await;
        let audit = server.get("/audit").await.body;
        let actions: Vec<&str> =
            audit["items"].as_array().unwrap().iter().rev().map(|item| item["action"].as_str().unwrap()).collect();
        let expected = [
            "integration.created",
            "integration.updated",
            "integration.rotated",
            "integration.deleted",
            "service.created",
            "service.updated",
            "service.deleted",
            "token.created",
            "token.revoked",
        ];
        assert_eq!(actions, expected);
        let all = audit.to_string();
        let url = text(&made, "url");
        let hook = url.rsplit('=').next().unwrap();
        for secret in [pasted, &key, hook, &text(&token, "token"), &text(&rotated, "signature_secret")] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        let updated = &audit["items"][7];
        assert_eq!((&updated["before"]["name"], &updated["after"]["name"]), (&json!("a"), &json!("b")));
        assert_eq!((&updated["after"]["signature_secret"], &updated["actor"]), (&json!("set"), &json!("CALLBOX_ADMIN_TOKEN")));
        let narrowed = server.get("/audit?action=token.created&object_type=token").await.body;
        assert_eq!(narrowed["items"].as_array().unwrap().len(), 1);
    }
}
