//! SQL of submissions and their documents.

use diesel::prelude::*;
use jiff::Timestamp;

use super::application::{Application, DocumentKind};
use super::business::Business;
use super::{Addressee, Document, Media, State, Submission};
use crate::base::id::{AccountId, CompanyId, DocumentId, KycId};
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::db::Conn;
use crate::db::schema::{accounts, companies, kyc_documents, kyc_submissions};
use crate::db::types::At;
use crate::{execute, find, load};

/// Whether the company is pending; its row is held until the end of the transaction, so that of two submissions at once
/// the second sees the first.
pub(super) async fn hold_pending_company(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let pending = companies::table.filter(companies::id.eq(company)).filter(companies::state.eq("pending"));
    Ok(execute!(conn, diesel::update(pending).set(companies::state.eq("pending")))? == 1)
}

/// Whether a company waits for approval.
pub(super) async fn is_pending_company(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let pending = companies::table.filter(companies::id.eq(company)).filter(companies::state.eq("pending"));
    Ok(find!(conn, CompanyId, pending.select(companies::id))?.is_some())
}

/// Makes a pending company active; says whether it was pending.
pub(super) async fn activate_company(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let pending = companies::table.filter(companies::id.eq(company)).filter(companies::state.eq("pending"));
    Ok(execute!(conn, diesel::update(pending).set(companies::state.eq("active")))? == 1)
}

/// Whether a submission of the company waits for a decision.
pub(super) async fn is_under_review(conn: &mut Conn, company: CompanyId) -> Result<bool> {
    let query = kyc_submissions::table
        .filter(kyc_submissions::company_id.eq(company))
        .filter(kyc_submissions::state.eq(State::Submitted.code()))
        .select(kyc_submissions::id)
        .limit(1);
    Ok(find!(conn, KycId, query)?.is_some())
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = kyc_submissions, treat_none_as_default_value = false)]
struct SubmissionRow {
    id: KycId,
    company_id: CompanyId,
    state: String,
    legal_name: String,
    registration_number: String,
    country: String,
    address: String,
    website: Option<String>,
    phone: Option<String>,
    submitted_by: AccountId,
    submitted_at: At,
    decided_by: Option<String>,
    decided_at: Option<At>,
    reason: Option<String>,
}

#[derive(Insertable)]
#[diesel(table_name = kyc_documents, treat_none_as_default_value = false)]
struct DocumentRow {
    id: DocumentId,
    submission_id: KycId,
    kind: &'static str,
    name: String,
    media_type: &'static str,
    size: i64,
    content: Vec<u8>,
    created_at: At,
}

pub(super) async fn insert(
    conn: &mut Conn,
    id: KycId,
    company: CompanyId,
    by: AccountId,
    sent: &Application,
    sealed: Vec<Vec<u8>>,
    now: Timestamp,
) -> Result<()> {
    let business = sent.business.clone();
    let row = SubmissionRow {
        id,
        company_id: company,
        state: State::Submitted.code().to_owned(),
        legal_name: business.legal_name,
        registration_number: business.registration_number,
        country: business.country,
        address: business.address,
        website: business.website,
        phone: business.phone,
        submitted_by: by,
        submitted_at: At(now),
        decided_by: None,
        decided_at: None,
        reason: None,
    };
    execute!(&mut *conn, diesel::insert_into(kyc_submissions::table).values(&row))?;
    for (paper, content) in sent.papers.iter().zip(sealed) {
        let row = DocumentRow {
            id: DocumentId::new(),
            submission_id: id,
            kind: paper.kind.code(),
            name: paper.name.clone(),
            media_type: paper.media.media_type(),
            size: i64::try_from(paper.content.len()).map_err(Error::internal)?,
            content,
            created_at: At(now),
        };
        execute!(&mut *conn, diesel::insert_into(kyc_documents::table).values(&row))?;
    }
    Ok(())
}

pub(super) async fn find(conn: &mut Conn, id: KycId) -> Result<Option<Submission>> {
    let query = kyc_submissions::table
        .inner_join(companies::table.on(companies::id.eq(kyc_submissions::company_id)))
        .filter(kyc_submissions::id.eq(id))
        .select((kyc_submissions::all_columns, companies::name));
    let row = find!(&mut *conn, (SubmissionRow, String), query)?;
    Ok(with_documents(conn, row.into_iter().collect()).await?.pop())
}

pub(super) async fn list_of_company(conn: &mut Conn, company: CompanyId) -> Result<Vec<Submission>> {
    let query = kyc_submissions::table
        .inner_join(companies::table.on(companies::id.eq(kyc_submissions::company_id)))
        .filter(kyc_submissions::company_id.eq(company))
        .order((kyc_submissions::submitted_at.desc(), kyc_submissions::id.desc()))
        .limit(100)
        .select((kyc_submissions::all_columns, companies::name));
    let rows = load!(&mut *conn, (SubmissionRow, String), query)?;
    with_documents(conn, rows).await
}

pub(super) async fn list_in_state(
    conn: &mut Conn,
    state: State,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Submission>> {
    let rows = load!(&mut *conn, (SubmissionRow, String), DB => {
        let mut query = kyc_submissions::table
            .inner_join(companies::table.on(companies::id.eq(kyc_submissions::company_id)))
            .filter(kyc_submissions::state.eq(state.code()))
            .order((kyc_submissions::submitted_at, kyc_submissions::id))
            .limit(limit)
            .select((kyc_submissions::all_columns, companies::name))
            .into_boxed::<DB>();
        if let Some(Cursor { at, id }) = after {
            let same = kyc_submissions::submitted_at.eq(At(at)).and(kyc_submissions::id.gt(KycId(id)));
            query = query.filter(kyc_submissions::submitted_at.gt(At(at)).or(same));
        }
        query
    })?;
    with_documents(conn, rows).await
}

pub(super) async fn count_waiting(conn: &mut Conn) -> Result<u64> {
    let query = kyc_submissions::table
        .filter(kyc_submissions::state.eq(State::Submitted.code()))
        .select(diesel::dsl::count_star());
    let count = find!(conn, i64, query)?.unwrap_or_default();
    u64::try_from(count).map_err(Error::internal)
}

type DocumentColumns = (DocumentId, KycId, String, String, String, i64);
const DOCUMENT: (
    kyc_documents::id,
    kyc_documents::submission_id,
    kyc_documents::kind,
    kyc_documents::name,
    kyc_documents::media_type,
    kyc_documents::size,
) = (
    kyc_documents::id,
    kyc_documents::submission_id,
    kyc_documents::kind,
    kyc_documents::name,
    kyc_documents::media_type,
    kyc_documents::size,
);

fn to_document((id, _, kind, name, media, size): DocumentColumns) -> Result<Document> {
    Ok(Document {
        id,
        kind: DocumentKind::parse(&kind).unwrap_or(DocumentKind::Other),
        name,
        media: Media::parse(&media).ok_or_else(|| Error::internal(format!("{media:?} is no type of a document")))?,
        size: u64::try_from(size).map_err(Error::internal)?,
    })
}

async fn with_documents(conn: &mut Conn, rows: Vec<(SubmissionRow, String)>) -> Result<Vec<Submission>> {
    let ids: Vec<KycId> = rows.iter().map(|(row, _)| row.id).collect();
    let query =
        kyc_documents::table.filter(kyc_documents::submission_id.eq_any(ids)).order(kyc_documents::id).select(DOCUMENT);
    let documents = load!(conn, DocumentColumns, query)?;
    let of = |id: KycId| documents.iter().filter(move |row| row.1 == id).cloned().map(to_document);
    rows.into_iter().map(|(row, name)| to_submission(of(row.id).collect::<Result<_>>()?, row, name)).collect()
}

fn to_submission(documents: Vec<Document>, row: SubmissionRow, company_name: String) -> Result<Submission> {
    Ok(Submission {
        id: row.id,
        company: row.company_id,
        company_name,
        state: read_state(&row.state)?,
        business: Business {
            legal_name: row.legal_name,
            registration_number: row.registration_number,
            country: row.country,
            address: row.address,
            website: row.website,
            phone: row.phone,
        },
        submitted_by: row.submitted_by,
        submitted_at: row.submitted_at.0,
        decided_by: row.decided_by,
        decided_at: row.decided_at.map(|at| at.0),
        reason: row.reason,
        documents,
    })
}

fn read_state(code: &str) -> Result<State> {
    State::parse(code).ok_or_else(|| Error::internal(format!("{code:?} is no state of a submission")))
}

/// Decides, if nobody has before; says whose submission it is. One statement, so that only one of two admins can.
pub(super) async fn decide(
    conn: &mut Conn,
    id: KycId,
    to: State,
    by: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Option<CompanyId>> {
    let waiting = kyc_submissions::table
        .filter(kyc_submissions::id.eq(id))
        .filter(kyc_submissions::state.eq(State::Submitted.code()));
    let values = (
        kyc_submissions::state.eq(to.code()),
        kyc_submissions::decided_by.eq(Some(by)),
        kyc_submissions::decided_at.eq(Some(At(now))),
        kyc_submissions::reason.eq(reason),
    );
    let query = diesel::update(waiting).set(values).returning(kyc_submissions::company_id);
    Ok(find!(conn, CompanyId, query)?)
}

/// A document of a submission: the company, what lists show, and the sealed bytes.
pub(super) async fn find_document(
    conn: &mut Conn,
    submission: KycId,
    document: DocumentId,
) -> Result<Option<(CompanyId, Document, Vec<u8>)>> {
    let query = kyc_documents::table
        .inner_join(kyc_submissions::table.on(kyc_submissions::id.eq(kyc_documents::submission_id)))
        .filter(kyc_documents::id.eq(document))
        .filter(kyc_submissions::id.eq(submission))
        .select((kyc_submissions::company_id, DOCUMENT, kyc_documents::content));
    let row = find!(conn, (CompanyId, DocumentColumns, Vec<u8>), query)?;
    row.map(|(company, document, sealed)| Ok((company, to_document(document)?, sealed))).transpose()
}

/// Whom a letter goes to: the person who handed in.
pub(super) async fn find_addressee(conn: &mut Conn, id: KycId) -> Result<Option<Addressee>> {
    let query = kyc_submissions::table
        .inner_join(companies::table.on(companies::id.eq(kyc_submissions::company_id)))
        .inner_join(accounts::table.on(accounts::id.eq(kyc_submissions::submitted_by)))
        .filter(kyc_submissions::id.eq(id))
        .select((accounts::email, accounts::name, companies::name, kyc_submissions::state, kyc_submissions::reason));
    let row = find!(conn, (String, String, String, String, Option<String>), query)?;
    row.map(|(email, name, company, state, reason)| {
        Ok(Addressee { email, name, company, state: read_state(&state)?, reason })
    })
    .transpose()
}
