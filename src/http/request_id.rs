//! An id for every request: in the answer's `X-Request-Id`, in error bodies, and in the log.
//!
//! Also the border at which a failure of ours is logged, once.

use std::future::{Ready, ready};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, dev};

use crate::error::ApiError;
use crate::id;

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request at hand; of the form of a ledger id, and that id where there is a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let have = request.extensions().get::<Self>().cloned();
        ready(Ok(have.unwrap_or_else(|| Self(id::new(id::Kind::Request)))))
    }
}

/// The middleware, for `App::wrap_fn`: gives the request its [`RequestId`], and every answer its header. An [`ApiError`] gets
/// the id into its body.
pub fn layer<S, B>(request: ServiceRequest, next: &S) -> impl Future<Output = Result<ServiceResponse<BoxBody>, Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    let id = RequestId(id::new(id::Kind::Request));
    request.extensions_mut().insert(id.clone());
    let answer = next.call(request);
    async move {
        let answer = answer.await?;
        let mut answer = with_id(answer, &id);
        // A handler with a ledger row has named that; nothing else may.
        if let (false, Ok(value)) = (answer.headers().contains_key(HEADER), HeaderValue::from_str(&id.0)) {
            answer.headers_mut().insert(HEADER, value);
        }
        Ok(answer)
    }
}

/// Renders an [`ApiError`] anew, now that the id is known. What the framework itself refused becomes one, so that it is JSON too.
fn with_id<B: MessageBody + 'static>(answer: ServiceResponse<B>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let Some(error) = answer.response().error() else { return answer.map_into_boxed_body() };
    let of_framework;
    let error = match error.as_error::<ApiError>() {
        Some(error) => error,
        None => {
            of_framework = translated(error);
            &of_framework
        }
    };
    if let Some(reason) = error.reason() {
        tracing::error!(request_id = %id.0, code = error.code(), reason, "a request failed");
    }
    let rendered = error.render(Some(&id.0));
    answer.into_response(rendered)
}

fn translated(error: &Error) -> ApiError {
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => ApiError::NotFound,
        status if status.is_client_error() => ApiError::BadRequest("the request cannot be read".into()),
        _ => ApiError::Internal(error.to_string()),
    }
}
