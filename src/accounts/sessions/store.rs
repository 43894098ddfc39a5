//! SQL of sign-ins.

use diesel::prelude::*;
use jiff::Timestamp;

use super::{Kind, Login};
use crate::accounts::companies::Company;
use crate::accounts::people::Person;
use crate::base::id::{AccountId, CompanyId, LoginId};
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::schema::{accounts, companies, sessions};
use crate::db::types::At;
use crate::{execute, find, load};

/// A sign-in to be written.
pub(super) struct NewRow {
    pub id: LoginId,
    pub account: AccountId,
    pub kind: Kind,
    pub now: Timestamp,
    pub until: Timestamp,
    pub user_agent: Option<String>,
    /// Of the request that opens it; it goes into the audit trail.
    pub request_id: Option<String>,
}

/// A sign-in as stored, good or not.
pub(super) struct Row {
    pub account_id: AccountId,
    pub refresh_hash: Vec<u8>,
    pub previous_hash: Option<Vec<u8>>,
    pub rotated_at: Timestamp,
    pub created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl Row {
    pub fn is_ended(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some() || self.expires_at <= now
    }
}

pub(super) async fn insert(conn: &mut Conn, new: NewRow, hash: &[u8; 32]) -> Result<()> {
    let values = (
        sessions::id.eq(new.id),
        sessions::account_id.eq(new.account),
        sessions::kind.eq(new.kind.code()),
        sessions::refresh_hash.eq(hash.as_slice()),
        sessions::rotated_at.eq(At(new.now)),
        sessions::created_at.eq(At(new.now)),
        sessions::expires_at.eq(At(new.until)),
        sessions::last_used_at.eq(At(new.now)),
        sessions::user_agent.eq(new.user_agent),
    );
    execute!(conn, diesel::insert_into(sessions::table).values(values))?;
    Ok(())
}

type SessionColumns = (LoginId, String, At, At, At, Option<String>);
type PersonColumns = (AccountId, String, String, String, Option<CompanyId>);
type CompanyColumns = (CompanyId, String, String, String);
type LiveColumns = (SessionColumns, PersonColumns, Option<CompanyColumns>);

macro_rules! live {
    ($now:expr) => {
        sessions::table
            .inner_join(accounts::table.on(accounts::id.eq(sessions::account_id)))
            .left_join(companies::table.on(companies::id.nullable().eq(accounts::company_id)))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(At($now)))
            .filter(accounts::suspended_at.is_null())
            .filter(accounts::verified_at.is_not_null())
            .select((
                (
                    sessions::id,
                    sessions::kind,
                    sessions::created_at,
                    sessions::expires_at,
                    sessions::last_used_at,
                    sessions::user_agent,
                ),
                (accounts::id, accounts::email, accounts::name, accounts::role, accounts::company_id),
                (companies::id, companies::name, companies::slug, companies::state).nullable(),
            ))
    };
}

fn to_login((session, person, company): LiveColumns) -> Result<Login> {
    let (id, kind, created_at, expires_at, last_used_at, user_agent) = session;
    let (account, email, name, role, company_id) = person;
    let kind = if kind == Kind::Full.code() { Kind::Full } else { Kind::Onboarding };
    let company =
        company.map(|(id, name, slug, state)| Ok::<_, Error>(Company { id, name, slug, state: state.parse()? }));
    Ok(Login {
        id,
        kind,
        person: Person { id: account, email, name, role: role.parse()?, company: company_id },
        company: company.transpose()?,
        created_at: created_at.0,
        expires_at: expires_at.0,
        last_used_at: last_used_at.0,
        user_agent,
    })
}

/// Of these sign-ins, those that have not ended and whose people may act.
pub(super) async fn find_live(conn: &mut Conn, ids: Vec<LoginId>, now: Timestamp) -> Result<Vec<Login>> {
    let query = live!(now).filter(sessions::id.eq_any(ids));
    load!(conn, LiveColumns, query)?.into_iter().map(to_login).collect()
}

/// The same of one person, newest first.
pub(super) async fn list_live(conn: &mut Conn, account: AccountId, now: Timestamp) -> Result<Vec<Login>> {
    let newest_first = (sessions::created_at.desc(), sessions::id.desc());
    let query = live!(now).filter(sessions::account_id.eq(account)).order(newest_first).limit(200);
    load!(conn, LiveColumns, query)?.into_iter().map(to_login).collect()
}

pub(super) async fn find_row(conn: &mut Conn, id: LoginId) -> Result<Option<Row>> {
    type Columns = (AccountId, Vec<u8>, Option<Vec<u8>>, At, At, At, Option<At>);
    let query = sessions::table.find(id).select((
        sessions::account_id,
        sessions::refresh_hash,
        sessions::previous_hash,
        sessions::rotated_at,
        sessions::created_at,
        sessions::expires_at,
        sessions::revoked_at,
    ));
    let row = find!(conn, Columns, query)?;
    Ok(row.map(|(account_id, refresh_hash, previous_hash, rotated, created, expires, revoked)| Row {
        account_id,
        refresh_hash,
        previous_hash,
        rotated_at: rotated.0,
        created_at: created.0,
        expires_at: expires.0,
        revoked_at: revoked.map(|at| at.0),
    }))
}

/// Puts the next token's hash in the place of the current one's; says whether it was the current one. One statement, so
/// that of two callers with the same token only one does.
pub(super) async fn rotate(
    conn: &mut Conn,
    id: LoginId,
    (old, new): (&[u8; 32], &[u8; 32]),
    now: Timestamp,
    until: Timestamp,
) -> Result<bool> {
    let current = sessions::table
        .find(id)
        .filter(sessions::refresh_hash.eq(old.as_slice()))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(At(now)));
    let query = diesel::update(current).set((
        sessions::refresh_hash.eq(new.as_slice()),
        sessions::previous_hash.eq(Some(old.as_slice())),
        sessions::rotated_at.eq(At(now)),
        sessions::last_used_at.eq(At(now)),
        sessions::expires_at.eq(At(until)),
    ));
    Ok(execute!(conn, query)? == 1)
}

/// Ends a sign-in, of this person if one is named; says whether it had not ended before.
pub(super) async fn revoke(
    conn: &mut Conn,
    account: Option<AccountId>,
    id: LoginId,
    now: Timestamp,
    why: &str,
) -> Result<bool> {
    let set = (sessions::revoked_at.eq(Some(At(now))), sessions::revoked_for.eq(Some(why)));
    let row = sessions::table.find(id).filter(sessions::revoked_at.is_null());
    let done = match account {
        Some(account) => execute!(conn, diesel::update(row.filter(sessions::account_id.eq(account))).set(set))?,
        None => execute!(conn, diesel::update(row).set(set))?,
    };
    Ok(done == 1)
}

pub(super) async fn revoke_all(
    conn: &mut Conn,
    account: AccountId,
    except: Option<LoginId>,
    now: Timestamp,
    why: &str,
) -> Result<()> {
    let set = (sessions::revoked_at.eq(Some(At(now))), sessions::revoked_for.eq(Some(why)));
    let rows = sessions::table.filter(sessions::account_id.eq(account)).filter(sessions::revoked_at.is_null());
    let kept = except.unwrap_or(LoginId(uuid::Uuid::nil()));
    execute!(conn, diesel::update(rows.filter(sessions::id.ne(kept))).set(set))?;
    Ok(())
}

pub(super) async fn revoke_company(conn: &mut Conn, company: CompanyId, now: Timestamp, why: &str) -> Result<()> {
    let set = (sessions::revoked_at.eq(Some(At(now))), sessions::revoked_for.eq(Some(why)));
    let people = accounts::table.filter(accounts::company_id.eq(company)).select(accounts::id);
    let rows = sessions::table.filter(sessions::account_id.eq_any(people)).filter(sessions::revoked_at.is_null());
    execute!(conn, diesel::update(rows).set(set))?;
    Ok(())
}

pub(super) async fn list_revoked(conn: &mut Conn, since: Timestamp) -> Result<Vec<LoginId>> {
    let query = sessions::table.filter(sessions::revoked_at.ge(At(since))).select(sessions::id);
    Ok(load!(conn, LoginId, query)?)
}

pub(super) async fn mark_used(conn: &mut Conn, used: Vec<LoginId>, now: Timestamp) -> Result<()> {
    let rows = sessions::table.filter(sessions::id.eq_any(used));
    execute!(conn, diesel::update(rows).set(sessions::last_used_at.eq(At(now))))?;
    Ok(())
}

pub(super) async fn delete_ended(conn: &mut Conn, before: Timestamp) -> Result<usize> {
    let ended = sessions::expires_at.nullable().lt(At(before)).or(sessions::revoked_at.lt(At(before)));
    Ok(execute!(conn, diesel::delete(sessions::table.filter(ended)))?)
}

/// What decides whether a password opens anything.
pub(super) struct Door {
    pub account: AccountId,
    pub hash: String,
    pub is_verified: bool,
    pub is_suspended: bool,
    pub is_staff: bool,
    pub company: Option<Company>,
}

pub(super) async fn find_door(conn: &mut Conn, email: String) -> Result<Option<Door>> {
    type Columns = ((AccountId, String, String, Option<At>, Option<At>), Option<CompanyColumns>);
    let query = accounts::table
        .left_join(companies::table.on(companies::id.nullable().eq(accounts::company_id)))
        .filter(accounts::email.eq(email))
        .select((
            (accounts::id, accounts::password_hash, accounts::role, accounts::verified_at, accounts::suspended_at),
            (companies::id, companies::name, companies::slug, companies::state).nullable(),
        ));
    let Some(((account, hash, role, verified, suspended), company)) = find!(conn, Columns, query)? else {
        return Ok(None);
    };
    let company =
        company.map(|(id, name, slug, state)| Ok::<_, Error>(Company { id, name, slug, state: state.parse()? }));
    let role: crate::accounts::people::Role = role.parse()?;
    Ok(Some(Door {
        account,
        hash,
        is_verified: verified.is_some(),
        is_suspended: suspended.is_some(),
        is_staff: role.is_staff(),
        company: company.transpose()?,
    }))
}

/// What decides about the next try of a password.
pub(super) struct Tries {
    pub company: Option<CompanyId>,
    pub hash: String,
    pub failures: i32,
    pub locked_until: Option<Timestamp>,
}

/// The tries of an account, which nobody else changes before the end of the transaction.
pub(super) async fn lock_tries(conn: &mut Conn, account: AccountId) -> Result<Option<Tries>> {
    type Columns = (Option<CompanyId>, String, i32, Option<At>);
    let columns = (accounts::company_id, accounts::password_hash, accounts::failed_logins, accounts::locked_until);
    let query = accounts::table.find(account).select(columns);
    let row = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::get_result::<Columns>(query.for_no_key_update(), &mut **conn).await
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::get_result::<Columns>(query, &mut **conn),
    };
    let row = row.optional()?;
    Ok(row.map(|(company, hash, failures, locked)| {
        let locked_until = locked.map(|at| at.0);
        Tries { company, hash, failures, locked_until }
    }))
}

/// Writes how many passwords in a row were wrong, and until when the account is locked for that.
pub(super) async fn note_failure(
    conn: &mut Conn,
    account: AccountId,
    failures: i32,
    until: Option<Timestamp>,
) -> Result<()> {
    let set = (accounts::failed_logins.eq(failures), accounts::locked_until.eq(until.map(At)));
    execute!(conn, diesel::update(accounts::table.find(account)).set(set))?;
    Ok(())
}

/// Forgets wrong passwords after a right one.
pub(in crate::accounts) async fn unlock(conn: &mut Conn, account: AccountId) -> Result<()> {
    let set = (accounts::failed_logins.eq(0), accounts::locked_until.eq(None::<At>));
    execute!(conn, diesel::update(accounts::table.find(account)).set(set))?;
    Ok(())
}
