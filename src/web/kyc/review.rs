//! The queue of papers, for those who decide.

use actix_web::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LINK, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::{ReviewDetailView, ReviewPageView, ReviewView};
use crate::accounts::Kyc;
use crate::accounts::kyc::{Document, State};
use crate::base::id::{DocumentId, KycId};
use crate::base::page::Cursor;
use crate::base::{Clock, Error, Result};
use crate::web::auth::Staff;
use crate::web::body::Incoming;
use crate::web::error::{Answer, ProblemView};
use crate::web::orders::listing::next_link;
use crate::web::orders::target::segment;
use crate::web::query::Query;
use crate::web::{PublicUrl, api, request_id};

/// Lists what companies have handed in, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/kyc", tag = "KYC",
    params(("state" = Option<String>, Query, description = "`submitted` (when left out), `approved` or `rejected`"),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 200, description = "Submissions in a page; 50 when left out"),
        ("after" = Option<String>, Query, description = "`next` of the page before")),
    responses((status = 200, description = "A page", body = ReviewPageView,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there is a next page"))),
        (status = 400, response = api::BadRequest), (status = 401, response = api::Unauthorized), (status = 403, response = api::Forbidden)),
    security(("person" = [])))]
pub async fn list_kyc(
    request: HttpRequest,
    _staff: Staff,
    kyc: Data<Kyc>,
    clock: Data<Clock>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &["state", "limit", "after"])?;
    let limit = usize::try_from(query.number("limit", 50, 1..=200)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let page = kyc.list(state(&query)?, after, limit).await?;
    let next = page.next.map(|cursor| cursor.encode());
    let mut reply = HttpResponse::Ok();
    if let Some(next) = &next {
        reply.insert_header((LINK, next_link(&home, &request, "after", next)));
    }
    let data = page.data.into_iter().map(|submission| ReviewView::at(clock.now(), submission)).collect();
    Ok(reply.json(ReviewPageView { data, next }))
}

fn state(query: &Query) -> Result<State> {
    let unknown = || Error::invalid_field("state", "unknown_state", "state must be submitted, approved or rejected");
    query.one("state")?.map_or(Ok(State::Submitted), |code| State::parse(code).ok_or_else(unknown))
}

/// The submission a path names.
fn target(request: &HttpRequest) -> Result<KycId> {
    segment(request, "id")?.parse().map_err(|_| Error::NotFound("Submission"))
}

/// One submission, with what the company handed in before.
#[utoipa::path(get, path = "/api/v1/admin/kyc/{id}", tag = "KYC", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The submission", body = ReviewDetailView), (status = 401, response = api::Unauthorized),
        (status = 403, response = api::Forbidden), (status = 404, response = api::NotFound)),
    security(("person" = [])))]
pub async fn get_kyc_submission(request: HttpRequest, _staff: Staff, kyc: Data<Kyc>, clock: Data<Clock>) -> Answer {
    Ok(HttpResponse::Ok().json(detail(&kyc, &clock, target(&request)?).await?))
}

async fn detail(kyc: &Kyc, clock: &Clock, id: KycId) -> Result<ReviewDetailView> {
    let submission = kyc.get(id).await?;
    let all = kyc.history(submission.company).await?;
    let view = |submission| ReviewView::at(clock.now(), submission);
    let history = all.into_iter().filter(|other| other.id != id).map(view).collect();
    Ok(ReviewDetailView { review: view(submission), history })
}

/// A document, to be kept and not shown: browsers save it.
#[utoipa::path(get, path = "/api/v1/admin/kyc/{id}/documents/{document}", tag = "KYC",
    params(("id" = Uuid, Path), ("document" = Uuid, Path)),
    responses((status = 200, description = "Its bytes, as an attachment; that it was read stands in the audit trail",
            body = Vec<u8>, content_type = "application/pdf"),
        (status = 401, response = api::Unauthorized), (status = 403, response = api::Forbidden), (status = 404, response = api::NotFound)),
    security(("person" = [])))]
pub async fn get_kyc_document(request: HttpRequest, staff: Staff, kyc: Data<Kyc>) -> Answer {
    let document: DocumentId = segment(&request, "document")?.parse().map_err(|_| Error::NotFound("Document"))?;
    let (document, content) =
        kyc.open_document(staff.actor(), target(&request)?, document, request_id(&request)).await?;
    let mut reply = HttpResponse::Ok();
    reply
        .insert_header((CONTENT_TYPE, document.media.media_type()))
        .insert_header((CONTENT_DISPOSITION, attachment(&document)?))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Should anything open it in place after all: without scripts, forms, or an origin.
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"));
    Ok(reply.body(content))
}

/// `attachment` with a name for old browsers and the full one (RFC 6266, RFC 8187).
fn attachment(document: &Document) -> Result<HeaderValue> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " -_().".contains(c) { c } else { '_' };
    let ascii: String = document.name.chars().map(plain).collect();
    let full = utf8_percent_encode(&document.name, NON_ALPHANUMERIC);
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{full}");
    HeaderValue::try_from(value).map_err(Error::internal)
}

/// Approves: the company becomes active, gets a webhook secret, and is told by mail.
#[utoipa::path(post, path = "/api/v1/admin/kyc/{id}/approve", tag = "KYC", params(("id" = Uuid, Path)),
    responses((status = 200, description = "It is approved", body = ReviewDetailView), (status = 401, response = api::Unauthorized),
        (status = 403, response = api::Forbidden), (status = 404, response = api::NotFound),
        (status = 409, description = "`kyc_decided`: somebody was faster", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = [])))]
pub async fn approve_kyc(request: HttpRequest, staff: Staff, kyc: Data<Kyc>, clock: Data<Clock>) -> Answer {
    let id = target(&request)?;
    kyc.approve(staff.actor(), id, request_id(&request)).await?;
    Ok(HttpResponse::Ok().json(detail(&kyc, &clock, id).await?))
}

/// Why papers are rejected.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectKyc {
    /// Mailed to the company.
    #[schema(example = "The certificate has run out.", min_length = 1, max_length = 1000)]
    reason: String,
}

/// Rejects with a reason, which is mailed; the company may hand in again.
#[utoipa::path(post, path = "/api/v1/admin/kyc/{id}/reject", tag = "KYC", params(("id" = Uuid, Path)), request_body = RejectKyc,
    responses((status = 200, description = "It is rejected", body = ReviewDetailView), (status = 400, response = api::BadRequest),
        (status = 401, response = api::Unauthorized), (status = 403, response = api::Forbidden), (status = 404, response = api::NotFound),
        (status = 409, description = "`kyc_decided`: somebody was faster", body = ProblemView, content_type = "application/problem+json")),
    security(("person" = [])))]
pub async fn reject_kyc(incoming: Incoming, staff: Staff, kyc: Data<Kyc>, clock: Data<Clock>) -> Answer {
    let (id, request_id) = (target(&incoming.request)?, incoming.request_id());
    let body: RejectKyc = incoming.json().await?;
    kyc.reject(staff.actor(), id, &body.reason, request_id).await?;
    Ok(HttpResponse::Ok().json(detail(&kyc, &clock, id).await?))
}
