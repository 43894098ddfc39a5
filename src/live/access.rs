//! Who may watch what: passes open one order, tokens and sign-ins of people open what their company has.

use jiff::Timestamp;

use super::protocol::Problem;
use crate::accounts::scopes::Scope;
use crate::accounts::sessions::{self, Kind, Sessions};
use crate::accounts::tokens::Tokens;
use crate::base::id::{LoginId, OrderId, PassId, TokenId};
use crate::base::{Actor, Error, Result, Secret};
use crate::orders::tracking::Admission;
use crate::orders::{OrderRef, Passes, Timeline};

/// What a connection was opened with; it is closed when this is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A tracking pass.
    Pass(PassId),
    /// An API token.
    Token(TokenId),
    /// A person's sign-in: it outlives its access tokens, so that refreshing them closes nothing.
    Login(LoginId),
}

/// A good credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub credential: Credential,
    /// When it ends, if that is known.
    pub expires_at: Option<Timestamp>,
}

/// Someone who signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// With what.
    pub grant: Grant,
    actor: Actor,
    may_read: bool,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No such order for this credential; also what an unknown pass looks like.
    Unknown,
    /// The pass or token has run out.
    Expired,
    /// The pass was taken back.
    Revoked,
    /// The token is not good.
    Unauthorised,
    /// Nobody signed in, or without the permission.
    Forbidden,
    /// The database is out of reach: never "unknown" for what may be good.
    Unavailable,
}

impl Denied {
    /// Stable code of the reason on the WebSocket.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::Unknown => {
                Problem::lasting("unknown_order", "There is no such order, or this link does not open it.")
            }
            Self::Expired => Problem::lasting("expired", "This link or token has expired. Ask for a new one."),
            Self::Revoked => Problem::lasting("revoked", "This link was withdrawn."),
            Self::Unauthorised => Problem::lasting("unauthorised", "The token is not valid. Sign in again."),
            Self::Forbidden => Problem::lasting("forbidden", "Sign in first, with the permission orders:read."),
            Self::Unavailable => Problem {
                retry: true,
                ..Problem::lasting("unavailable", "Live updates are not available right now. Please try again.")
            },
        }
    }
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_)
            | Error::Invalid(_)
            | Error::InvalidFields(_)
            | Error::Conflict(_)
            | Error::Unprocessable(_) => Self::Unknown,
            Error::Unauthenticated(_) => Self::Unauthorised,
            Error::Forbidden(_) | Error::Barred(_) => Self::Forbidden,
            Error::Gone(_) => Self::Expired,
            Error::TooMany { .. } | Error::Unavailable(..) => Self::Unavailable,
            Error::Internal(source) => {
                tracing::error!(error = %source, "a live request failed");
                Self::Unavailable
            }
        }
    }
}

impl Caller {
    /// The only company whose orders the caller sees; all when `None`.
    #[must_use]
    pub fn company(&self) -> Option<crate::base::id::CompanyId> {
        self.actor.company()
    }

    /// Whether the caller may watch orders.
    ///
    /// # Errors
    /// `Forbidden` without the scope `orders:read`.
    pub fn require_read(&self) -> Result<(), Denied> {
        if self.may_read { Ok(()) } else { Err(Denied::Forbidden) }
    }
}

/// Asks the features that know credentials. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    passes: Passes,
    tokens: Tokens,
    sessions: Sessions,
    timeline: Timeline,
}

impl Access {
    /// An access that asks these.
    #[must_use]
    pub fn new(passes: Passes, tokens: Tokens, sessions: Sessions, timeline: Timeline) -> Self {
        Self { passes, tokens, sessions, timeline }
    }

    /// The order a pass opens.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn pass(&self, text: &Secret) -> Result<(OrderId, Grant), Denied> {
        match self.passes.admit(text.expose()).await? {
            Admission::Welcome(pass) => {
                Ok((pass.order, Grant { credential: Credential::Pass(pass.id), expires_at: pass.expires_at }))
            }
            Admission::Expired(_) => Err(Denied::Expired),
            Admission::Revoked(_) => Err(Denied::Revoked),
            Admission::Unknown => Err(Denied::Unknown),
        }
    }

    /// Whose token it is: a system's API token, or the access token of a person who has signed in.
    ///
    /// # Errors
    /// `Unauthorised` when it is none of ours, or no longer good.
    pub async fn token(&self, text: &Secret) -> Result<Caller, Denied> {
        if sessions::is_access_token(text.expose()) {
            let login = self.sessions.authenticate(text.expose()).await?;
            let grant = Grant { credential: Credential::Login(login.id), expires_at: Some(login.expires_at) };
            // Of a company that waits for its approval there is nothing to watch.
            return Ok(Caller { grant, actor: login.person.actor(), may_read: login.kind == Kind::Full });
        }
        let token = self.tokens.authenticate(text.expose()).await?;
        let grant = Grant { credential: Credential::Token(token.id), expires_at: token.expires_at };
        Ok(Caller { grant, actor: token.actor(), may_read: token.scopes.allow(Scope::OrdersRead) })
    }

    /// The order a caller names by id or number.
    ///
    /// # Errors
    /// `Unknown` when there is none the caller may see.
    pub async fn order(&self, caller: &Caller, text: &str) -> Result<OrderId, Denied> {
        caller.require_read()?;
        let target: OrderRef = text.parse()?;
        Ok(self.timeline.resolve(&caller.actor, &target).await?)
    }

    /// Credentials revoked at or after a moment.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn revoked_since(&self, since: Timestamp) -> Result<Vec<Credential>> {
        let passes = self.passes.revoked_since(since).await?;
        let tokens = self.tokens.revoked_since(since).await?;
        let logins = self.sessions.revoked_since(since).await?;
        let passes = passes.into_iter().map(Credential::Pass);
        let tokens = tokens.into_iter().map(Credential::Token);
        Ok(passes.chain(tokens).chain(logins.into_iter().map(Credential::Login)).collect())
    }
}
