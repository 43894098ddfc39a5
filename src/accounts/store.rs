//! SQL of companies, admins and API tokens.

use diesel::prelude::*;
use jiff::Timestamp;

use super::companies::{Company, Named};
use super::tokens::Token;
use crate::base::id::{CompanyId, TokenId};
use crate::base::{Error, Result};
use crate::db::schema::{accounts, api_tokens, companies, setup_links};
use crate::db::types::At;
use crate::db::{Conn, is_taken};
use crate::{execute, find, load};

type CompanyColumns = (CompanyId, String, String, String);
/// Of [`CompanyColumns`].
macro_rules! company {
    () => {
        (companies::id, companies::name, companies::slug, companies::state)
    };
}

fn to_company((id, name, slug, state): CompanyColumns) -> Result<Company> {
    Ok(Company { id, name, slug, state: state.parse()? })
}

pub(super) async fn ensure_company(conn: &mut Conn, new: Company, now: Timestamp) -> Result<Company> {
    let values = (
        companies::id.eq(new.id),
        companies::name.eq(&new.name),
        companies::slug.eq(&new.slug),
        companies::created_at.eq(At(now)),
        companies::state.eq(new.state.code()),
    );
    execute!(&mut *conn, diesel::insert_into(companies::table).values(values).on_conflict_do_nothing())?;
    let query = companies::table.filter(companies::slug.eq(&new.slug)).select(company!());
    let row = find!(conn, CompanyColumns, query)?;
    to_company(row.ok_or_else(|| Error::internal("a company just made is not there"))?)
}

pub(super) async fn find_first_company(conn: &mut Conn) -> Result<Option<Company>> {
    let query = companies::table.order((companies::created_at, companies::id)).limit(1).select(company!());
    find!(conn, CompanyColumns, query)?.map(to_company).transpose()
}

pub(super) async fn find_company(conn: &mut Conn, named: Named) -> Result<Option<Company>> {
    let found = match named {
        Named::Id(id) => find!(conn, CompanyColumns, companies::table.find(id).select(company!()))?,
        Named::Slug(slug) => {
            find!(conn, CompanyColumns, companies::table.filter(companies::slug.eq(slug)).select(company!()))?
        }
    };
    found.map(to_company).transpose()
}

/// Whether anybody runs the platform yet.
pub(super) async fn has_admin(conn: &mut Conn) -> Result<bool> {
    let query = accounts::table.filter(accounts::role.eq("super_admin")).select(diesel::dsl::count_star());
    Ok(find!(conn, i64, query)?.unwrap_or_default() > 0)
}

/// Puts a new set-up link in place of all earlier ones.
pub(super) async fn replace_setup_link(conn: &mut Conn, hash: &[u8; 32], now: Timestamp) -> Result<()> {
    execute!(&mut *conn, diesel::delete(setup_links::table))?;
    let values = (setup_links::hash.eq(hash.as_slice()), setup_links::created_at.eq(At(now)));
    execute!(conn, diesel::insert_into(setup_links::table).values(values))?;
    Ok(())
}

/// When the link of this hash was made, if it has not been used.
pub(super) async fn find_setup_link(conn: &mut Conn, hash: &[u8; 32]) -> Result<Option<Timestamp>> {
    let query = setup_links::table
        .filter(setup_links::hash.eq(hash.as_slice()))
        .filter(setup_links::used_at.is_null())
        .select(setup_links::created_at);
    Ok(find!(conn, At, query)?.map(|at| at.0))
}

/// Uses the link up; says whether it could still be used. One statement, so that only one of two callers can.
pub(super) async fn use_setup_link(conn: &mut Conn, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let unused =
        setup_links::table.filter(setup_links::hash.eq(hash.as_slice())).filter(setup_links::used_at.is_null());
    Ok(execute!(conn, diesel::update(unused).set(setup_links::used_at.eq(Some(At(now)))))? == 1)
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = api_tokens, treat_none_as_default_value = false)]
struct TokenRow {
    id: TokenId,
    name: String,
    hash: Vec<u8>,
    last_four: String,
    scopes: String,
    company_id: Option<CompanyId>,
    created_at: At,
    expires_at: Option<At>,
    last_used_at: Option<At>,
    revoked_at: Option<At>,
}

impl TryFrom<TokenRow> for Token {
    type Error = Error;

    fn try_from(row: TokenRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            last_four: row.last_four,
            scopes: row.scopes.parse()?,
            company: row.company_id,
            created_at: row.created_at.0,
            expires_at: row.expires_at.map(|at| at.0),
            last_used_at: row.last_used_at.map(|at| at.0),
            revoked_at: row.revoked_at.map(|at| at.0),
        })
    }
}

pub(super) async fn insert_token(conn: &mut Conn, token: &Token, hash: &[u8; 32]) -> Result<()> {
    let row = TokenRow {
        id: token.id,
        name: token.name.clone(),
        hash: hash.to_vec(),
        last_four: token.last_four.clone(),
        scopes: token.scopes.to_string(),
        company_id: token.company,
        created_at: At(token.created_at),
        expires_at: token.expires_at.map(At),
        last_used_at: None,
        revoked_at: None,
    };
    let taken = |error| match error {
        error if is_taken(&error) => {
            let message = "A token of this name exists already; revoke it first, or choose another name.";
            Error::conflict("name_taken", message)
        }
        error => error.into(),
    };
    execute!(conn, diesel::insert_into(api_tokens::table).values(&row)).map_err(taken)?;
    Ok(())
}

pub(super) async fn find_tokens(conn: &mut Conn, hashes: Vec<Vec<u8>>) -> Result<Vec<(Vec<u8>, Token)>> {
    // The tokens of a company that is barred are good for nothing meanwhile.
    let state = companies::state.nullable();
    let query = api_tokens::table
        .left_join(companies::table.on(companies::id.nullable().eq(api_tokens::company_id)))
        .filter(api_tokens::hash.eq_any(hashes))
        .filter(state.is_null().or(state.ne(SUSPENDED)))
        .select(api_tokens::all_columns);
    let rows = load!(conn, TokenRow, query)?;
    rows.into_iter().map(|row| Ok((row.hash.clone(), row.try_into()?))).collect()
}

pub(super) async fn list_tokens(conn: &mut Conn) -> Result<Vec<Token>> {
    let newest_first = (api_tokens::created_at.desc(), api_tokens::id.desc());
    let query = api_tokens::table.order(newest_first);
    load!(conn, TokenRow, query)?.into_iter().map(Token::try_from).collect()
}

/// Revokes by name. The name is freed for a successor: the revoked row keeps it with its identifier behind.
pub(super) async fn revoke_token(conn: &mut Conn, name: &str, now: Timestamp) -> Result<Option<Token>> {
    let live = api_tokens::table.filter(api_tokens::name.eq(name)).filter(api_tokens::revoked_at.is_null());
    let Some(row) = find!(&mut *conn, TokenRow, live)? else { return Ok(None) };
    let retired = format!("{} (revoked {})", row.name, row.id);
    let query = diesel::update(api_tokens::table.find(row.id))
        .set((api_tokens::revoked_at.eq(Some(At(now))), api_tokens::name.eq(retired)));
    execute!(conn, query)?;
    let token = Token { revoked_at: Some(now), ..row.try_into()? };
    Ok(Some(token))
}

pub(super) async fn mark_used(conn: &mut Conn, used: Vec<TokenId>, now: Timestamp) -> Result<()> {
    let rows = api_tokens::table.filter(api_tokens::id.eq_any(used));
    execute!(conn, diesel::update(rows).set(api_tokens::last_used_at.eq(Some(At(now)))))?;
    Ok(())
}

/// Tokens revoked at or after a moment, and those of companies that are barred now: since when, nobody needs to know.
pub(super) async fn list_revoked_tokens(conn: &mut Conn, since: Timestamp) -> Result<Vec<TokenId>> {
    let revoked = api_tokens::table.filter(api_tokens::revoked_at.ge(At(since))).select(api_tokens::id);
    let mut ids = load!(&mut *conn, TokenId, revoked)?;
    let barred = api_tokens::table
        .inner_join(companies::table.on(companies::id.nullable().eq(api_tokens::company_id)))
        .filter(companies::state.eq(SUSPENDED))
        .select(api_tokens::id);
    ids.extend(load!(conn, TokenId, barred)?);
    Ok(ids)
}

/// The state of a company that is barred, as it is stored.
const SUSPENDED: &str = "suspended";
