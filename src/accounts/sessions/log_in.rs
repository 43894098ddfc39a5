//! Signing in with a password: one piece of work for a right and a wrong one, a known and an unknown address.
//!
//! Too many wrong passwords lock an account ([`super::attempts`]). A locked one answers as for a wrong password, whatever
//! is tried; a password set anew by mail opens it at once.

use super::claims::Kind;
use super::store::{self, Door};
use super::{Opened, Origin, Sessions, attempts, write};
use crate::accounts::companies::CompanyState;
use crate::accounts::password;
use crate::accounts::people::fields::fold;
use crate::base::{Error, Result, Secret};

/// Which sign-ins a caller takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Of people who may do what their role allows.
    Account,
    /// Of people whose company waits for its approval.
    Onboarding,
    /// Either; [`super::Login::kind`] tells which it became.
    Either,
}

impl Sessions {
    /// Opens a sign-in with an e-mail address and a password.
    ///
    /// # Errors
    /// `Unauthenticated` for a wrong pair, always in the same words; `Barred` with a code that says what is missing when
    /// the password was right; `Unavailable` when more people sign in at once than there is memory for.
    pub async fn log_in(&self, email: &str, password: Secret, entrance: Entrance, origin: Origin) -> Result<Opened> {
        let began = tokio::time::Instant::now();
        let outcome = self.try_door(email, password, entrance, origin).await;
        if matches!(outcome, Err(Error::Unauthenticated(_))) {
            password::no_earlier(began).await;
        }
        outcome
    }

    async fn try_door(&self, email: &str, password: Secret, entrance: Entrance, origin: Origin) -> Result<Opened> {
        let (email, now) = (fold(email), self.clock.now());
        let door = self.db.read(move |conn| Box::pin(store::find_door(conn, email))).await?;
        let hash = door.as_ref().map(|door| door.hash.clone());
        let is_right = self.passwords.verify(password, hash).await?;
        let Some(door) = door else { return Err(wrong()) };
        let admitted = admit(&door, entrance);
        let fresh = match &admitted {
            Ok(kind) if is_right => Some(self.fresh(door.account, *kind, now, origin.clone())),
            _ => None,
        };
        let request_id = origin.request_id;
        // One transaction: a lock or a new password of meanwhile is seen, and none comes between this and the sign-in.
        let settled = self.db.transact(move |conn| {
            Box::pin(async move {
                if !attempts::settle(conn, door.account, (&door.hash, is_right), now, request_id).await? {
                    return Ok(None);
                }
                let Some((row, refresh)) = fresh else { return Ok(Some(None)) };
                let login = write(conn, row, &refresh).await?;
                Ok(Some(Some((login, refresh))))
            })
        });
        let Some(opened) = settled.await? else { return Err(wrong()) };
        admitted?;
        let (login, refresh) = opened.ok_or_else(wrong)?;
        self.hand_out(login, &refresh, now)
    }
}

fn wrong() -> Error {
    Error::Unauthenticated("No active account found with the given credentials".into())
}

/// What a right password opens.
fn admit(door: &Door, entrance: Entrance) -> Result<Kind> {
    if door.is_suspended {
        return Err(Error::barred(
            "account_suspended",
            "Your account is suspended. Please ask who runs this platform.",
        ));
    }
    if !door.is_verified {
        let message = "Your e-mail address is not verified yet. Enter the code we have sent you, or ask for a new one.";
        return Err(Error::barred("account_not_verified", message));
    }
    let kind = match door.company.as_ref().map(|company| company.state) {
        _ if door.is_staff => Kind::Full,
        Some(CompanyState::Active) => Kind::Full,
        Some(CompanyState::Pending) => Kind::Onboarding,
        Some(CompanyState::Suspended) | None => {
            let message = "Your company's account is suspended. Please ask who runs this platform.";
            return Err(Error::barred("account_suspended", message));
        }
    };
    match (kind, entrance) {
        (Kind::Full, Entrance::Account | Entrance::Either)
        | (Kind::Onboarding, Entrance::Onboarding | Entrance::Either) => Ok(kind),
        (Kind::Onboarding, Entrance::Account) => {
            let message =
                "Your account is waiting for approval. Hand in your business details, or wait for our answer.";
            Err(Error::barred("account_not_active", message))
        }
        (Kind::Full, Entrance::Onboarding) => {
            Err(Error::barred("account_active", "Your account is approved. Please log in."))
        }
    }
}
