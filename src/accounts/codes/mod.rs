//! One-time codes by mail: six digits that prove who reads an address.
//!
//! Asking for a code only books it and queues its letter; the code itself is made by the job that mails it, so that it
//! stands nowhere but in the mail. Kept is a keyed hash: six digits are guessed from a plain one in a moment. A new code
//! replaces the old, works once, for ten minutes, and bears five tries. Codes are asked for at most once a minute and ten
//! times a day for each account and purpose.

mod store;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;

use crate::base::id::AccountId;
use crate::base::{Clock, Keys, Result, Secret};
use crate::db::{Conn, Db};
use crate::jobs::{self, CodePurpose, Job};

/// How long a code works.
const WORKS: SignedDuration = SignedDuration::from_mins(10);
/// Tries it bears.
const TRIES: i32 = 5;
/// Between two codes of one account and purpose.
pub const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// Codes of one account and purpose in a day.
const A_DAY: i32 = 10;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Makes and checks codes. Cheap to clone.
#[derive(Clone)]
pub struct Codes {
    db: Db,
    clock: Clock,
    keys: Keys,
}

impl Codes {
    /// The codes in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys) -> Self {
        Self { db, clock, keys }
    }

    /// Makes the code that was asked for, for its letter. `None` when nobody waits for one any more, or when all tries are
    /// used up. Made anew for every attempt to send it, without further tries: a letter may have arrived although
    /// sending it failed.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn make(&self, account: AccountId, purpose: CodePurpose) -> Result<Option<Secret>> {
        let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
        let (name, bytes) = marked(account, purpose, &code);
        let (mac, now) = (self.keys.mac(&name, &bytes), self.clock.now());
        let until = later(now, WORKS);
        let is_wanted = self.db.transact(move |conn| {
            Box::pin(async move { store::put(conn, account, purpose, (&mac, TRIES), until).await })
        });
        Ok(is_wanted.await?.then(|| Secret::new(code)))
    }

    /// Whether it is the code, which is used up by that. Counts as a try otherwise. Joins a transaction, which must be
    /// committed either way: a try that is rolled back was not counted.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`.
    pub(super) async fn check(
        &self,
        conn: &mut Conn,
        account: AccountId,
        purpose: CodePurpose,
        code: &str,
    ) -> Result<bool> {
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(kept) = store::take_try(conn, account, purpose, TRIES, self.clock.now()).await? else {
            return Ok(false);
        };
        let (name, bytes) = marked(account, purpose, &code);
        let is_this = |mac: [u8; 32]| bool::from(subtle::ConstantTimeEq::ct_eq(kept.as_slice(), mac.as_slice()));
        let is_right = self.keys.macs(&name, &bytes).any(is_this);
        if is_right {
            store::clear(conn, account, purpose).await?;
        }
        Ok(is_right)
    }
}

/// Books a code and queues its letter, in the transaction of what makes it necessary; an earlier code is void from then
/// on. `false`, and nothing changed, when one was asked for less than a minute ago or too many were today.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn ask(conn: &mut Conn, account: AccountId, purpose: CodePurpose, now: Timestamp) -> Result<bool> {
    let is_booked = book(conn, account, purpose.code(), now).await?;
    if is_booked {
        jobs::enqueue(conn, &[Job::CodeLetter { account, purpose }], now).await?;
    }
    Ok(is_booked)
}

/// Whether one more letter of this kind may go to the account now; counted when it may.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn book(conn: &mut Conn, account: AccountId, kind: &str, now: Timestamp) -> Result<bool> {
    let asked = store::find(conn, account, kind).await?;
    let (sends, window_began) = match asked {
        Some(asked) if now.duration_since(asked.sent_at) < PAUSE => return Ok(false),
        Some(asked) if now.duration_since(asked.window_began) < DAY => (asked.sends, asked.window_began),
        _ => (0, now),
    };
    if sends >= A_DAY {
        return Ok(false);
    }
    let booking = store::Booking { sends: sends + 1, window_began, now, until: later(now, WORKS) };
    store::book(conn, account, kind, booking).await?;
    Ok(true)
}

/// Counts a letter of this kind for the account; `false`, and nothing counted, when there were so many in a day already.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn count(conn: &mut Conn, account: AccountId, kind: &str, most: i32, now: Timestamp) -> Result<bool> {
    let asked = store::find(conn, account, kind).await?;
    let current = asked.filter(|asked| now.duration_since(asked.window_began) < DAY);
    let (sends, window_began) = current.map_or((0, now), |asked| (asked.sends, asked.window_began));
    if sends >= most {
        return Ok(false);
    }
    let booking = store::Booking { sends: sends + 1, window_began, now, until: now };
    store::book(conn, account, kind, booking).await?;
    Ok(true)
}

/// Makes a code void and lets no letter bring another one, even one that is queued already.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn withdraw(conn: &mut Conn, account: AccountId, purpose: CodePurpose) -> Result<()> {
    store::withdraw(conn, account, purpose).await
}

/// As [`withdraw`], of every purpose.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn withdraw_all(conn: &mut Conn, account: AccountId) -> Result<()> {
    for purpose in CodePurpose::ALL {
        store::withdraw(conn, account, purpose).await?;
    }
    Ok(())
}

/// Makes a code void, booked or sent.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub(super) async fn void(conn: &mut Conn, account: AccountId, purpose: CodePurpose) -> Result<()> {
    store::clear(conn, account, purpose).await
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What the keyed hash of a code is made of: what it is for, and whose it is.
fn marked(account: AccountId, purpose: CodePurpose, code: &str) -> (String, Vec<u8>) {
    (format!("code.{}", purpose.code()), [account.bytes().as_slice(), code.as_bytes()].concat())
}
