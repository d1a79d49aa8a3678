//! Secrets of destinations: rotated, named, unreadable.

use super::*;

#[actix_web::test]
async fn signing_secrets_overlap_while_they_are_rotated() {
    for server in Server::each() {
        let made = server.destination(webhook("ops")).await;
        let (id, old) = (text(&made, "id"), text(&made, "signing_secret"));
        let path = format!("/destinations/{id}/rotate");
        let rotated = server.post(&path, json!({"overlap": "1h"})).await;
        assert_eq!(rotated.status, 200, "{}", rotated.body);
        let new = text(&rotated.body, "signing_secret");
        let signed = || server.target(&id).unwrap().signing.iter().map(|one| one.expose().to_owned()).collect::<Vec<_>>();
        assert_eq!(signed(), [new.clone(), old]);
        assert_eq!(rotated.body["signing_secrets"][1]["expires_at"], START.plus_seconds(3600).to_string());
        server.app.clock.advance(3600);
        assert_eq!(signed(), [new]);
        let pasted = server.post(&path, json!({"overlap": "off", "signing_secret": "pasted"})).await;
        assert_eq!((pasted.body.get("signing_secret"), signed()), (None, vec!["pasted".to_owned()]));
        assert_eq!(server.post(&path, json!({"overlap": "1y"})).await.status, 400);
        let slack = json!({"kind": "slack", "name": "chat", "url": "https://hooks.slack.com/services/T0/B0/x"});
        let refused = server.post("/destinations", with(slack.clone(), json!({"templates": {"incident": "{{ .title }}"}}))).await;
        assert_eq!(fields(&refused.body), ["templates"], "its form is its vendor's");
        let refused = server.post("/destinations", with(slack.clone(), json!({"headers": {"X-A": "1"}}))).await;
        assert_eq!(fields(&refused.body), ["headers"]);
        let slack = server.destination(slack).await;
        assert_eq!(slack["signing_secrets"], json!([]), "what others sign with is not made up");
        let path = format!("/destinations/{}/rotate", text(&slack, "id"));
        assert_eq!(server.post(&path, json!({})).await.status, 400);
        assert_eq!(server.post(&path, json!({"signing_secret": "of the app"})).await.status, 200);
    }
}

#[actix_web::test]
async fn secrets_can_be_named_as_far_as_the_operator_lists_them() {
    for database in testing::databases() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("team"), "hush-team\n").unwrap();
        let env = [
            ("CALLBOX_OUTBOUND_SECRETS_ENV", "HOOK,HOST,UNSET"),
            ("CALLBOX_OUTBOUND_SECRETS_DIR", folder.path().to_str().unwrap()),
            ("HOOK", "https://hooks.example/hush-path"),
            ("HOST", "10.0.0.1"),
            ("HIDDEN", "hush"),
        ];
        let server = Server::with(database, &env);
        let body = json!({"kind": "webhook", "name": "ops", "url": "${HOOK}", "headers": {"X-Team": "file:team"}});
        let made = server.destination(body).await;
        let (id, target) = (text(&made, "id"), server.target(&text(&made, "id")).unwrap());
        assert_eq!((target.url.expose(), target.headers[0].1.expose()), ("https://hooks.example/hush-path", "hush-team"));
        assert_eq!((&made["url"], &made["headers"]["X-Team"]), (&json!("${HOOK}"), &json!("file:team")), "names are no secrets");
        for (url, told) in [
            ("${HIDDEN}", "may not be used"),
            ("${UNSET}", "is not set"),
            ("https://${HOST}/", "not a public address"),
            ("file:../team", "may not be used"),
            ("file:/etc/passwd", "may not be used"),
            ("file:missing", "cannot be read"),
            ("file:team", "is not a URL"),
        ] {
            let refused = server.patch(&format!("/destinations/{id}"), json!({ "url": url })).await;
            assert_eq!((refused.status, fields(&refused.body)), (400, vec!["url"]), "{url}");
            let message = refused.body.to_string();
            assert!(message.contains(told) && !message.contains("hush"), "{url}: {message}");
        }
        std::fs::remove_file(folder.path().join("team")).unwrap();
        let renamed = server.patch(&format!("/destinations/{id}"), json!({"name": "ops 2"})).await;
        assert_eq!(renamed.status, 200, "what has nothing to do with it can be changed");
        assert!(server.target(&id).unwrap_err().contains("file:team cannot be read"));
        assert!(text(&renamed.body, "problem").ends_with("what is meant for it waits"), "{}", renamed.body);
        let shown = server.patch(&format!("/destinations/{id}"), json!({"headers": null, "url": "https://${HOOK}/"})).await;
        assert_eq!(shown.status, 400, "{}", shown.body);
    }
}

#[actix_web::test]
async fn a_destination_whose_secrets_do_not_open_can_be_disabled_and_set_anew() {
    for server in Server::each() {
        let id = text(&server.destination(webhook("ops")).await, "id");
        let path = format!("/destinations/{id}");
        let mut conn = server.database.store.writer().unwrap();
        diesel::update(destinations::table.find(&id)).set(destinations::sealed.eq("junk")).execute(&mut conn).unwrap();
        let disabled = server.patch(&path, json!({"enabled": false})).await;
        assert_eq!((disabled.status, &disabled.body["url"]), (200, &Value::Null), "{}", disabled.body);
        assert!(text(&disabled.body, "problem").contains("do not open"));
        assert_eq!(server.patch(&path, json!({"options": {"method": "PUT"}})).await.status, 409);
        let anew = server.patch(&path, json!({"url": URL, "enabled": true})).await;
        assert_eq!((anew.status, &anew.body["problem"]), (200, &Value::Null), "{}", anew.body);
        assert_eq!(server.target(&id).unwrap().url.expose(), URL);
    }
}
