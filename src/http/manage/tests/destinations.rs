//! Destinations and rules.

use diesel::prelude::*;

use super::*;
use crate::delivery::channel::Target;
use crate::store::schema::{deliveries, destinations, threads};

const URL: &str = "https://hooks.example/in?token=hush";

fn webhook(name: &str) -> Value {
    json!({"kind": "webhook", "name": name, "url": URL})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

impl Server {
    async fn destination(&self, body: Value) -> Value {
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
async fn f1_f2_f3_f8_inner_and_crooked_urls_are_refused_when_they_are_saved() {
    let server = Server::new(testing::sqlite());
    let made = server.destination(webhook("ops")).await;
    let path = format!("/destinations/{}", text(&made, "id"));
    let hosts = [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "192.0.2.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "１２７.0.0.1",
        "[::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "[2001:0:7f00:1::]",
        "localhost",
        "localhost.",
        "a.localhost",
        "router",
        "db.internal",
        "metadata.google.internal",
        "printer.local.",
    ];
    let mut urls: Vec<String> = hosts.iter().map(|host| format!("https://{host}/hook")).collect();
    let crooked = [
        "https://user:pass@hooks.example/",
        "https://user@hooks.example/",
        "http://hooks.example/",
        "http://8.8.8.8/",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "gopher://hooks.example/",
        "//hooks.example/",
        "hooks.example",
        "https://",
        "javascript:alert(1)",
        "https://callbox.example/v2/enqueue",
    ];
    urls.extend(crooked.map(str::to_owned));
    for url in urls {
        let made = server.post("/destinations", json!({"kind": "webhook", "name": "x", "url": url})).await;
        assert_eq!((made.status, fields(&made.body)), (400, vec!["url"]), "{url}: {}", made.body);
        let changed = server.patch(&path, json!({ "url": url })).await;
        assert_eq!((changed.status, fields(&changed.body)), (400, vec!["url"]), "{url}");
    }
    assert_eq!(server.target(&text(&made, "id")).unwrap().url.expose(), URL);
    let odd = json!({"kind": "webhook", "name": "odd", "url": "https://hooks.example\\@127.0.0.1/"});
    assert_eq!(server.post("/destinations", odd).await.status, 201, "the parsed host counts, which is hooks.example");
}

#[actix_web::test]
async fn a_mail_server_inside_is_refused_too() {
    let server = Server::new(testing::sqlite());
    let mail = |url: &str| {
        let options = json!({"from": "callbox@mail.example", "to": "ops@mail.example"});
        server.post("/destinations", json!({"kind": "email", "name": url, "url": url, "options": options}))
    };
    for url in
        ["smtp://127.0.0.1:587", "smtp://127.1", "smtps://localhost", "smtp://[::ffff:10.0.0.1]", "smtp://mail", "smtp://0x7f.1"]
    {
        let refused = mail(url).await;
        assert_eq!((refused.status, fields(&refused.body)), (400, vec!["url"]), "{url}: {}", refused.body);
    }
    let made = mail("smtps://user:hush@mail.example").await;
    assert_eq!((made.status, &made.body["url"]), (201, &json!("smtps://***@mail.example")), "{}", made.body);
}

#[actix_web::test]
async fn what_the_operator_allows_is_accepted() {
    let server = Server::with(testing::sqlite(), &[("CALLBOX_OUTBOUND_ALLOW", "10.0.0.0/8")]);
    for url in ["http://10.1.2.3/hook", "https://10.1.2.3/", "http://receiver:8080/"] {
        let made = server.post("/destinations", json!({"kind": "webhook", "name": url, "url": url})).await;
        assert_eq!(made.status, 201, "{url}: {}", made.body);
    }
    let refused = server.post("/destinations", json!({"kind": "webhook", "name": "x", "url": "http://127.0.0.1/"})).await;
    assert_eq!(refused.status, 400);
}

#[actix_web::test]
async fn f15_and_every_problem_at_once() {
    let server = Server::new(testing::sqlite());
    for (name, value) in [("X-A", "a\r\nb"), ("X-A", "a\nb"), ("X-A", "a\0b"), ("X\r\nB", "a"), ("", "a"), ("Host", "a")] {
        let body = with(webhook("x"), json!({"headers": {name: value}}));
        let refused = server.post("/destinations", body).await;
        assert_eq!(refused.status, 400, "{name:?} {value:?}");
        assert!(fields(&refused.body)[0].starts_with("headers"), "{}", refused.body);
    }
    let body = json!({
        "kind": "webhok", "name": "", "url": "", "token": 5, "headers": {"X-A": 1}, "basic_auth": {"user": "u"}, "options": [],
        "templates": {"incidents": "x", "change": "{{ .no_such }}"}, "include": "all", "enabled": "yes", "default": 1, "breaker_failures": -1,
        "breaker_rest": "off", "rate_limit_per_minute": "x", "signing_secret": "", "signature_header": 5, "urls": "x",
    });
    let refused = server.post("/destinations", body).await;
    let mut told = fields(&refused.body);
    told.sort_unstable();
    let expected = [
        "basic_auth",
        "breaker_failures",
        "breaker_rest",
        "default",
        "enabled",
        "headers.X-A",
        "include",
        "kind",
        "name",
        "options",
        "rate_limit_per_minute",
        "signature_header",
        "signing_secret",
        "templates.change.source",
        "templates.incidents",
        "token",
        "url",
        "urls",
    ];
    assert_eq!((refused.status, told), (400, expected.to_vec()));
    assert!(refused.body.to_string().contains("did you mean `webhook`"), "{}", refused.body);
    let body = json!({"kind": "telegram", "name": "x", "url": "https://10.0.0.1", "token": "a b"});
    let refused = server.post("/destinations", body).await;
    assert_eq!(fields(&refused.body), ["url", "token", "options.chat_id"], "what the kind says of it, and the address");
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
