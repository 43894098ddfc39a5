//! The look-up behind every request of a person: sessions of concurrent requests share one query.

use jiff::{SignedDuration, Timestamp};

use super::claims::Kind;
use super::{Login, store};
use crate::accounts::companies::CompanyState;
use crate::base::id::LoginId;
use crate::base::{Clock, Error};
use crate::db::Db;
use crate::db::group::{Grouped, Waiting};

/// The last use is written at most this often: it is for people, and a write a request would double the work.
const LAST_USED_STEP: SignedDuration = SignedDuration::from_secs(60);

/// Which sign-in, and whether its person may act right now.
pub(super) type Checks = Grouped<LoginId, Option<Login>>;

/// Starts the task that answers them.
pub(super) fn start(db: &Db, clock: &Clock) -> Checks {
    let (source, time) = (db.clone(), clock.clone());
    let serve = move |group| -> futures_util::future::BoxFuture<'static, ()> {
        Box::pin(check_all(source.clone(), time.clone(), group))
    };
    Grouped::start(db.runtime(), 65_536, 512, serve)
}

/// Whether the company lets this kind of sign-in act.
pub(super) fn is_welcome(login: &Login) -> bool {
    let state = login.company.as_ref().map(|company| company.state);
    match login.kind {
        Kind::Full => login.person.role.is_staff() || state == Some(CompanyState::Active),
        Kind::Onboarding => matches!(state, Some(CompanyState::Pending | CompanyState::Active)),
    }
}

async fn check_all(db: Db, clock: Clock, group: Vec<Waiting<LoginId, Option<Login>>>) {
    let now = clock.now();
    let mut ids: Vec<LoginId> = group.iter().map(|waiting| waiting.ask).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = db.read(move |conn| Box::pin(store::find_live(conn, ids, now))).await;
    let mut used = Vec::new();
    for Waiting { ask, answer } in group {
        let outcome = match &found {
            Ok(found) => {
                let login = found.iter().find(|login| login.id == ask && is_welcome(login)).cloned();
                let is_stale = |at: Timestamp| now.duration_since(at) >= LAST_USED_STEP;
                used.extend(login.iter().filter(|login| is_stale(login.last_used_at)).map(|login| login.id));
                Ok(login)
            }
            Err(error) => {
                tracing::warn!(%error, "sessions could not be checked");
                Err(Error::Unavailable("The database".into(), None))
            }
        };
        // A caller who has gone away needs no answer.
        answer.send(outcome).unwrap_or_default();
    }
    if !used.is_empty() {
        let noted = db.transact(move |conn| Box::pin(store::mark_used(conn, used, now))).await;
        noted.unwrap_or_else(|error| tracing::warn!(%error, "the last use of a session could not be noted"));
    }
}
