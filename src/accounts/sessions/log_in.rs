//! Signing in with a password: one piece of work for a right and a wrong one, a known and an unknown address.
//!
//! After five wrong passwords in a row an account is locked for half a minute, and twice as long after each further one,
//! up to an hour. A locked account answers as for a wrong password, whatever is tried; a password set anew by mail opens
//! it at once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::claims::Kind;
use super::store::{self, Door};
use super::{Opened, Sessions};
use crate::accounts::companies::CompanyState;
use crate::base::id::AccountId;
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

/// Wrong passwords in a row before an account is locked.
const FREE_TRIES: i32 = 5;
const FIRST_LOCK: i64 = 30;
const LONGEST_LOCK: i64 = 3600;

/// A refusal is given no earlier: whether something was written meanwhile, its time does not tell.
const EARLIEST_REFUSAL: Duration = Duration::from_millis(100);

impl Sessions {
    /// Opens a sign-in with an e-mail address and a password.
    ///
    /// # Errors
    /// `Unauthenticated` for a wrong pair, always in the same words; `Barred` with a code that says what is missing when
    /// the password was right; `Unavailable` when more people sign in at once than there is memory for.
    pub async fn log_in(
        &self,
        email: &str,
        password: Secret,
        entrance: Entrance,
        user_agent: Option<String>,
    ) -> Result<Opened> {
        let began = tokio::time::Instant::now();
        let outcome = self.try_door(email, password, entrance).await;
        if matches!(outcome, Err(Error::Unauthenticated(_))) {
            tokio::time::sleep_until(began + EARLIEST_REFUSAL).await;
        }
        let (account, kind) = outcome?;
        self.open(account, kind, user_agent).await
    }

    async fn try_door(&self, email: &str, password: Secret, entrance: Entrance) -> Result<(AccountId, Kind)> {
        let (email, now) = (email.trim().to_lowercase(), self.clock.now());
        let door = self.db.read(move |conn| Box::pin(store::find_door(conn, email))).await?;
        let is_locked = door.as_ref().is_some_and(|door| door.locked_until.is_some_and(|until| until > now));
        // A locked account costs the same work as any other, against a hash that nothing matches.
        let hash = door.as_ref().filter(|_| !is_locked).map(|door| door.hash.clone());
        let is_right = self.passwords.verify(password, hash).await?;
        match door {
            Some(door) if is_right => {
                let account = door.account;
                self.db.transact(move |conn| Box::pin(store::unlock(conn, account))).await?;
                Ok((account, admit(&door, entrance)?))
            }
            Some(door) if !is_locked => {
                self.count_failure(door.account, now).await?;
                Err(wrong())
            }
            _ => Err(wrong()),
        }
    }

    async fn count_failure(&self, account: AccountId, now: Timestamp) -> Result<()> {
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let failures = store::count_failure(conn, account).await?;
                    match lock_after(failures) {
                        Some(lock) => store::lock(conn, account, super::claims::later(now, lock)).await,
                        None => Ok(()),
                    }
                })
            })
            .await
    }
}

fn wrong() -> Error {
    Error::Unauthenticated("No active account found with the given credentials".into())
}

/// How long an account is locked after so many wrong passwords in a row.
fn lock_after(failures: i32) -> Option<SignedDuration> {
    let doublings = u32::try_from(failures.checked_sub(FREE_TRIES)?).ok()?;
    let seconds = FIRST_LOCK.checked_shl(doublings.min(16)).unwrap_or(LONGEST_LOCK);
    Some(SignedDuration::from_secs(seconds.min(LONGEST_LOCK)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_begin_after_five_and_double_up_to_an_hour() {
        let seconds = |failures| lock_after(failures).map(|lock| lock.as_secs());
        assert_eq!([0, 4, 5, 6, 7].map(seconds), [None, None, Some(30), Some(60), Some(120)]);
        assert_eq!([12, 13, 500, i32::MAX].map(seconds), [Some(3600); 4]);
    }
}
