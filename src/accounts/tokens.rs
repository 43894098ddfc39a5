//! API tokens: made once, stored as a hash, checked against the database at every use, so that revoking works at once.

use jiff::{SignedDuration, Timestamp};

use super::scopes::{Scope, Scopes};
use super::{store, token_format};
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, TokenId};
use crate::base::{Actor, Asker, Clock, Error, Result, Secret};
use crate::db::Db;
use crate::db::group::{Grouped, Waiting};

/// A token as it is known here; the text itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its identifier.
    pub id: TokenId,
    /// Its name: unique, and what replies call the caller.
    pub name: String,
    /// The last four characters of its text.
    pub last_four: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The company whose orders it reaches; `None` reaches all.
    pub company: Option<CompanyId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// The party that acts with this token.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let admin = self.scopes.allow(Scope::Admin);
        Actor::Token { token: self.id, name: self.name.clone(), company: self.company, admin }
    }

    /// # Errors
    /// `Forbidden` that names the scope the token lacks.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("Token lacks required permission: {}", scope.code())))
    }
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Unique among tokens that are not revoked; 1 to 100 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The company it is bound to.
    pub company: Option<CompanyId>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// Makes, checks and revokes tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    db: Db,
    clock: Clock,
    checks: Grouped<[u8; 32], Option<Token>>,
}

/// `last_used_at` is written at most this often: it is for people, and a write a request would double the work.
const LAST_USED_STEP: SignedDuration = SignedDuration::from_secs(60);

impl Tokens {
    /// The tokens in this database. Checks of concurrent requests share one query.
    #[must_use]
    pub fn start(db: Db, clock: Clock) -> Self {
        let (source, time) = (db.clone(), clock.clone());
        let serve = move |group| -> futures_util::future::BoxFuture<'static, ()> {
            Box::pin(check_all(source.clone(), time.clone(), group))
        };
        let checks = Grouped::start(db.runtime(), 65_536, 512, serve);
        Self { db, clock, checks }
    }

    /// Makes a token; its text is returned this once and never again.
    ///
    /// # Errors
    /// `Invalid` for a bad name or end, `Conflict` when the name is taken.
    pub async fn generate(&self, by: impl Into<Asker>, new: NewToken) -> Result<(Token, Secret)> {
        let now = self.clock.now();
        let fits = (1..=100).contains(&new.name.chars().count()) && !new.name.chars().any(char::is_control);
        if !fits || new.name.trim() != new.name {
            let message = "name must be 1 to 100 printable characters without spaces at its ends";
            return Err(Error::invalid_field("name", "bad_name", message));
        }
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid_field("expires_at", "in_the_past", "expires_at must lie in the future"));
        }
        let text = token_format::generate(token_format::Kind::Live);
        let token = Token {
            id: TokenId::new(),
            name: new.name,
            last_four: text.last_four(),
            scopes: new.scopes,
            company: new.company,
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let record = record(by.into(), &token, "api_token.created", now)?;
        let (row, hash) = (token.clone(), text.hash());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    store::insert_token(conn, &row, &hash).await?;
                    audit::record(conn, vec![record]).await
                })
            })
            .await?;
        Ok((token, text))
    }

    /// The token of a text, if it is good right now.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not; `Unavailable` when the database is out of reach.
    pub async fn authenticate(&self, text: &str) -> Result<Token> {
        let refuse = || Error::Unauthenticated("Invalid or missing authentication token".into());
        // A text of the wrong form, or with a mistyped letter, costs no query.
        token_format::parse(text).ok_or_else(refuse)?;
        self.checks.ask(Secret::new(text).hash()).await?.ok_or_else(refuse)
    }

    /// All tokens, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self) -> Result<Vec<Token>> {
        self.db.read(|conn| Box::pin(store::list_tokens(conn))).await
    }

    /// Revokes the token of this name: requests with it fail at once, its live connections end within a second.
    ///
    /// # Errors
    /// `NotFound` when there is no such token, or it is revoked already.
    pub async fn revoke(&self, by: impl Into<Asker>, name: &str) -> Result<Token> {
        let (by, name, now) = (by.into(), name.to_owned(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let token = store::revoke_token(conn, &name, now).await?.ok_or(Error::NotFound("API token"))?;
                    let record = record(by, &token, "api_token.revoked", now)?;
                    audit::record(conn, vec![record]).await?;
                    Ok(token)
                })
            })
            .await
    }

    /// Tokens revoked at or after a moment, for those who hold connections open.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn revoked_since(&self, since: Timestamp) -> Result<Vec<TokenId>> {
        self.db.read(move |conn| Box::pin(store::list_revoked_tokens(conn, since))).await
    }
}

fn record(by: Asker, token: &Token, action: &'static str, at: Timestamp) -> Result<Record> {
    let detail = serde_json::json!({
        "name": token.name, "scopes": token.scopes.to_string(), "last_four": token.last_four, "expires_at": token.expires_at,
    });
    Ok(Record {
        actor: by.actor,
        at,
        company: token.company,
        subject: "api_token",
        subject_id: token.id.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(&detail)?,
    })
}

async fn check_all(db: Db, clock: Clock, group: Vec<Waiting<[u8; 32], Option<Token>>>) {
    let now = clock.now();
    let mut hashes: Vec<Vec<u8>> = group.iter().map(|waiting| waiting.ask.to_vec()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    let found = db.read(move |conn| Box::pin(store::find_tokens(conn, hashes))).await;
    let mut used = Vec::new();
    for Waiting { ask, answer } in group {
        let outcome = match &found {
            Ok(found) => {
                let is_good =
                    |token: &&Token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > now);
                let token = found.iter().find(|(hash, _)| hash.as_slice() == ask).map(|(_, token)| token);
                let token = token.filter(is_good).cloned();
                let is_stale = |at: Option<Timestamp>| at.is_none_or(|at| now.duration_since(at) >= LAST_USED_STEP);
                used.extend(token.iter().filter(|token| is_stale(token.last_used_at)).map(|token| token.id));
                Ok(token)
            }
            Err(error) => {
                tracing::warn!(%error, "tokens could not be checked");
                Err(Error::Unavailable("The database".into(), None))
            }
        };
        // A caller who has gone away needs no answer.
        answer.send(outcome).unwrap_or_default();
    }
    if !used.is_empty() {
        let noted = db.transact(move |conn| Box::pin(store::mark_used(conn, used, now))).await;
        noted.unwrap_or_else(|error| tracing::warn!(%error, "the last use of a token could not be noted"));
    }
}
