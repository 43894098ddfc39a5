//! Refresh tokens: each works once, its repeat within seconds is forgiven, any other repeat ends the sign-in.
//!
//! A successor is made of its predecessor by a keyed hash. Two tabs that refresh in the same moment are so given the very
//! same token and neither is logged out, while nobody without the deployment's key can make one from the other.

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
    /// Replaced, now or a moment ago.
    Good(Box<super::Login>),
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
    pub async fn refresh(&self, token: &str) -> Result<Opened> {
        let now = self.clock.now();
        let held = claims::read_refresh(&self.keys, token, now).ok_or_else(refusal)?;
        let next = successor(&self.keys, &held);
        let (id, old, new) = (held.sid, held.hash(), next.hash());
        let terms = self.terms;
        let outcome = self.db.transact(move |conn| {
            Box::pin(async move {
                let Some(row) = store::find_row(conn, id).await? else { return Ok(Outcome::Ended) };
                let until = claims::later(now, terms.refresh).min(claims::later(row.created_at, terms.longest));
                let is_current = store::rotate(conn, id, (&old, &new), now, until).await?;
                // Read again: another instance may have replaced the token since the row was read.
                let row = if is_current { row } else { store::find_row(conn, id).await?.unwrap_or(row) };
                if !is_current {
                    if row.is_ended(now) {
                        return Ok(Outcome::Ended);
                    }
                    let is_recent = row.previous_hash.as_deref() == Some(&old[..])
                        && row.refresh_hash == new
                        && now.duration_since(row.rotated_at) <= GRACE;
                    if !is_recent {
                        store::revoke(conn, None, id, now, "reuse").await?;
                        audit::record(conn, vec![reused(&row, id, now)?]).await?;
                        return Ok(Outcome::Reused);
                    }
                }
                let login = store::find_live(conn, vec![id], now).await?.pop();
                Ok(login.map_or(Outcome::Ended, |login| Outcome::Good(Box::new(login))))
            })
        });
        match outcome.await? {
            Outcome::Good(login) if super::check::is_welcome(&login) => {
                let pair = self.pair(&login, &next, now)?;
                Ok(Opened { login: *login, pair })
            }
            Outcome::Reused => {
                tracing::warn!(login.id = %id, "a refresh token was used twice: its sign-in is ended");
                Err(refusal())
            }
            Outcome::Good(_) | Outcome::Ended => Err(refusal()),
        }
    }

    /// Ends the sign-in of a refresh token, current or not: whoever holds one may end it.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is none of ours or has run out.
    pub async fn log_out(&self, token: &str) -> Result<()> {
        let now = self.clock.now();
        let held = claims::read_refresh(&self.keys, token, now).ok_or_else(refusal)?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let login = store::find_live(conn, vec![held.sid], now).await?.pop();
                    if store::revoke(conn, None, held.sid, now, "logout").await?
                        && let Some(login) = login
                    {
                        let record = super::record(&login.person, login.id, "session.ended", now, "logout")?;
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

fn successor(keys: &Keys, held: &Refresh) -> Refresh {
    let bytes = [held.sid.bytes().as_slice(), held.jti.as_bytes()].concat();
    let jti = URL_SAFE_NO_PAD.encode(keys.mac("refresh.successor", &bytes));
    Refresh { sid: held.sid, jti }
}

fn reused(row: &store::Row, id: crate::base::id::LoginId, at: jiff::Timestamp) -> Result<Record> {
    Ok(Record {
        actor: NOBODY,
        at,
        company: None,
        subject: "session",
        subject_id: id.to_string(),
        action: "session.refresh_reused",
        request_id: None,
        detail: audit::detail(&serde_json::json!({"account": row.account_id}))?,
    })
}
