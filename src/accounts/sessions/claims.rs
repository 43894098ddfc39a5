//! What the tokens of a sign-in say. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accounts::people::{Person, Role};
use crate::base::id::{AccountId, CompanyId, LoginId};
use crate::base::{Keys, Result, Secret};

/// Whom a sign-in lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Everything the person may do.
    Full,
    /// Of a company that waits for its approval: handing in papers, and nothing else.
    Onboarding,
}

impl Kind {
    /// As it is stored, and the audience of its access tokens.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Onboarding => "onboarding",
        }
    }

    /// The audience of its access tokens.
    fn audience(self) -> &'static str {
        match self {
            Self::Full => "access",
            Self::Onboarding => "onboarding",
        }
    }
}

/// The audience of refresh tokens, so that neither kind of token passes for the other.
const REFRESH: &str = "refresh";

/// What an access token says. Role and company are for its reader: here they are read from the database at every use.
#[derive(Serialize, Deserialize)]
struct Access {
    sub: AccountId,
    sid: LoginId,
    role: String,
    company: Option<CompanyId>,
}

/// What a refresh token says. `jti` is secret: its hash is stored.
#[derive(Serialize, Deserialize)]
pub(super) struct Refresh {
    pub sid: LoginId,
    pub jti: String,
}

impl Refresh {
    /// What is stored in place of the token.
    pub fn hash(&self) -> [u8; 32] {
        Secret::new(self.jti.clone()).hash()
    }
}

/// An access token for the person until then.
pub(super) fn access(
    keys: &Keys,
    (login, kind): (LoginId, Kind),
    person: &Person,
    now: Timestamp,
    until: Timestamp,
) -> Result<Secret> {
    let claims =
        Access { sub: person.id, sid: login, role: Role::code(person.role).to_owned(), company: person.company };
    keys.issue(kind.audience(), claims, now, until).map(Secret::new)
}

/// The sign-in an access token of ours belongs to.
pub(super) fn read_access(keys: &Keys, text: &str, now: Timestamp) -> Option<(LoginId, AccountId, Kind)> {
    let read = |kind: Kind| keys.verify::<Access>(kind.audience(), text, now).map(|it| (it.sid, it.sub, kind));
    read(Kind::Full).or_else(|| read(Kind::Onboarding))
}

/// A refresh token until then.
pub(super) fn refresh(keys: &Keys, claims: &Refresh, now: Timestamp, until: Timestamp) -> Result<Secret> {
    keys.issue(REFRESH, claims, now, until).map(Secret::new)
}

/// What a refresh token of ours says.
pub(super) fn read_refresh(keys: &Keys, text: &str, now: Timestamp) -> Option<Refresh> {
    keys.verify(REFRESH, text, now)
}

/// A moment so much later; the end of time when there is none.
pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
