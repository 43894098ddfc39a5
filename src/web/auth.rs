//! Who is calling: extractors, so that a handler's signature is its permission.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

use super::error::Problem;
use crate::accounts::{Scope, Token, Tokens};
use crate::base::{Actor, Error, Secret};

/// The scopes a handler needs.
pub trait Needs: 'static {
    /// All of them.
    const SCOPES: &'static [Scope];
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: [$($scope:ident),+];)+) => {$(
        $(#[$doc])*
        pub struct $name;
        impl Needs for $name {
            const SCOPES: &'static [Scope] = &[$(Scope::$scope),+];
        }
    )+};
}

needs! {
    /// Reading orders.
    Read: [OrdersRead];
    /// Creating orders and changing their details.
    Write: [OrdersWrite];
    /// Moving orders from status to status.
    UpdateStatus: [OrdersUpdateStatus];
    /// The three scopes reference/004 asks for.
    UpdateOrder: [OrdersRead, OrdersWrite, OrdersUpdateStatus];
    /// Reading the audit trail.
    ReadAudit: [AuditRead];
    /// Running the platform.
    Administer: [Admin];
}

/// A caller with a good API token that has the needed scopes. The token travels as `Authorization: Bearer`,
/// `X-API-Key`, or `?token=` (reference/004), in this order of preference.
pub struct Caller<N: Needs> {
    /// The token.
    pub token: Token,
    needs: PhantomData<N>,
}

impl<N: Needs> Caller<N> {
    /// The party that acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.token.actor()
    }
}

impl<N: Needs> FromRequest for Caller<N> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = credential(request);
        let tokens = request.app_data::<web::Data<Tokens>>().cloned();
        Box::pin(async move {
            let tokens = tokens.ok_or_else(|| Error::internal("no token check is set up"))?;
            let missing = || Error::Unauthenticated("Invalid or missing authentication token".into());
            let token = tokens.authenticate(text.ok_or_else(missing)?.expose()).await?;
            N::SCOPES.iter().try_for_each(|scope| token.require(*scope))?;
            Ok(Self { token, needs: PhantomData })
        })
    }
}

/// The credential of a request: a token or, on customers' routes, a tracking pass.
#[must_use]
pub fn credential(request: &HttpRequest) -> Option<Secret> {
    bearer(request).or_else(|| header(request, "X-API-Key")).or_else(|| query_value(request.query_string(), "token"))
}

/// The text of `Authorization: Bearer …`.
#[must_use]
pub fn bearer(request: &HttpRequest) -> Option<Secret> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(text.trim()))
}

fn header(request: &HttpRequest, name: &str) -> Option<Secret> {
    Some(Secret::new(request.headers().get(name)?.to_str().ok()?.trim()))
}

/// The value of a key in a query string.
#[must_use]
pub fn query_value(query: &str, key: &str) -> Option<Secret> {
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == key).map(|(_, value)| Secret::new(value))
}
