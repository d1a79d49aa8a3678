//! `GET /incidents/{id}`: where the link in a message leads. It needs no login and so tells nothing: how to see the incident, and not
//! whether there is one.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::app::App;
use crate::error::ApiError;
use crate::http::manage::looks_like;
use crate::id::Kind;

/// Nothing is loaded, nothing runs, and no other page shows this one.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Puts the page into a server.
pub fn configure(config: &mut ServiceConfig) {
    let resource = web::resource("/incidents/{id}").route(web::get().to(page)).route(web::head().to(page));
    config.service(resource.default_service(web::to(wrong_method)));
}

async fn wrong_method() -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed("GET, HEAD".to_owned()))
}

async fn page(app: Data<App>, path: web::Path<String>) -> Result<impl Responder, ApiError> {
    if !looks_like(Kind::Incident, &path) {
        return Err(ApiError::NotFound);
    }
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(html(app.public_url(), &path)))
}

/// The page of the incident `id` of the service at `url`.
fn html(url: &str, id: &str) -> String {
    let (url, id) = (escaped(url), escaped(id));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <title>Callbox: {id}</title>\n</head>\n<body>\n<h1>Incident {id}</h1>\n\
         <p>Who may see it sees it with the command line:</p>\n\
         <pre>callbox incident show {id}\ncallbox incident ack {id}\ncallbox incident resolve {id}</pre>\n\
         <p>or with the API:</p>\n\
         <pre>curl -H \"Authorization: Bearer $CALLBOX_TOKEN\" {url}/api/v1/incidents/{id}</pre>\n\
         <p>Both need an API token with the scope <code>incidents:read</code>: <code>callbox token create</code> makes one.</p>\n\
         </body>\n</html>\n"
    )
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_put_in_stays_text() {
        let page = html("https://callbox.example/\"><script>", "inc_<b>&'");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("callbox incident show inc_&lt;b&gt;&amp;&#39;"), "{page}");
        assert!(page.contains("https://callbox.example/&quot;&gt;&lt;script&gt;/api/v1/incidents/"), "{page}");
    }
}
