//! Who calls the management API, and what they may do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, dev, web};
use futures_util::future::LocalBoxFuture;

use crate::app::App;
use crate::error::ApiError;
use crate::ingest::snapshot::Token;
use crate::secret::CredentialHash;
use crate::store::tokens;
use crate::time::Timestamp;

/// How the token from `CALLBOX_ADMIN_TOKEN` is named in the audit log; no stored token may have this name.
pub const ENVIRONMENT: &str = "CALLBOX_ADMIN_TOKEN";

/// What a token can be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Post events on `/api/events`.
    EventsWrite,
    /// Read incidents, events, requests and changes.
    IncidentsRead,
    /// Acknowledge, resolve, replay.
    IncidentsWrite,
    /// Read integrations and services.
    IntegrationsRead,
    /// Change them, and see their keys.
    IntegrationsWrite,
    /// Read destinations and rules.
    DestinationsRead,
    /// Change them: decide who is told, and thereby who learns of incidents.
    DestinationsWrite,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::EventsWrite,
        Self::IncidentsRead,
        Self::IncidentsWrite,
        Self::IntegrationsRead,
        Self::IntegrationsWrite,
        Self::DestinationsRead,
        Self::DestinationsWrite,
        Self::Admin,
    ];

    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::IncidentsRead => "incidents:read",
            Self::IncidentsWrite => "incidents:write",
            Self::IntegrationsRead => "integrations:read",
            Self::IntegrationsWrite => "integrations:write",
            Self::DestinationsRead => "destinations:read",
            Self::DestinationsWrite => "destinations:write",
            Self::Admin => "admin",
        }
    }

    /// Reads exactly the wire word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether a token with this scope may do what `wanted` stands for: `admin` may everything, writing includes reading.
    pub const fn implies(self, wanted: Self) -> bool {
        match (self, wanted) {
            (Self::Admin, _)
            | (Self::IncidentsWrite, Self::IncidentsRead)
            | (Self::IntegrationsWrite, Self::IntegrationsRead)
            | (Self::DestinationsWrite, Self::DestinationsRead) => true,
            _ => self as u8 == wanted as u8,
        }
    }
}

/// Whoever calls, proved by an API token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant they speak for; every query is bound to it.
    pub tenant_id: Arc<str>,
    /// Their name in the audit log.
    pub name: String,
    /// What they may do.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Whether they may do what `scope` stands for.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.iter().any(|have| have.implies(scope))
    }

    /// # Errors
    /// [`ApiError::Forbidden`] when they may not.
    pub fn need(&self, scope: Scope) -> Result<(), ApiError> {
        if self.may(scope) { Ok(()) } else { Err(ApiError::Forbidden(scope.as_str())) }
    }

    fn of(token: &Token, now: Timestamp) -> Self {
        token.last_used.fetch_max(now.0, Ordering::Relaxed);
        Self {
            tenant_id: Arc::clone(&token.tenant_id),
            name: token.name.clone(),
            scopes: token.scopes.iter().filter_map(|word| Scope::parse(word)).collect(),
        }
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>().cloned();
        let presented = bearer(request).map(str::to_owned);
        Box::pin(async move {
            let app = app.ok_or_else(|| ApiError::Internal("no App in the server's data".into()))?;
            authenticate(&app, presented.as_deref().ok_or(ApiError::Unauthorized)?).await
        })
    }
}

/// The token in `Authorization: Bearer …`, if there is one.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The caller behind a token. One that memory does not know is looked up in the store once; a typing error is not.
///
/// # Errors
/// [`ApiError::Unauthorized`]; or [`ApiError::Unavailable`] while it cannot be said whether the token holds.
pub async fn authenticate(app: &App, presented: &str) -> Result<Caller, ApiError> {
    let hash = CredentialHash::of(presented);
    if app.admin_token.is_some_and(|admin| admin.matches(&hash)) {
        return Ok(Caller { tenant_id: Arc::clone(&app.default_tenant), name: ENVIRONMENT.into(), scopes: vec![Scope::Admin] });
    }
    let now = app.clock.now();
    let known = || app.directory.snapshot().token(&hash, now).map(|token| Caller::of(token, now));
    if let Some(caller) = known() {
        return Ok(caller);
    }
    if !tokens::well_formed(presented) {
        return Err(ApiError::Unauthorized);
    }
    app.directory.look_again(&hash).await?;
    match known() {
        Some(caller) => Ok(caller),
        None if app.directory.confirmed() => Err(ApiError::Unauthorized),
        None => Err(ApiError::Unavailable("an unknown token, while the configuration could not be confirmed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_imply_what_they_should_and_nothing_else() {
        use Scope::*;
        let implied = |scope: Scope| Scope::ALL.into_iter().filter(|wanted| scope.implies(*wanted)).collect::<Vec<_>>();
        assert_eq!(implied(Admin), Scope::ALL);
        assert_eq!(implied(IncidentsWrite), [IncidentsRead, IncidentsWrite]);
        assert_eq!(implied(IntegrationsWrite), [IntegrationsRead, IntegrationsWrite]);
        assert_eq!(implied(DestinationsWrite), [DestinationsRead, DestinationsWrite]);
        assert_eq!(implied(EventsWrite), [EventsWrite]);
        assert_eq!(implied(IncidentsRead), [IncidentsRead]);
        assert!(Scope::ALL.into_iter().all(|scope| Scope::parse(scope.as_str()) == Some(scope)));
    }
}
