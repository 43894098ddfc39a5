//! Who is calling: extractors, so that a handler's signature is its permission.
//!
//! What is here: [`Caller`], a system with an API token or a person, by what it may do with orders (this file); [`people`],
//! persons by who they are; [`cookies`] and [`renewal`], how a browser stays signed in. What is not: whether a credential
//! is good (`accounts`).

pub mod cookies;
pub mod people;
pub mod renewal;

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;

pub use people::{Merchant, Onboarding, SignedIn, Staff, SuperAdmin};

use super::error::Problem;
use super::request_id;
use crate::accounts::sessions::{self, Kind};
use crate::accounts::{Login, Scope, Token, Tokens};
use crate::base::{Actor, Asker, Error, Result, Secret};

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
    /// What systems send in: secrets, inbox, status words.
    ManageWebhooks: [WebhooksManage];
    /// Running the platform.
    Administer: [Admin];
}

/// Who a credential belongs to.
#[derive(Clone, Debug)]
pub enum Who {
    /// A system.
    Token(Token),
    /// A person with a full sign-in.
    Person(Box<Login>),
}

impl Who {
    /// The party that acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Token(token) => token.actor(),
            Self::Person(login) => login.person.actor(),
        }
    }

    /// What replies call the caller.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Token(token) => &token.name,
            Self::Person(login) => &login.person.name,
        }
    }

    /// The same for every request of the caller, whichever token it shows.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Token(token) => token.id.to_string(),
            Self::Person(login) => login.person.id.to_string(),
        }
    }

    fn require(&self, scope: Scope) -> Result<()> {
        match self {
            Self::Token(token) => token.require(scope),
            Self::Person(login) if login.person.role.is_staff() => Ok(()),
            Self::Person(_) if VENDORS_MAY.contains(&scope) => Ok(()),
            Self::Person(_) => Err(Error::Forbidden(format!("Your role lacks required permission: {}", scope.code()))),
        }
    }
}

/// What a vendor may do with the orders and webhooks of its own company.
const VENDORS_MAY: [Scope; 4] =
    [Scope::OrdersRead, Scope::OrdersWrite, Scope::OrdersUpdateStatus, Scope::WebhooksManage];

/// Whose the credential of a request is.
///
/// # Errors
/// `Unauthenticated` without a good credential; `Forbidden` for cookies that a page elsewhere makes a browser send.
pub async fn who(request: &HttpRequest) -> Result<Who> {
    if let Some(text) = credential(request)
        && !sessions::is_access_token(text.expose())
    {
        let tokens = request.app_data::<web::Data<Tokens>>().cloned();
        let tokens = tokens.ok_or_else(|| Error::internal("no token check is set up"))?;
        return Ok(Who::Token(tokens.authenticate(text.expose()).await?));
    }
    let login = people::login_of(request).await?;
    if login.kind == Kind::Full {
        return Ok(Who::Person(Box::new(login)));
    }
    Err(Error::Unauthenticated("Invalid or missing authentication token".into()))
}

/// A caller with a good credential that may do what is needed: an API token as `Authorization: Bearer`, `X-API-Key`, or
/// `?token=` (reference/004), in this order of preference; or a person who has signed in.
pub struct Caller<N: Needs> {
    /// Who.
    pub who: Who,
    request_id: Option<String>,
    needs: PhantomData<N>,
}

impl<N: Needs> Caller<N> {
    /// The party that acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.who.actor()
    }

    /// The party that asks with this request.
    #[must_use]
    pub fn asker(&self) -> Asker {
        Asker { actor: self.actor(), request_id: self.request_id.clone() }
    }
}

impl<N: Needs> FromRequest for Caller<N> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let who = who(&request).await?;
            N::SCOPES.iter().try_for_each(|scope| who.require(*scope))?;
            Ok(Self { who, request_id: request_id(&request), needs: PhantomData })
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
