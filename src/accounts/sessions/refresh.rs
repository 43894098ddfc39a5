//! Refresh tokens: each works once, its repeat within seconds is forgiven, any other repeat ends the sign-in.
//!
//! A successor is made of its predecessor by a keyed hash. Two tabs that refresh in the same moment are so given the very
//! same token and neither is logged out, while nobody without the deployment's key can make one from the other. Of
//! instances that make new things by different keys, each recognises what the other has made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;

use super::claims::{self, Refresh};
use super::{NOBODY, Opened, Sessions, store};
use crate::audit::{self, Record};
use crate::base::{Error, Keys, Result};

/// How long the token before the current one is still answered: the time two tabs, or a repeated request, may lie apart.
pub(super) const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// What a refresh token turned out to be.
enum Outcome {
    /// Replaced, now or a moment ago, by this one of the successors.
    Good(Box<super::Login>, usize),
    /// It was replaced long ago: somebody has a copy. The sign-in has been ended.
    Reused,
    /// No such sign-in, or one that has ended.
    Ended,
}

impl Sessions {
    /// The next pair of tokens for a refresh token. The same token again within ten seconds gets a pair again; later it
    /// ends the sign-in, for then two parties hold it.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is none of ours, was used before, or its sign-in has ended.
    pub async fn refresh(&self, token: &str, request_id: Option<String>) -> Result<Opened> {
        let now = self.clock.now();
        let held = claims::read_refresh(&self.keys, token, now).ok_or_else(refusal)?;
        let successors: Vec<Refresh> = successors(&self.keys, &held).collect();
        let hashes: Vec<[u8; 32]> = successors.iter().map(Refresh::hash).collect();
        let (id, old) = (held.sid, held.hash());
        let terms = self.terms;
        let outcome = self.db.transact(move |conn| {
            Box::pin(async move {
                let Some(row) = store::find_row(conn, id).await? else { return Ok(Outcome::Ended) };
                let until = claims::later(now, terms.refresh).min(claims::later(row.created_at, terms.longest));
                let is_current = store::rotate(conn, id, (&old, &hashes[0]), now, until).await?;
                // Read again: another instance may have replaced the token since the row was read.
                let row = if is_current { row } else { store::find_row(conn, id).await?.unwrap_or(row) };
                let mut made = Some(0);
                if !is_current {
                    if row.is_ended(now) {
                        return Ok(Outcome::Ended);
                    }
                    let is_recent =
                        row.previous_hash.as_deref() == Some(&old[..]) && now.duration_since(row.rotated_at) <= GRACE;
                    made = hashes.iter().position(|hash| row.refresh_hash == hash[..]).filter(|_| is_recent);
                    if made.is_none() {
                        store::revoke(conn, None, id, now, "reuse").await?;
                        audit::record(conn, vec![reused(&row, id, now, request_id)?]).await?;
                        return Ok(Outcome::Reused);
                    }
                }
                let login = store::find_live(conn, vec![id], now).await?.pop();
                Ok(login.zip(made).map_or(Outcome::Ended, |(login, made)| Outcome::Good(Box::new(login), made)))
            })
        });
        match outcome.await? {
            Outcome::Good(login, made) if super::check::is_welcome(&login) => {
                let pair = self.pair(&login, &successors[made], now)?;
                Ok(Opened { login: *login, pair })
            }
            Outcome::Reused => {
                tracing::warn!(login.id = %id, "a refresh token was used twice: its sign-in is ended");
                Err(refusal())
            }
            Outcome::Good(..) | Outcome::Ended => Err(refusal()),
        }
    }

    /// Ends the sign-in of a refresh token, current or not: whoever holds one may end it.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is none of ours or has run out.
    pub async fn log_out(&self, token: &str, request_id: Option<String>) -> Result<()> {
        let now = self.clock.now();
        let held = claims::read_refresh(&self.keys, token, now).ok_or_else(refusal)?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let login = store::find_live(conn, vec![held.sid], now).await?.pop();
                    if store::revoke(conn, None, held.sid, now, "logout").await?
                        && let Some(login) = login
                    {
                        let by = login.person.asker(request_id);
                        let record = super::record(by, &login.person, login.id, "session.ended", now, "logout")?;
                        audit::record(conn, vec![record]).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn refusal() -> Error {
    Error::Unauthenticated("Token is invalid or expired".into())
}

/// The successor this instance makes of a token, then those that others may have made.
fn successors(keys: &Keys, held: &Refresh) -> impl Iterator<Item = Refresh> {
    let bytes = [held.sid.bytes().as_slice(), held.jti.as_bytes()].concat();
    let macs: Vec<[u8; 32]> = keys.macs("refresh.successor", &bytes).collect();
    macs.into_iter().map(|mac| Refresh { sid: held.sid, jti: URL_SAFE_NO_PAD.encode(mac) })
}

fn reused(
    row: &store::Row,
    id: crate::base::id::LoginId,
    at: jiff::Timestamp,
    request_id: Option<String>,
) -> Result<Record> {
    Ok(Record {
        actor: NOBODY,
        at,
        company: None,
        subject: "session",
        subject_id: id.to_string(),
        action: "session.refresh_reused",
        request_id,
        detail: audit::detail(&serde_json::json!({"account": row.account_id}))?,
    })
}
