//! SQL of people and of the companies they sign up.

use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use jiff::Timestamp;

use super::staff::{Listed, Seeking};
use super::{Member, Person, Role};
use crate::accounts::companies::{Company, CompanyState};
use crate::base::id::{AccountId, CompanyId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::db::letters::{lower_letters, lowered};
use crate::db::schema::{account_codes, accounts, companies, kyc_submissions};
use crate::db::types::At;
use crate::db::{Conn, is_taken};
use crate::{execute, find, load};

type Columns = (AccountId, String, String, String, Option<CompanyId>, Option<At>, Option<At>, At);
/// Of [`Columns`].
macro_rules! columns {
    () => {
        (
            accounts::id,
            accounts::email,
            accounts::name,
            accounts::role,
            accounts::company_id,
            accounts::verified_at,
            accounts::suspended_at,
            accounts::created_at,
        )
    };
}

/// An invitation of an address that belongs to somebody else is nobody's: its identifier stands behind the address, where
/// no address has a space, so that nothing finds it by the address. It is shown without.
const BEHIND: char = ' ';

fn to_member((id, email, name, role, company, verified, suspended, created): Columns) -> Result<Member> {
    let email = email.split_once(BEHIND).map_or(email.as_str(), |(shown, _)| shown).to_owned();
    Ok(Member {
        person: Person { id, email, name, role: role.parse()?, company },
        is_verified: verified.is_some(),
        suspended_at: suspended.map(|at| at.0),
        created_at: created.0,
    })
}

/// A removed person is a vendor of no company; nobody sees it.
macro_rules! present {
    () => {
        accounts::table
            .filter(accounts::company_id.is_not_null().or(accounts::role.ne(Role::Vendor.code())))
            .select(columns!())
    };
}

macro_rules! set {
    ($conn:expr, $account:expr, $set:expr) => {{
        execute!($conn, diesel::update(accounts::table.find($account)).set($set))?;
        Ok(())
    }};
}

pub(super) async fn find(conn: &mut Conn, account: AccountId) -> Result<Option<Member>> {
    find!(conn, Columns, present!().filter(accounts::id.eq(account)))?.map(to_member).transpose()
}

/// Whose address it is; nobody else changes the person before the end of the transaction.
pub(super) async fn lock_by_email(conn: &mut Conn, email: &str) -> Result<Option<Member>> {
    let query = present!().filter(accounts::email.eq(email));
    let row = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::get_result::<Columns>(query.for_no_key_update(), &mut **conn).await
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::get_result::<Columns>(query, &mut **conn),
    };
    row.optional()?.map(to_member).transpose()
}

/// The row that has the address, also one of somebody who was removed before proving it; locked as in [`lock_by_email`].
pub(super) async fn lock_claim(conn: &mut Conn, email: &str) -> Result<Option<Member>> {
    let query = accounts::table.filter(accounts::email.eq(email)).select(columns!());
    let row = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::get_result::<Columns>(query.for_no_key_update(), &mut **conn).await
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::get_result::<Columns>(query, &mut **conn),
    };
    row.optional()?.map(to_member).transpose()
}

/// Makes another person of a row, under the same address.
pub(super) async fn replace(conn: &mut Conn, person: &Person, hash: &str, now: Timestamp) -> Result<()> {
    let set = (
        accounts::name.eq(&person.name),
        accounts::role.eq(person.role.code()),
        accounts::company_id.eq(person.company),
        accounts::password_hash.eq(hash),
        accounts::created_at.eq(At(now)),
    );
    set!(conn, person.id, set)
}

/// Writes an invitation that nobody can answer, for the address is somebody else's.
pub(super) async fn insert_idle(conn: &mut Conn, person: &Person, now: Timestamp) -> Result<()> {
    let email = format!("{}{BEHIND}{}", person.email, person.id);
    insert(conn, &Person { email, ..person.clone() }, "", None, now).await
}

/// Whether an account waits for the answer to an invitation: it never had a password.
pub(super) async fn is_invited(conn: &mut Conn, account: AccountId) -> Result<bool> {
    Ok(find_password(conn, account).await?.is_some_and(|hash| hash.is_empty()))
}

pub(super) async fn find_password(conn: &mut Conn, account: AccountId) -> Result<Option<String>> {
    Ok(find!(conn, String, accounts::table.find(account).select(accounts::password_hash))?)
}

/// Writes a new person; `verified` says when its address was proven, if it was.
pub(super) async fn insert(
    conn: &mut Conn,
    person: &Person,
    hash: &str,
    verified: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    let values = (
        accounts::id.eq(person.id),
        accounts::email.eq(&person.email),
        accounts::name.eq(&person.name),
        accounts::role.eq(person.role.code()),
        accounts::company_id.eq(person.company),
        accounts::password_hash.eq(hash),
        accounts::created_at.eq(At(now)),
        accounts::verified_at.eq(verified.map(At)),
    );
    let taken = |error| match error {
        error if is_taken(&error) => {
            Error::conflict("email_taken", "An account with this e-mail address exists already.")
        }
        error => error.into(),
    };
    execute!(conn, diesel::insert_into(accounts::table).values(values)).map_err(taken)?;
    Ok(())
}

pub(super) async fn rename(conn: &mut Conn, account: AccountId, name: &str) -> Result<()> {
    set!(conn, account, accounts::name.eq(name))
}

pub(super) async fn set_password(conn: &mut Conn, account: AccountId, hash: &str) -> Result<()> {
    set!(conn, account, accounts::password_hash.eq(hash))
}

pub(super) async fn set_verified(conn: &mut Conn, account: AccountId, now: Timestamp) -> Result<()> {
    set!(conn, account, accounts::verified_at.eq(Some(At(now))))
}

pub(super) async fn set_suspended(conn: &mut Conn, account: AccountId, at: Option<Timestamp>) -> Result<()> {
    set!(conn, account, accounts::suspended_at.eq(at.map(At)))
}

pub(super) async fn set_role(
    conn: &mut Conn,
    account: AccountId,
    role: Role,
    company: Option<CompanyId>,
) -> Result<()> {
    set!(conn, account, (accounts::role.eq(role.code()), accounts::company_id.eq(company)))
}

/// Frees the address of somebody who was removed.
pub(super) async fn free_address(conn: &mut Conn, account: AccountId) -> Result<()> {
    set!(conn, account, accounts::email.eq(format!("{account}@removed.invalid")))
}

/// Takes the person out of its company and frees its address. The row stays: papers and audit rows name it. One that was
/// never proven keeps its address until somebody claims it, and with it the count of letters it was sent.
pub(super) async fn remove(conn: &mut Conn, there: &Member, now: Timestamp) -> Result<()> {
    let account = there.person.id;
    if there.is_verified {
        free_address(conn, account).await?;
    }
    let set = (
        accounts::company_id.eq(None::<CompanyId>),
        accounts::password_hash.eq(""),
        accounts::suspended_at.eq(Some(At(now))),
    );
    set!(conn, account, set)
}

/// People whose address nobody has proven since then; those who are barred stay, or their address would be free again.
/// Nobody else changes them before the end of the transaction.
pub(super) async fn lock_unproven(conn: &mut Conn, before: Timestamp, limit: i64) -> Result<Vec<Member>> {
    let is_gone = accounts::company_id.is_null().and(accounts::role.eq(Role::Vendor.code()));
    let query = accounts::table
        .filter(accounts::verified_at.is_null())
        .filter(accounts::created_at.lt(At(before)))
        .filter(accounts::suspended_at.is_null().or(is_gone))
        .order(accounts::id)
        .limit(limit)
        .select(columns!());
    let rows = match conn {
        Conn::Postgres(conn) => diesel_async::RunQueryDsl::load::<Columns>(query.for_update(), &mut **conn).await?,
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<Columns>(query, &mut **conn)?,
    };
    rows.into_iter().map(to_member).collect()
}

pub(super) async fn delete(conn: &mut Conn, people: Vec<AccountId>) -> Result<()> {
    let codes = account_codes::table.filter(account_codes::account_id.eq_any(people.clone()));
    execute!(&mut *conn, diesel::delete(codes))?;
    execute!(conn, diesel::delete(accounts::table.filter(accounts::id.eq_any(people))))?;
    Ok(())
}

/// Companies that wait for approval since then and have nobody, and have handed in nothing.
pub(super) async fn list_empty(conn: &mut Conn, before: Timestamp, limit: i64) -> Result<Vec<CompanyId>> {
    let people = accounts::table.filter(accounts::company_id.eq(companies::id.nullable()));
    let papers = kyc_submissions::table.filter(kyc_submissions::company_id.eq(companies::id));
    let query = companies::table
        .filter(companies::state.eq(CompanyState::Pending.code()))
        .filter(companies::created_at.lt(At(before)))
        .filter(diesel::dsl::not(diesel::dsl::exists(people.select(accounts::id))))
        .filter(diesel::dsl::not(diesel::dsl::exists(papers.select(kyc_submissions::id))))
        .order(companies::id)
        .limit(limit)
        .select(companies::id);
    Ok(load!(conn, CompanyId, query)?)
}

/// Deletes a company that waits for approval and has nobody; says whether there was one. `Conflict` when something else
/// belongs to it.
pub(super) async fn delete_company(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let people = accounts::table.filter(accounts::company_id.eq(company)).select(accounts::id);
    let query = companies::table
        .filter(companies::id.eq(company))
        .filter(companies::state.eq(CompanyState::Pending.code()))
        .filter(diesel::dsl::not(diesel::dsl::exists(people)));
    let owned = |error| match error {
        diesel::result::Error::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            Error::conflict("company_in_use", "Something belongs to this company.")
        }
        error => error.into(),
    };
    Ok(execute!(conn, diesel::delete(query)).map_err(owned)? == 1)
}

pub(super) async fn list_of_company(conn: &mut Conn, company: CompanyId) -> Result<Vec<Member>> {
    let oldest_first = (accounts::created_at, accounts::id);
    let query = present!().filter(accounts::company_id.eq(company)).order(oldest_first).limit(1000);
    load!(conn, Columns, query)?.into_iter().map(to_member).collect()
}

/// The people of a company who can sign in; locked to the end of the transaction where others could change them.
pub(super) async fn lock_able(conn: &mut Conn, company: CompanyId) -> Result<Vec<AccountId>> {
    let query = accounts::table
        .filter(accounts::company_id.eq(company))
        .filter(accounts::verified_at.is_not_null())
        .filter(accounts::suspended_at.is_null())
        .order(accounts::id)
        .select(accounts::id);
    Ok(match conn {
        Conn::Postgres(conn) => diesel_async::RunQueryDsl::load::<AccountId>(query.for_update(), &mut **conn).await?,
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<AccountId>(query, &mut **conn)?,
    })
}

/// The super admins who can sign in; locked as in [`lock_able`].
pub(super) async fn lock_super_admins(conn: &mut Conn) -> Result<Vec<AccountId>> {
    let query = accounts::table
        .filter(accounts::role.eq(Role::SuperAdmin.code()))
        .filter(accounts::verified_at.is_not_null())
        .filter(accounts::suspended_at.is_null())
        .order(accounts::id)
        .select(accounts::id);
    Ok(match conn {
        Conn::Postgres(conn) => diesel_async::RunQueryDsl::load::<AccountId>(query.for_update(), &mut **conn).await?,
        Conn::Sqlite(conn) => diesel::RunQueryDsl::load::<AccountId>(query, &mut **conn)?,
    })
}

/// One more than `limit`, if there are so many.
pub(super) async fn list(
    conn: &mut Conn,
    seeking: Seeking,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Member>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = load!(conn, Columns, DB => {
        let mut query = present!().order((accounts::created_at.desc(), accounts::id.desc())).limit(limit).into_boxed::<DB>();
        if let Some(text) = &seeking.text {
            let escaped = lowered(text).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let like = format!("%{escaped}%");
            let (email, name) = (lower_letters(accounts::email.nullable()), lower_letters(accounts::name.nullable()));
            query = query.filter(email.like(like.clone()).escape('\\').or(name.like(like).escape('\\')));
        }
        if let Some(role) = seeking.role {
            query = query.filter(accounts::role.eq(role.code()));
        }
        if let Some(company) = seeking.company {
            query = query.filter(accounts::company_id.eq(company));
        }
        if let Some(Cursor { at, id }) = after {
            let same = accounts::created_at.eq(At(at)).and(accounts::id.lt(AccountId(id)));
            query = query.filter(accounts::created_at.lt(At(at)).or(same));
        }
        query
    })?;
    rows.into_iter().map(to_member).collect()
}

type CompanyColumns = (CompanyId, String, String, String, At);
/// Of [`CompanyColumns`].
macro_rules! company {
    () => {
        (companies::id, companies::name, companies::slug, companies::state, companies::created_at)
    };
}

fn to_listed((id, name, slug, state, created): CompanyColumns) -> Result<Listed> {
    Ok(Listed { company: Company { id, name, slug, state: state.parse()? }, created_at: created.0 })
}

pub(super) async fn list_companies(
    conn: &mut Conn,
    state: Option<CompanyState>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Listed>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let rows = load!(conn, CompanyColumns, DB => {
        let newest_first = (companies::created_at.desc(), companies::id.desc());
        let mut query = companies::table.select(company!()).order(newest_first).limit(limit).into_boxed::<DB>();
        if let Some(state) = state {
            query = query.filter(companies::state.eq(state.code()));
        }
        if let Some(Cursor { at, id }) = after {
            let same = companies::created_at.eq(At(at)).and(companies::id.lt(CompanyId(id)));
            query = query.filter(companies::created_at.lt(At(at)).or(same));
        }
        query
    })?;
    rows.into_iter().map(to_listed).collect()
}

/// The company, which nobody else changes before the end of the transaction.
pub(super) async fn lock_company(conn: &mut Conn, company: CompanyId) -> Result<Option<Listed>> {
    let query = companies::table.find(company).select(company!());
    let row = match conn {
        Conn::Postgres(conn) => {
            diesel_async::RunQueryDsl::get_result::<CompanyColumns>(query.for_update(), &mut **conn).await
        }
        Conn::Sqlite(conn) => diesel::RunQueryDsl::get_result::<CompanyColumns>(query, &mut **conn),
    };
    row.optional()?.map(to_listed).transpose()
}

pub(super) async fn set_company_state(conn: &mut Conn, company: CompanyId, state: CompanyState) -> Result<()> {
    execute!(conn, diesel::update(companies::table.find(company)).set(companies::state.eq(state.code())))?;
    Ok(())
}

pub(super) async fn rename_company(conn: &mut Conn, company: CompanyId, name: &str) -> Result<()> {
    execute!(conn, diesel::update(companies::table.find(company)).set(companies::name.eq(name)))?;
    Ok(())
}

/// Writes a new company; `false`, and nothing written, when its name in addresses is taken.
pub(super) async fn insert_company(conn: &mut Conn, company: &Company, now: Timestamp) -> Result<bool> {
    let values = (
        companies::id.eq(company.id),
        companies::name.eq(&company.name),
        companies::slug.eq(&company.slug),
        companies::created_at.eq(At(now)),
        companies::state.eq(company.state.code()),
        // Who signs up is a vendor on the platform's marketplace.
        companies::marketplace_since.eq(Some(At(now))),
    );
    Ok(execute!(conn, diesel::insert_into(companies::table).values(values).on_conflict_do_nothing())? == 1)
}
