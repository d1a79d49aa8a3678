//! The management API, called as a client calls it, on both databases.

mod access;
mod destinations;
mod integrations;
mod lists;
mod rules;

use actix_web::http::{Method, StatusCode};
use actix_web::{test, web};
use serde_json::{Value, json};

use super::{ROUTES, configure};
use crate::app::{App, Parts, assemble};
use crate::config::{Config, Flags};
use crate::http::auth::Scope;
use crate::http::request_id;
use crate::secret::Secret;
use crate::store::tenants;
use crate::store::testing::{self, Database, Place};
use crate::store::tokens::{self, New};
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
        Self::with(database, &[])
    }

    /// One with these variables in its environment.
    fn with(database: Database, env: &[(&str, &str)]) -> Self {
        let mut conn = database.store.writer().unwrap();
        let default_tenant = tenants::ensure_default(&mut conn, START).unwrap();
        let other_tenant = tenants::ensure(&mut conn, "other", START).unwrap();
        let other = tokens::create_admin(&mut conn, &other_tenant, "other admin", START).unwrap().expose().to_owned();
        let parts = Parts {
            store: database.store.clone(),
            sealer: testing::sealer(),
            clock: Clock::manual(START),
            default_tenant: default_tenant.into(),
            admin_token: Some(Secret::new(ADMIN)),
            tools: crate::provider::Registry::built_in(),
        };
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(None, env, &Flags::default()).unwrap();
        let app = assemble(parts, &config).unwrap();
        app.set_public_url(Some("https://callbox.example"), ([127, 0, 0, 1], 8080).into(), false);
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
    POST /integrations/{id}/test integrations:write
    POST /explain/{type} integrations:read
    POST /services integrations:write
    GET /services integrations:read
    GET /services/{id} integrations:read
    PATCH /services/{id} integrations:write
    DELETE /services/{id} integrations:write
    GET /incidents incidents:read
    GET /incidents/{id} incidents:read
    GET /incidents/{id}/events incidents:read
    POST /incidents/{id}/acknowledge incidents:write
    POST /incidents/{id}/resolve incidents:write
    GET /events incidents:read
    GET /events/{id} incidents:read
    GET /requests incidents:read
    GET /requests/{id} incidents:read
    POST /requests/replay incidents:write
    POST /requests/{id}/replay incidents:write
    GET /changes incidents:read
    POST /destinations destinations:write
    GET /destinations destinations:read
    GET /destinations/{id} destinations:read
    PATCH /destinations/{id} destinations:write
    DELETE /destinations/{id} destinations:write
    POST /destinations/{id}/rotate destinations:write
    POST /destinations/{id}/test destinations:write
    POST /rules destinations:write
    GET /rules destinations:read
    GET /rules/{id} destinations:read
    PATCH /rules/{id} destinations:write
    DELETE /rules/{id} destinations:write
    POST /rules/{id}/test destinations:read
    GET /deliveries incidents:read
    POST /deliveries/retry incidents:write
    POST /deliveries/drop incidents:write
    GET /deliveries/{id} incidents:read
    POST /deliveries/{id}/retry incidents:write
    POST /deliveries/{id}/drop incidents:write
    POST /tokens admin
    GET /tokens admin
    GET /tokens/{id} admin
    DELETE /tokens/{id} admin
    GET /audit admin
    "#);
}

#[actix_web::test]
async fn a_store_that_is_gone_is_503_and_says_nothing_of_itself() {
    let server = Server::new(testing::sqlite());
    use diesel::connection::SimpleConnection;
    let mut conn = server.database.store.writer().unwrap();
    if let crate::store::Conn::Sqlite(conn) = &mut conn {
        conn.batch_execute("DROP TABLE audit; BEGIN EXCLUSIVE").unwrap();
    }
    let answer = server.get("/audit").await;
    assert_eq!((answer.status, &answer.body["error"]["message"]), (500, &json!("internal error")));
    assert_eq!(answer.body["error"]["request_id"], answer.request_id);
    let answer = server.post("/services", json!({"name": "x"})).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (503, &json!("unavailable")));
    assert!(!answer.body.to_string().contains("locked"), "{}", answer.body);
}
