//! Tries of a password: what came of one is decided under a lock of the account, however many are made at once.
//!
//! After five wrong passwords in a row an account is locked for half a minute, and twice as long after each further one,
//! up to an hour. Signing in and changing one's password count together.

use jiff::{SignedDuration, Timestamp};

use super::{NOBODY, claims, store};
use crate::audit::{self, Record};
use crate::base::Result;
use crate::base::id::AccountId;
use crate::db::Conn;

/// Wrong passwords in a row before an account is locked.
const FREE_TRIES: i32 = 5;
const FIRST_LOCK: i64 = 30;
const LONGEST_LOCK: i64 = 3600;

/// Whether a password that was compared with a stored hash opens the account now: not when it was wrong, which counts;
/// nor when the account is locked by now, or another password was set since. Joins a transaction, which must be committed
/// either way: a try that is rolled back was not counted.
///
/// # Errors
/// `Unavailable` or `Internal`.
pub(in crate::accounts) async fn settle(
    conn: &mut Conn,
    account: AccountId,
    (hash, is_right): (&str, bool),
    now: Timestamp,
    request_id: Option<String>,
) -> Result<bool> {
    let Some(tries) = store::lock_tries(conn, account).await? else { return Ok(false) };
    if tries.locked_until.is_some_and(|until| until > now) || tries.hash != hash {
        return Ok(false);
    }
    if is_right {
        store::unlock(conn, account).await?;
        return Ok(true);
    }
    let failures = tries.failures.saturating_add(1);
    let until = lock_after(failures).map(|lock| claims::later(now, lock));
    store::note_failure(conn, account, failures, until).await?;
    if let Some(until) = until {
        audit::record(conn, vec![locked(account, &tries, (failures, until), now, request_id)?]).await?;
    }
    Ok(false)
}

fn locked(
    account: AccountId,
    tries: &store::Tries,
    (failures, until): (i32, Timestamp),
    at: Timestamp,
    request_id: Option<String>,
) -> Result<Record> {
    Ok(Record {
        actor: NOBODY,
        at,
        company: tries.company,
        subject: "account",
        subject_id: account.to_string(),
        action: "account.locked",
        request_id,
        detail: audit::detail(&serde_json::json!({"failures": failures, "until": until}))?,
    })
}

/// How long an account is locked after so many wrong passwords in a row.
fn lock_after(failures: i32) -> Option<SignedDuration> {
    let doublings = u32::try_from(failures.checked_sub(FREE_TRIES)?).ok()?;
    let seconds = FIRST_LOCK.checked_shl(doublings.min(16)).unwrap_or(LONGEST_LOCK);
    Some(SignedDuration::from_secs(seconds.min(LONGEST_LOCK)))
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
