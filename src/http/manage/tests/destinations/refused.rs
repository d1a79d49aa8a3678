//! What is refused when it is saved, and what the operator may allow.

use super::*;

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
