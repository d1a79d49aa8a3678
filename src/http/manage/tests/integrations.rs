//! What can be done with an integration, and what cannot.

use super::*;
use crate::secret::CredentialHash;

#[actix_web::test]
async fn an_integration_from_first_to_last() {
    for server in Server::each() {
        let made = server.post("/integrations", json!({"type": "events", "name": "prod", "auto_resolve_after": "90s"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let body = &made.body;
        let (id, key, url) = (text(body, "id"), text(body, "key"), text(body, "url"));
        assert!(id.starts_with("int_") && key.len() == 32, "{body}");
        let hook = url.strip_prefix("https://callbox.example/api/integrations/events?integrationId=").unwrap();
        assert_eq!(hook.len(), 26);
        assert_eq!(body["policy"], "hook");
        assert_eq!(body["enabled"], true);
        assert_eq!(body["rate_limit_per_minute"], 120);
        assert_eq!(body["auto_resolve_after"], "90s");
        assert_eq!(body["acknowledge_timeout"], "off");
        assert_eq!(body["created_by"], "CALLBOX_ADMIN_TOKEN");
        assert_eq!(body["created_at"], "2027-01-15T08:00:00.000000Z");
        assert!(body["setup"].is_string() && body.get("signature_secret").is_none());
        let known = server.app.directory.snapshot();
        assert!(
            known.by_key(&CredentialHash::of(&key), START).is_some() && known.by_hook(&CredentialHash::of(hook), START).is_some()
        );

        let patch = json!({"name": "prod-eu", "enabled": false, "rate_limit_per_minute": 0, "auto_resolve_after": "off"});
        let changed = server.patch(&format!("/integrations/{id}"), patch).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!((&changed.body["name"], &changed.body["enabled"]), (&json!("prod-eu"), &json!(false)));
        assert_eq!(text(&changed.body, "key"), key, "what is not named stays");
        assert!(!server.app.directory.snapshot().integrations[id.as_str()].enabled);

        let shown = server.get(&format!("/integrations/{id}")).await;
        assert_eq!((shown.status, &shown.body["refusals_last_hour"]), (200, &json!({})));
        let listed = server.get("/integrations").await;
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1, "built-in ones are not listed: {}", listed.body);
        let all = server.get("/integrations?built_in=true").await;
        assert_eq!(all.body["items"].as_array().unwrap().len(), 3);

        assert_eq!(server.delete(&format!("/integrations/{id}")).await.status, 200);
        assert_eq!(server.get(&format!("/integrations/{id}")).await.status, 404);
        assert_eq!(server.delete(&format!("/integrations/{id}")).await.status, 404);
        let again = server.post("/integrations", json!({"type": "events", "name": "prod-eu", "key": key})).await;
        assert_eq!((again.status, text(&again.body, "key")), (201, key), "name and key are free again");
    }
}

#[actix_web::test]
async fn what_is_wrong_with_an_integration_is_told_all_at_once() {
    for server in Server::each() {
        let body = json!({
            "type": "alertmanagr", "name": " ", "polcy": "hook", "rate_limit_per_minute": -1, "auto_resolve_after": 5,
            "key": "short", "enabled": "yes", "native_body_limit": 1u64 << 40, "options": [],
        });
        let answer = server.post("/integrations", body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body["error"]["code"], "invalid");
        let mut told = fields(&answer.body);
        told.sort_unstable();
        let expected = [
            "auto_resolve_after",
            "enabled",
            "key",
            "name",
            "native_body_limit",
            "options",
            "polcy",
            "rate_limit_per_minute",
            "type",
        ];
        assert_eq!(told, expected);
        let all = answer.body.to_string();
        assert!(all.contains("did you mean `alertmanager`") && all.contains("did you mean `policy`"), "{all}");

        for (body, field) in [
            (json!({"type": "events", "name": "a", "policy": "signature"}), "policy"),
            (json!({"type": "events", "name": "a", "policy": "key", "signature_secret": "hush"}), "policy"),
            (json!({"type": "events", "name": "a", "generate_secret": true, "signature_secret": "hush"}), "generate_secret"),
            (json!({"type": "events", "name": "a", "service": "nowhere"}), "service"),
            (json!({"type": "events", "name": "a", "options": {"mapping": {}}}), "options.mapping"),
            (json!({"type": "events", "name": "a".repeat(101)}), "name"),
            (json!({"name": "a"}), "type"),
        ] {
            let answer = server.post("/integrations", body).await;
            assert_eq!((answer.status, fields(&answer.body)), (400, vec![field]), "{}", answer.body);
        }
        assert_eq!(server.get("/integrations").await.body["items"], json!([]));
    }
}

#[actix_web::test]
async fn names_and_keys_are_taken_once() {
    for server in Server::each() {
        let key = "0123456789ABCDEFabcdefghijklmnop";
        let first = server.post("/integrations", json!({"type": "events", "name": "a", "key": key})).await;
        assert_eq!((first.status, text(&first.body, "key").as_str()), (201, key));
        assert_eq!(server.post("/integrations", json!({"type": "events", "name": "a"})).await.status, 409);
        let taken = server.post("/integrations", json!({"type": "events", "name": "b", "key": key})).await;
        assert_eq!(taken.status, 409);
        assert!(!taken.body.to_string().contains(key));
        let foreign = server
            .call(&server.other, Method::POST, "/integrations", Some(json!({"type": "events", "name": "a", "key": key})))
            .await;
        assert_eq!(foreign.status, 409, "keys are unique over all tenants");
        let foreign =
            server.call(&server.other, Method::POST, "/integrations", Some(json!({"type": "events", "name": "a"}))).await;
        assert_eq!(foreign.status, 201, "names are not");
        let second = server.post("/integrations", json!({"type": "events", "name": "b"})).await;
        let renamed = server.patch(&format!("/integrations/{}", text(&second.body, "id")), json!({"name": "a"})).await;
        assert_eq!(renamed.status, 409);
    }
}

#[actix_web::test]
async fn d9_keys_hooks_and_secrets_rotate_with_overlap() {
    for server in Server::each() {
        let made = server.post("/integrations", json!({"type": "events", "name": "a", "generate_secret": true})).await;
        let (id, old) = (text(&made.body, "id"), text(&made.body, "key"));
        assert_eq!((text(&made.body, "signature_secret").len(), &made.body["policy"]), (64, &json!("signature")));
        assert!(server.get(&format!("/integrations/{id}")).await.body.get("signature_secret").is_none(), "shown once");
        let path = format!("/integrations/{id}/rotate");
        let rotated = server.post(&path, json!({"what": "key", "overlap": "1h"})).await;
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        let new = text(&rotated.body, "key");
        assert_ne!(new, old);
        assert_eq!(rotated.body["keys"].as_array().unwrap().len(), 2);
        assert_eq!(rotated.body["keys"][1]["expires_at"], START.plus_seconds(3600).to_string());
        let holds =
            |key: &str| server.app.directory.snapshot().by_key(&CredentialHash::of(key), server.app.clock.now()).is_some();
        assert!(holds(&old) && holds(&new));
        server.app.clock.advance(3600);
        assert!(!holds(&old) && holds(&new));
        assert_eq!(server.get(&format!("/integrations/{id}")).await.body["keys"].as_array().unwrap().len(), 1);
        let url = text(&rotated.body, "url");
        let rotated = server.post(&path, json!({"what": "hook", "overlap": "off"})).await;
        assert_ne!(text(&rotated.body, "url"), url);
        assert_eq!(rotated.body["hooks"].as_array().unwrap().len(), 1);
        let rotated = server.post(&path, json!({"what": "secret"})).await;
        assert_eq!(text(&rotated.body, "signature_secret").len(), 64);
        assert_eq!(rotated.body["secrets"].as_array().unwrap().len(), 2);
        let pasted = server.post(&path, json!({"what": "secret", "signature_secret": "whsec_abc"})).await;
        assert_eq!((pasted.status, pasted.body.get("signature_secret")), (200, None), "what was pasted is not shown");
        let bad = server.post(&path, json!({"what": "hook", "key": "x", "signature_secret": "y"})).await;
        assert_eq!((bad.status, fields(&bad.body)), (400, vec!["key", "signature_secret"]));
        let removed = server.patch(&format!("/integrations/{id}"), json!({"signature_secret": null})).await;
        assert_eq!((&removed.body["policy"], &removed.body["secrets"]), (&json!("hook"), &json!([])));
    }
}

#[actix_web::test]
async fn an_integration_with_open_incidents_is_not_deleted_by_accident() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        testing::plant_incident(&mut conn, &place, "auto:1", true, "evt_x");
        testing::plant_incident(&mut conn, &place, "unmapped:2", true, "evt_y");
        let path = format!("/integrations/{}", place.integration_id);
        let refused = server.delete(&path).await;
        assert_eq!((refused.status, &refused.body["error"]["details"]), (409, &json!({"open_incidents": 2})));
        assert_eq!(server.delete(&format!("{path}?open=leave")).await.status, 400);
        let warnings = server.get(&path).await.body["warnings"].to_string();
        assert!(warnings.contains("guessed") && warnings.contains("not understood"), "{warnings}");
    }
}

#[actix_web::test]
async fn built_in_integrations_can_be_limited_and_nothing_else() {
    for server in Server::each() {
        let listed = server.get("/integrations?built_in=true").await.body;
        let of = |kind: &str| {
            listed["items"].as_array().unwrap().iter().find(|item| item["type"] == kind).map(|item| text(item, "id"))
        };
        let (api, own) = (of("api").unwrap(), of("callbox").unwrap());
        let limited = server.patch(&format!("/integrations/{api}"), json!({"rate_limit_per_minute": 5})).await;
        assert_eq!(
            (limited.status, &limited.body["rate_limit_per_minute"], &limited.body["key"]),
            (200, &json!(5), &Value::Null)
        );
        assert_eq!(server.patch(&format!("/integrations/{api}"), json!({"name": "x"})).await.status, 400);
        assert_eq!(server.patch(&format!("/integrations/{own}"), json!({"enabled": false})).await.status, 409);
        for id in [api, own] {
            assert_eq!(server.delete(&format!("/integrations/{id}")).await.status, 409);
            assert_eq!(server.post(&format!("/integrations/{id}/rotate"), json!({"what": "key"})).await.status, 409);
        }
    }
}

#[actix_web::test]
async fn changes_made_at_once_follow_one_another() {
    for server in Server::each() {
        let made = server.post("/integrations", json!({"type": "events", "name": "a"})).await.body;
        let path = format!("/integrations/{}/rotate", text(&made, "id"));
        let rotations = (0..6).map(|_| server.post(&path, json!({"what": "key"})));
        let answers = futures_util::future::join_all(rotations).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        let creations = (0..6).map(|_| server.post("/integrations", json!({"type": "events", "name": "b"})));
        let mut statuses: Vec<u16> = futures_util::future::join_all(creations).await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
        let shown = server.get(&format!("/integrations/{}", text(&made, "id"))).await.body;
        assert_eq!(shown["keys"].as_array().unwrap().len(), 2, "never more than two: {shown}");
    }
}
