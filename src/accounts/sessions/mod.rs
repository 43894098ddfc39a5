//! Sign-ins of people: opened by a password, kept up by refresh tokens that work once, ended at any moment.
//!
//! A sign-in is one row. Its access tokens are good for minutes and are still checked against the row at every use, so
//! that ending a sign-in, suspending a person or a company, or changing a role works at once. Its refresh token is good
//! once: [`refresh`] replaces it. What is here: sign-ins. What is not: who people are (`people`), how tokens travel in a
//! request (`web::auth`).

mod attempts;
mod check;
mod claims;
mod log_in;
mod refresh;
mod store;

use jiff::{SignedDuration, Timestamp};

pub(super) use attempts::settle;
pub use claims::Kind;
pub use log_in::Entrance;
pub(super) use store::unlock;

use self::check::Checks;
use self::claims::{Refresh, later};
use super::companies::Company;
use super::password::Passwords;
use super::people::Person;
use crate::audit::{self, Record};
use crate::base::id::{AccountId, CompanyId, LoginId};
use crate::base::{Actor, Asker, Clock, Error, Keys, Result, Secret};
use crate::db::{Conn, Db};

/// A sign-in that is good right now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its identifier; the same over all refreshes.
    pub id: LoginId,
    /// Whom it lets in.
    pub kind: Kind,
    /// Whose it is, as the database says now.
    pub person: Person,
    /// The company the person works for.
    pub company: Option<Company>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it was last used, to about a minute.
    pub last_used_at: Timestamp,
    /// The browser or program it was opened with, in its own words.
    pub user_agent: Option<String>,
}

/// The two tokens of a sign-in.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Shown with every request.
    pub access: Secret,
    /// When it ends.
    pub access_until: Timestamp,
    /// Good once, for the next pair.
    pub refresh: Secret,
    /// When it ends.
    pub refresh_until: Timestamp,
}

/// A sign-in that was just opened or refreshed.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The sign-in.
    pub login: Login,
    /// Its tokens, which are not kept.
    pub pair: Pair,
}

/// Where a sign-in was asked for.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The browser or program, in its own words.
    pub user_agent: Option<String>,
    /// The request, for the audit trail.
    pub request_id: Option<String>,
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// An access token.
    pub access: SignedDuration,
    /// A refresh token, counted anew at every refresh.
    pub refresh: SignedDuration,
    /// A sign-in, however often it is refreshed.
    pub longest: SignedDuration,
}

/// Opens, checks, refreshes and ends sign-ins. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    db: Db,
    clock: Clock,
    keys: Keys,
    passwords: Passwords,
    terms: Terms,
    checks: Checks,
}

impl Sessions {
    /// The sign-ins in this database. Checks of concurrent requests share one query.
    #[must_use]
    pub fn start(db: Db, clock: Clock, keys: Keys, passwords: Passwords, terms: Terms) -> Self {
        let checks = check::start(&db, &clock);
        Self { db, clock, keys, passwords, terms, checks }
    }

    /// The sign-in of an access token, if both are good right now.
    ///
    /// # Errors
    /// `Unauthenticated` when they are not; `Unavailable` when the database is out of reach.
    pub async fn authenticate(&self, access: &str) -> Result<Login> {
        let refuse = || Error::Unauthenticated("Invalid or missing authentication token".into());
        let (id, account, kind) = claims::read_access(&self.keys, access, self.clock.now()).ok_or_else(refuse)?;
        let login = self.checks.ask(id).await?;
        login.filter(|login| login.kind == kind && login.person.id == account).ok_or_else(refuse)
    }

    /// Whether an access token is ours and has not run out; its sign-in may have ended all the same.
    #[must_use]
    pub fn is_current(&self, access: &str) -> bool {
        claims::read_access(&self.keys, access, self.clock.now()).is_some()
    }

    /// Whether a token names a key of this instance. If not, it may still be good at another one: nobody is signed out
    /// for it.
    #[must_use]
    pub fn knows_key_of(&self, token: &str) -> bool {
        self.keys.know(token)
    }

    /// Opens a sign-in for a person who has proved to be it, by a password or a code.
    ///
    /// # Errors
    /// `NotFound` when there is no such person, or it may not act.
    pub async fn open(&self, account: AccountId, kind: Kind, origin: Origin) -> Result<Opened> {
        let now = self.clock.now();
        let (row, refresh) = self.fresh(account, kind, now, origin);
        let written = self.db.transact(move |conn| {
            Box::pin(async move {
                let login = write(conn, row, &refresh).await?;
                Ok((login, refresh))
            })
        });
        let (login, refresh) = written.await?;
        self.hand_out(login, &refresh, now)
    }

    /// A sign-in that is not written yet, and what its first refresh token says.
    fn fresh(&self, account: AccountId, kind: Kind, now: Timestamp, origin: Origin) -> (store::NewRow, Refresh) {
        let until = self.refresh_until(now, now);
        let Origin { user_agent, request_id } = origin;
        let user_agent = user_agent.map(|text| text.chars().filter(|c| !c.is_control()).take(200).collect());
        let row = store::NewRow { id: LoginId::new(), account, kind, now, until, user_agent, request_id };
        let refresh = Refresh { sid: row.id, jti: fresh_secret() };
        (row, refresh)
    }

    fn hand_out(&self, login: Login, refresh: &Refresh, now: Timestamp) -> Result<Opened> {
        let pair = self.pair(&login, refresh, now)?;
        Ok(Opened { login, pair })
    }

    /// The sign-ins of a person that are good, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, account: AccountId) -> Result<Vec<Login>> {
        let now = self.clock.now();
        self.db.read(move |conn| Box::pin(store::list_live(conn, account, now))).await
    }

    /// Ends a sign-in of a person: requests with it fail at once, its live connections end within a second.
    ///
    /// # Errors
    /// `NotFound` when the person has no such sign-in.
    pub async fn end(&self, person: Person, id: LoginId, request_id: Option<String>) -> Result<()> {
        let now = self.clock.now();
        let ended = self.db.transact(move |conn| {
            Box::pin(async move {
                if !store::revoke(conn, Some(person.id), id, now, "ended").await? {
                    return Ok(false);
                }
                let by = person.asker(request_id);
                audit::record(conn, vec![record(by, &person, id, "session.ended", now, "ended")?]).await?;
                Ok(true)
            })
        });
        if ended.await? { Ok(()) } else { Err(Error::NotFound("Session")) }
    }

    /// Sign-ins ended at or after a moment, for those who hold connections open.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn revoked_since(&self, since: Timestamp) -> Result<Vec<LoginId>> {
        self.db.read(move |conn| Box::pin(store::list_revoked(conn, since))).await
    }

    /// Forgets sign-ins that ended a month ago; says how many.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        let before = later(self.clock.now(), SignedDuration::from_hours(-24 * 30));
        self.db.transact(move |conn| Box::pin(store::delete_ended(conn, before))).await
    }

    fn refresh_until(&self, began: Timestamp, now: Timestamp) -> Timestamp {
        later(now, self.terms.refresh).min(later(began, self.terms.longest))
    }

    fn pair(&self, login: &Login, refresh: &Refresh, now: Timestamp) -> Result<Pair> {
        let access_until = later(now, self.terms.access).min(login.expires_at);
        let access = claims::access(&self.keys, (login.id, login.kind), &login.person, now, access_until)?;
        let refresh = claims::refresh(&self.keys, refresh, now, login.expires_at)?;
        Ok(Pair { access, access_until, refresh, refresh_until: login.expires_at })
    }
}

/// Writes a sign-in; `NotFound` when there is no such person, or it may not act.
async fn write(conn: &mut Conn, row: store::NewRow, refresh: &Refresh) -> Result<Login> {
    let (id, kind, now, request_id) = (row.id, row.kind, row.now, row.request_id.clone());
    store::insert(conn, row, &refresh.hash()).await?;
    let login = store::find_live(conn, vec![id], now).await?.pop().ok_or(Error::NotFound("Account"))?;
    let by = login.person.asker(request_id);
    audit::record(conn, vec![record(by, &login.person, id, "session.opened", now, kind.code())?]).await?;
    Ok(login)
}

/// Whether a credential has the form of a person's token, a JSON Web Token, and not that of an API token.
#[must_use]
pub fn is_access_token(text: &str) -> bool {
    text.split('.').count() == 3
}

/// Ends every sign-in of a person but one, in the transaction of what makes it necessary: a new password, another role,
/// a suspension.
///
/// # Errors
/// `Unavailable` or `Internal`; the transaction must not be committed.
pub async fn end_all(
    conn: &mut Conn,
    account: AccountId,
    except: Option<LoginId>,
    now: Timestamp,
    why: &'static str,
) -> Result<()> {
    store::revoke_all(conn, account, except, now, why).await
}

/// As [`end_all`], of everybody who works for a company.
///
/// # Errors
/// As [`end_all`].
pub async fn end_all_of(conn: &mut Conn, company: CompanyId, now: Timestamp, why: &'static str) -> Result<()> {
    store::revoke_company(conn, company, now, why).await
}

fn fresh_secret() -> String {
    use base64::Engine as _;
    use rand::Rng as _;
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn record(by: Asker, person: &Person, id: LoginId, action: &'static str, at: Timestamp, how: &str) -> Result<Record> {
    Ok(Record {
        actor: by.actor,
        at,
        company: person.company,
        subject: "session",
        subject_id: id.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(&serde_json::json!({"account": person.id, "how": how}))?,
    })
}

/// The party of what nobody has signed in for.
pub(super) const NOBODY: Actor = Actor::System("accounts");
