//! The management API, called as a client calls it, on both databases.

use actix_web::http::{Method, StatusCode};
use actix_web::{test, web};
use serde_json::{Value, json};

use super::{ROUTES, configure};
use crate::app::App;
use crate::http::auth::Scope;
use crate::http::request_id;
use crate::ingest::commit::Committer;
use crate::ingest::directory::Directory;
use crate::secret::CredentialHash;
use crate::store::testing::{self, Database, Place};
use crate::store::tokens::{self, New};
use crate::store::{services, tenants};
use crate::time::{Clock, Timestamp};

const ADMIN: &str = "a token from the environment";
const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct Server {
    app: web::Data<App>,
    /// An admin token of a second tenant.
    other: String,
    other_tenant: String,
    database: Database,
}

struct Answer {
    status: u16,
    body: Value,
    request_id: String,
}

impl Server {
    fn new(database: Database) -> Self {
        let mut conn = database.store.writer().unwrap();
        let default_tenant = tenants::ensure_default(&mut conn, START).unwrap();
        let other_tenant = tenants::ensure(&mut conn, "other", START).unwrap();
        let other = tokens::create_admin(&mut conn, &other_tenant, "other admin", START).unwrap().expose().to_owned();
        let app = App {
            committer: Committer::new(database.store.clone()),
            directory: Directory::open(database.store.clone(), testing::sealer()).unwrap(),
            sealer: testing::sealer(),
            clock: Clock::manual(START),
            public_url: "https://callbox.example".into(),
            default_tenant: default_tenant.into(),
            admin_token: Some(CredentialHash::of(ADMIN)),
            store: database.store.clone(),
        };
        Self { app: web::Data::new(app), other, other_tenant, database }
    }

    /// One on each database.
    fn each() -> Vec<Self> {
        testing::databases().into_iter().map(Self::new).collect()
    }

    async fn send(&self, request: test::TestRequest) -> Answer {
        let service = actix_web::App::new().wrap_fn(request_id::layer).app_data(self.app.clone()).configure(configure);
        let service = test::init_service(service).await;
        let answer = test::call_service(&service, request.to_request()).await;
        let status = answer.status().as_u16();
        let request_id = answer.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
        let body = test::read_body(answer).await;
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("not JSON: {body:?}"));
        Answer { status, body, request_id }
    }

    async fn call(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = test::TestRequest::default()
            .method(method)
            .uri(&format!("/api/v1{path}"))
            .insert_header(("authorization", format!("Bearer {token}")));
        if let Some(body) = body {
            request = request.set_json(body);
        }
        self.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(ADMIN, Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(ADMIN, Method::POST, path, Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(ADMIN, Method::PATCH, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(ADMIN, Method::DELETE, path, None).await
    }

    /// A token of the default tenant with these scopes, made behind the server's back.
    fn token(&self, scopes: &[Scope]) -> String {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let mut conn = self.database.store.writer().unwrap();
        let new =
            New { tenant_id: &self.app.default_tenant, name: "scoped", scopes: &scopes, created_by: "test", expires_at: None };
        let (_, text) = tokens::create(&mut conn, &new, START).unwrap();
        crate::store::snapshot::bump(&mut conn).unwrap();
        text.expose().to_owned()
    }

    /// An integration of the default tenant, and where its rows go.
    async fn place(&self) -> Place {
        let made = self.post("/integrations", json!({"type": "events", "name": "planted"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        Place {
            tenant_id: self.app.default_tenant.to_string(),
            service_id: text(&made.body, "service_id"),
            integration_id: text(&made.body, "id"),
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn fields(body: &Value) -> Vec<&str> {
    body["error"]["details"].as_array().unwrap().iter().map(|problem| problem["field"].as_str().unwrap()).collect()
}

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
async fn services_are_kept_while_something_depends_on_them() {
    for server in Server::each() {
        let made = server.post("/services", json!({"name": "web"})).await;
        let id = text(&made.body, "id");
        assert_eq!(made.status, 201);
        assert!(server.app.directory.snapshot().services[id.as_str()].api_integration.is_some());
        assert_eq!(server.post("/services", json!({"name": "web"})).await.status, 409);
        let integration = server.post("/integrations", json!({"type": "events", "name": "a", "service": "web"})).await.body;
        assert_eq!(text(&integration, "service_id"), id);
        let path = format!("/services/{id}");
        let refused = server.delete(&path).await;
        assert_eq!((refused.status, &refused.body["error"]["details"]["integrations"]), (409, &json!(1)));
        assert_eq!(server.patch(&path, json!({"name": "shop"})).await.body["name"], "shop");
        assert_eq!(server.patch(&path, json!({"name": "default"})).await.status, 409);
        assert_eq!(server.delete(&format!("/integrations/{}", text(&integration, "id"))).await.status, 200);
        assert_eq!(server.delete(&path).await.status, 200);
        assert_eq!(server.get(&path).await.status, 404);
        let default = server.get("/services?name=default").await.body["items"][0].clone();
        let path = format!("/services/{}", text(&default, "id"));
        assert_eq!(server.delete(&path).await.status, 409);
        assert_eq!(server.patch(&path, json!({"name": "x"})).await.status, 409);
    }
}

#[actix_web::test]
async fn i8_lists_are_paged_by_cursors_that_fit_only_their_list() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let mut ids: Vec<String> =
            (0..5).map(|n| testing::plant_incident(&mut conn, &place, &format!("key-{n}"), n % 2 == 0, "evt_x")).collect();
        ids.reverse();
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/incidents?limit=2{cursor}")).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id")));
            // A newcomer does not disturb the pages behind it.
            testing::plant_incident(&mut conn, &place, &format!("late-{}", seen.len()), false, "evt_x");
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, ids);
        let made_for = format!("/incidents?limit=2&status=resolved{cursor}");
        assert_eq!(server.get(&made_for).await.status, 400, "other filters");
        let foreign = server.call(&server.other, Method::GET, &format!("/incidents?limit=2{cursor}"), None).await;
        assert_eq!((foreign.status, fields(&foreign.body)), (400, vec!["cursor"]), "another tenant");
        assert_eq!(server.get(&format!("/events?limit=2{cursor}")).await.status, 400, "another list");
        for bad in ["limit=0", "limit=-1", "limit=501", "limit=1000000000", "limit=x", "cursor=", "cursor=AAAA", "cursor=-1"] {
            assert_eq!(server.get(&format!("/incidents?{bad}")).await.status, 400, "{bad}");
        }
        let sql = "%27%20OR%201%3D1%20--";
        for path in ["/incidents?q=", "/incidents?dedup_key=", "/requests?q=", "/events?integration_id=", "/integrations?name="] {
            let answer = server.get(&format!("{path}{sql}")).await;
            assert_eq!((answer.status, &answer.body["items"]), (200, &json!([])), "{path}");
        }
        assert_eq!(server.get("/incidents?q=%00").await.status, 400);
        let answer = server.get("/incidents?statsu=open").await;
        assert!(answer.status == 400 && answer.body.to_string().contains("did you mean `status`"), "{}", answer.body);
    }
}

#[actix_web::test]
async fn incidents_are_found_by_their_filters() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let open = testing::plant_incident(&mut conn, &place, "Disk_Full", true, "evt_x");
        let over = testing::plant_incident(&mut conn, &place, "diskXfull", false, "evt_y");
        let both = vec![over.clone(), open.clone()];
        for (filter, expected) in [
            ("", both.clone()),
            ("status=triggered", vec![open.clone()]),
            ("status=triggered&status=acknowledged", vec![open.clone()]),
            ("status=resolved", vec![over.clone()]),
            ("status=resolved&status=triggered", both.clone()),
            ("status=triggered&dedup_key=Disk_Full", vec![open.clone()]),
            ("dedup_key=disk_full", vec![]),
            ("q=disk_f", vec![open.clone()]),
            ("q=DISK", both.clone()),
            ("q=50%25", both.clone()),
            ("q=5%250", vec![]),
            ("severity=critical", both.clone()),
            ("severity=info", vec![]),
            ("since=1970-01-01T00:00:01Z&until=1970-01-01T00:00:02Z", both.clone()),
            ("until=1970-01-01T00:00:01Z", vec![]),
            ("integration_id=int_x", vec![]),
        ] {
            let answer = server.get(&format!("/incidents?{filter}")).await;
            let found: Vec<String> = answer.body["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
            assert_eq!(found, expected, "{filter}");
        }
        for bad in ["status=open", "severity=CRITICAL", "since=yesterday"] {
            assert_eq!(server.get(&format!("/incidents?{bad}")).await.status, 400, "{bad}");
        }
        let shown = server.get(&format!("/incidents/{open}")).await.body;
        assert_eq!((&shown["urgency"], &shown["custom_details"]), (&json!("high"), &json!({"a": 1})));
        assert_eq!((&shown["links"][0]["href"], &shown["images"]), (&json!("https://example.com"), &json!([])));
        assert_eq!(shown["first_seen"], "1970-01-01T00:00:01.000000Z");
    }
}

#[actix_web::test]
async fn a_timeline_follows_its_chain_and_a_request_shows_its_events() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let mut events: Vec<String> = Vec::new();
        for n in 0..5 {
            let what = if n == 4 { "unmatched" } else { "updated" };
            let event = testing::plant_event(&mut conn, &place, Some("inc_x"), events.last().map(String::as_str), what);
            events.push(event);
        }
        let incident = testing::plant_incident(&mut conn, &place, "db-1/cpu", true, &events[4]);
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/incidents/{incident}/events?limit=2{cursor}")).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id")));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, events.iter().rev().cloned().collect::<Vec<_>>());
        let unmatched = server.get(&format!("/events/{}", events[4])).await.body;
        assert_eq!(unmatched["nearest_keys"], json!(["db-1/cpu"]));

        let request = testing::plant_request(&mut conn, &place, br#"{"a":1}"#, &events[1..3]);
        let shown = server.get(&format!("/requests/{request}")).await.body;
        assert_eq!(
            (&shown["body"], &shown["events"]),
            (&json!(r#"{"a":1}"#), &json!([])),
            "events of other requests are not shown"
        );
        assert_eq!(shown["headers"], json!([["content-type", "application/json"]]));
        use crate::store::schema::events as table;
        use diesel::prelude::*;
        diesel::update(table::table.filter(table::id.eq_any(&events[1..3])))
            .set(table::request_id.eq(&request))
            .execute(&mut conn)
            .unwrap();
        let shown = server.get(&format!("/requests/{request}")).await.body;
        let made: Vec<String> = shown["events"].as_array().unwrap().iter().map(|event| text(event, "id")).collect();
        assert_eq!(made, events[1..3], "in the order of the body");
        let listed = server.get(&format!("/events?request_id={request}")).await.body;
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        let binary = testing::plant_request(&mut conn, &place, &[0xff, 0x00], &[]);
        let shown = server.get(&format!("/requests/{binary}")).await.body;
        assert_eq!((&shown["body_base64"], shown.get("body")), (&json!("/wA="), None));
        for (filter, count) in
            [("q=100%25%20fine", 2), ("q=integrations", 2), (&format!("q={request}"), 1), ("verdict=limited", 0)]
        {
            let listed = server.get(&format!("/requests?{filter}")).await.body;
            assert_eq!(listed["items"].as_array().unwrap().len(), count, "{filter}");
            assert!(listed["items"].as_array().unwrap().iter().all(|item| item.get("body").is_none()));
        }
        testing::plant_change(&mut conn, &place);
        let changes = server.get("/changes").await.body;
        assert_eq!(changes["items"][0]["custom_details"], json!({"build": 1}));
    }
}

#[actix_web::test]
async fn i9_foreign_ids_do_not_exist_on_any_route() {
    for server in Server::each() {
        let place = server.place().await;
        let mut conn = server.database.store.writer().unwrap();
        let event = testing::plant_event(&mut conn, &place, None, None, "opened");
        let token = text(&server.post("/tokens", json!({"name": "t", "scopes": ["admin"]})).await.body, "id");
        let own: Vec<(&str, String)> = vec![
            ("integrations", place.integration_id.clone()),
            ("services", place.service_id.clone()),
            ("incidents", testing::plant_incident(&mut conn, &place, "k", true, &event)),
            ("events", event.clone()),
            ("requests", testing::plant_request(&mut conn, &place, b"{}", std::slice::from_ref(&event))),
            ("tokens", token),
        ];
        testing::plant_change(&mut conn, &place);
        let mut tried = 0;
        for route in ROUTES.iter().filter(|route| route.path.contains("{id}")) {
            let noun = route.path.split('/').nth(1).unwrap();
            let (_, id) = own.iter().find(|(have, _)| *have == noun).unwrap_or_else(|| panic!("plant one for {noun}"));
            for id in [id.as_str(), "int_00000000000000000000000000", "x", "%00", "..%2f"] {
                let path = route.path.replace("{id}", id);
                let body = (route.method == Method::POST || route.method == Method::PATCH)
                    .then(|| json!({"name": "stolen", "what": "key"}));
                let body = if route.path.ends_with("rotate") {
                    Some(json!({"what": "key"}))
                } else if body.is_some() {
                    Some(json!({"name": "stolen"}))
                } else {
                    None
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

#[actix_web::test]
async fn every_answer_is_json_with_a_request_id() {
    let server = Server::new(testing::sqlite());
    let unknown = server.get("/nothing").await;
    assert_eq!((unknown.status, &unknown.body["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(unknown.body["error"]["request_id"], unknown.request_id);
    let wrong = server.call(ADMIN, Method::PUT, "/integrations", None).await;
    assert_eq!((wrong.status, &wrong.body["error"]["code"]), (405, &json!("method_not_allowed")));
    let post = |body: Vec<u8>| {
        test::TestRequest::post()
            .uri("/api/v1/integrations")
            .insert_header(("authorization", format!("bearer {ADMIN}")))
            .set_payload(body)
    };
    for (body, status) in [
        (b"".to_vec(), 400),
        (b"{".to_vec(), 400),
        (b"[]".to_vec(), 400),
        (b"null".to_vec(), 400),
        ([b"[".repeat(100_000), b"]".repeat(100_000)].concat(), 400),
        (b"\xff".to_vec(), 400),
        (vec![b' '; (1 << 20) + 1], 413),
    ] {
        let answer = server.send(post(body)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let zipped = server.send(post(b"{}".to_vec()).insert_header(("content-encoding", "gzip"))).await;
    assert_eq!(zipped.status, StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16());
    let types = server.get("/types").await.body;
    assert!(types["items"].as_array().unwrap().iter().any(|item| item["type"] == "alertmanager"), "{types}");
}

/// What the list of routes says, for whoever reviews a change of it.
#[actix_web::test]
async fn the_list_of_routes() {
    let lines: Vec<String> = ROUTES
        .iter()
        .map(|route| format!("{} {} {}", route.method, route.path, route.scope.map_or("any token", Scope::as_str)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    GET /types any token
    POST /integrations integrations:write
    GET /integrations integrations:read
    GET /integrations/{id} integrations:read
    PATCH /integrations/{id} integrations:write
    DELETE /integrations/{id} integrations:write
    POST /integrations/{id}/rotate integrations:write
    POST /services integrations:write
    GET /services integrations:read
    GET /services/{id} integrations:read
    PATCH /services/{id} integrations:write
    DELETE /services/{id} integrations:write
    GET /incidents incidents:read
    GET /incidents/{id} incidents:read
    GET /incidents/{id}/events incidents:read
    GET /events incidents:read
    GET /events/{id} incidents:read
    GET /requests incidents:read
    GET /requests/{id} incidents:read
    GET /changes incidents:read
    POST /tokens admin
    GET /tokens admin
    GET /tokens/{id} admin
    DELETE /tokens/{id} admin
    GET /audit admin
    "#);
}
