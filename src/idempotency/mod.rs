//! Replies kept under a key that the caller chose, so that a request sent twice is carried out once.
//!
//! What is here: claiming a key, keeping the reply, giving the key back, forgetting it after a day. What is not: how key
//! and reply travel (`web::idempotency`). The verbs themselves already bear being asked twice wherever an order has a name
//! of the caller's own; a key covers the rest. It is no lock: when the process dies between the change and the keeping of
//! its reply, the key is free again after a minute.
//!
//! Replies are sealed with the deployment's key: some hold a new token, a secret or a tracking pass, and all of them
//! what the caller alone may see.

mod store;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::base::{Clock, Error, Keys, Result};
use crate::db::Db;

/// How long a reply is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a request may be under way before its key is taken for abandoned.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);

/// A reply as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Names and values of the headers that belong to the reply itself.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is new: carry the request out, then [`Idempotency::keep`] its reply or [`Idempotency::release`] the key.
    Fresh,
    /// The request was carried out; this was the reply.
    Done(Reply),
    /// The same request is under way.
    UnderWay,
    /// The key was used for another request.
    Other,
}

/// Whose key it is, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The credential's identifier: callers never see each other's replies.
    pub caller: String,
    /// The key as the caller sent it.
    pub text: String,
}

/// The keys in a database. Cheap to clone.
#[derive(Clone)]
pub struct Idempotency {
    db: Db,
    clock: Clock,
    keys: Keys,
}

impl Idempotency {
    /// The keys in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys) -> Self {
        Self { db, clock, keys }
    }

    /// Takes a key for a request. `fingerprint` tells requests apart.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; `Gone` when there is a reply that cannot be opened any more.
    pub async fn claim(&self, key: Key, fingerprint: [u8; 32]) -> Result<Claim> {
        let (now, keys) = (self.clock.now(), self.keys.clone());
        let abandoned = before(now, UNDER_WAY)?;
        let forgotten = before(now, KEPT)?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if store::insert(conn, &key, &fingerprint, now).await? {
                        return Ok(Claim::Fresh);
                    }
                    let Some(row) = store::find(conn, &key).await? else { return Ok(Claim::UnderWay) };
                    let end = if row.reply.is_some() { forgotten } else { abandoned };
                    if row.created_at <= end {
                        let is_ours = store::renew(conn, &key, &fingerprint, row.created_at, now).await?;
                        return Ok(if is_ours { Claim::Fresh } else { Claim::UnderWay });
                    }
                    match row.reply {
                        _ if row.fingerprint != fingerprint => Ok(Claim::Other),
                        Some(sealed) => Ok(Claim::Done(unseal(&keys, &key, &sealed)?)),
                        None => Ok(Claim::UnderWay),
                    }
                })
            })
            .await
    }

    /// Keeps the reply to a request whose key was claimed.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; the key is then free again after a minute.
    pub async fn keep(&self, key: Key, reply: Reply) -> Result<()> {
        let text = serde_json::to_vec(&reply).map_err(Error::internal)?;
        let sealed = STANDARD.encode(self.keys.seal(&seal_of(&key), &text)?);
        let status = i32::from(reply.status);
        self.db.transact(move |conn| Box::pin(async move { store::keep(conn, &key, status, &sealed).await })).await
    }

    /// Frees the key of a request that came to nothing and may be sent again.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; the key is then free after a minute.
    pub async fn release(&self, key: Key) -> Result<()> {
        self.db.transact(move |conn| Box::pin(async move { store::delete(conn, &key).await })).await
    }

    /// Forgets what is older than a day; says how many.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        let forgotten = before(self.clock.now(), KEPT)?;
        self.db.transact(move |conn| Box::pin(store::delete_before(conn, forgotten))).await
    }
}

/// What a reply is sealed for: it opens under its own key only.
fn seal_of(key: &Key) -> String {
    format!("kept-reply:{}:{}", key.caller, key.text)
}

fn unseal(keys: &Keys, key: &Key, sealed: &str) -> Result<Reply> {
    let bytes = STANDARD.decode(sealed).ok().and_then(|sealed| keys.unseal(&seal_of(key), &sealed));
    let reply = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    reply.ok_or_else(|| {
        let message = "This request was carried out, but its reply cannot be opened any more. Look at what it made.";
        Error::gone("reply_lost", message)
    })
}

fn before(now: Timestamp, by: SignedDuration) -> Result<Timestamp> {
    now.checked_sub(by).map_err(Error::internal)
}
