//! `/admin/kyc`: the queue of papers, one submission, and the decision; then the next in the queue opens.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;

use super::console::{Bar, Place};
use super::{Visit, go, kyc as papers, moment, notice, size};
use crate::accounts::Kyc;
use crate::accounts::kyc::{State, Submission, countries};
use crate::base::id::KycId;
use crate::base::page::{Cursor, Page};
use crate::base::{Error, Result};
use crate::web::auth::query_value;
use crate::web::pages::Frame;
use crate::web::pages::form::{self, Field};
use crate::web::request_id;

/// Rows of a page of the queue.
const ROWS: usize = 50;

/// What the reject form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reason {
    reason: String,
}

/// `GET /admin/kyc`
pub(super) async fn get_queue(visit: Visit, kyc: Data<Kyc>) -> HttpResponse {
    if let Err(answered) = visit.of_staff() {
        return answered.error_response();
    }
    let after = query_value(visit.request.query_string(), "after").and_then(|text| Cursor::decode(text.expose()).ok());
    let said = done(&visit, &kyc).await;
    match kyc.list(State::Submitted, after, ROWS).await {
        Ok(page) => queue(&visit, &page, said.as_ref()).await,
        Err(error) => visit.refuse(error),
    }
}

/// `GET /admin/kyc/{id}`
pub(super) async fn get_submission(visit: Visit, kyc: Data<Kyc>, id: Path<String>) -> HttpResponse {
    if let Err(answered) = visit.of_staff() {
        return answered.error_response();
    }
    let said = done(&visit, &kyc).await;
    show(&visit, &kyc, &id, StatusCode::OK, said.as_ref(), None).await
}

/// `POST /admin/kyc/{id}/approve`
pub(super) async fn approve(visit: Visit, kyc: Data<Kyc>, id: Path<String>) -> HttpResponse {
    let actor = match visit.of_staff() {
        Ok(login) => login.person.actor(),
        Err(answered) => return answered.error_response(),
    };
    let decided = match read(&id) {
        Ok(known) => kyc.approve(actor, known, request_id(&visit.request)).await,
        Err(error) => Err(error),
    };
    after_decision(&visit, &kyc, &id, decided, "").await
}

/// `POST /admin/kyc/{id}/reject`
pub(super) async fn reject(
    visit: Visit,
    kyc: Data<Kyc>,
    id: Path<String>,
    form: Result<Form<Reason>, actix_web::Error>,
) -> HttpResponse {
    let actor = match visit.of_staff() {
        Ok(login) => login.person.actor(),
        Err(answered) => return answered.error_response(),
    };
    let reason = form.map(Form::into_inner).unwrap_or_default().reason;
    let decided = match read(&id) {
        Ok(known) => kyc.reject(actor, known, &reason, request_id(&visit.request)).await,
        Err(error) => Err(error),
    };
    after_decision(&visit, &kyc, &id, decided, &reason).await
}

fn read(id: &str) -> Result<KycId> {
    id.parse().map_err(|_| Error::NotFound("Submission"))
}

/// On to the next in the queue, or back to the page with what was wrong.
async fn after_decision(visit: &Visit, kyc: &Kyc, id: &str, decided: Result<()>, reason: &str) -> HttpResponse {
    let frame = visit.frame();
    match decided {
        Ok(()) => match kyc.next_in_queue().await {
            Ok(Some(next)) => go(&format!("/admin/kyc/{next}?done={id}")),
            Ok(None) => go(&format!("/admin/kyc?done={id}")),
            Err(error) => visit.refuse(error),
        },
        Err(Error::Invalid(_)) => show(visit, kyc, id, StatusCode::BAD_REQUEST, None, Some(reason)).await,
        Err(Error::Conflict(_)) => {
            let said = notice(&frame, "warning", "alert", frame.t("review.too_late"));
            show(visit, kyc, id, StatusCode::CONFLICT, Some(&said), None).await
        }
        Err(error) => visit.refuse(error),
    }
}

/// What was decided a moment ago, read back from the submission itself.
async fn done(visit: &Visit, kyc: &Kyc) -> Option<Markup> {
    let id = query_value(visit.request.query_string(), "done")?;
    let decided = kyc.get(read(id.expose()).ok()?).await.ok()?;
    let frame = visit.frame();
    let (key, tone) = match decided.state {
        State::Approved => ("review.done_approved", "success"),
        State::Rejected => ("review.done_rejected", "info"),
        State::Submitted => return None,
    };
    let text = frame.lang.fill(key, &[("company", &decided.company_name)]);
    Some(notice(&frame, tone, "check", &text))
}

/// `3 d`, `4 h`, `12 min`.
fn waited(frame: &Frame, waited: SignedDuration) -> String {
    let minutes = u64::try_from(waited.as_secs() / 60).unwrap_or_default();
    let (key, number) = match minutes {
        0..60 => ("review.minutes", minutes),
        60..2880 => ("review.hours", minutes / 60),
        _ => ("review.days", minutes / 1440),
    };
    frame.lang.fill(key, &[("n", &frame.lang.number(number))])
}

async fn queue(visit: &Visit, page: &Page<Submission>, said: Option<&Markup>) -> HttpResponse {
    let frame = visit.frame();
    let body = html! {
        @if let Some(said) = said { (said) }
        @if page.data.is_empty() {
            section.card.empty.tone-success aria-labelledby="e" {
                span.tile { (frame.icon("check")) }
                h2 #e { (frame.t("review.empty")) }
                p { (frame.t("review.empty_text")) }
            }
        } @else {
            p.t2 { (frame.t("review.text")) }
            section.card aria-labelledby="h" { (rows(&frame, visit, &page.data)) }
            @if let Some(next) = page.next { p { a.btn href={ "/admin/kyc?after=" (next.encode()) } { (frame.t("review.more")) } } }
        }
    };
    visit.console(StatusCode::OK, Place::Review, &Bar::of(frame.t("review.title")), &body).await
}

fn rows(frame: &Frame, visit: &Visit, submissions: &[Submission]) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { (frame.t("review.company")) }
                th scope="col" { (frame.t("kyc.country")) }
                th scope="col" { (frame.t("kyc.documents")) }
                th scope="col" { (frame.t("review.waiting")) }
                th scope="col" { span.vh { (frame.t("review.open")) } }
            } }
            tbody { @for row in submissions { tr {
                th scope="row" { bdi { (row.company_name) } small { bdi { (row.business.legal_name) } } }
                td data-label=(frame.t("kyc.country")) { span data-region=(row.business.country) { (countries::name(&row.business.country)) } }
                td.num data-label=(frame.t("kyc.documents")) { (frame.lang.number(u64::try_from(row.documents.len()).unwrap_or_default())) }
                td.num data-label=(frame.t("review.waiting")) { (waited(frame, row.waited(visit.now()))) }
                td.go { a.btn.sm href={ "/admin/kyc/" (row.id) } { (frame.t("review.open")) span.vh { " " (row.company_name) } } }
            } } }
        }
    }
}

async fn show(
    visit: &Visit,
    kyc: &Kyc,
    id: &str,
    status: StatusCode,
    said: Option<&Markup>,
    bad_reason: Option<&str>,
) -> HttpResponse {
    let read = async {
        let submission = kyc.get(read(id)?).await?;
        let mut history = kyc.history(submission.company).await?;
        history.retain(|other| other.id != submission.id);
        Ok::<_, Error>((submission, history))
    };
    let (submission, history) = match read.await {
        Ok(found) => found,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let body = html! {
        @if let Some(said) = said { (said) }
        div.cols {
            div.mainc {
                section.card.panel aria-labelledby="de" { h2 #de { (frame.t("review.details")) } (papers::details(&frame, &submission, false)) }
                (documents(&frame, &submission))
            }
            div.side {
                @if submission.state == State::Submitted { (decision(&frame, &submission, bad_reason)) }
                @if !history.is_empty() { (earlier(&frame, &history)) }
            }
        }
    };
    let bar = Bar {
        back: Some(("/admin/kyc", frame.t("review.back"))),
        beside: html! { (pill(&frame, submission.state)) (facts(&frame, visit, &submission)) },
        ..Bar::of(&submission.company_name)
    };
    visit.console(status, Place::Review, &bar, &body).await
}

fn pill(frame: &Frame, state: State) -> Markup {
    let (tone, icon, key) = match state {
        State::Submitted => ("info", "clock", "review.submitted"),
        State::Approved => ("success", "check", "review.approved"),
        State::Rejected => ("danger", "x", "review.rejected"),
    };
    html! { span class={ "pill tone-" (tone) } { (frame.icon(icon)) (frame.t(key)) } }
}

fn facts(frame: &Frame, visit: &Visit, submission: &Submission) -> Markup {
    html! {
        span.muted {
            (frame.t("review.sent")) " " (moment(frame, submission.submitted_at)) " · "
            @match (&submission.decided_by, submission.decided_at) {
                (Some(name), Some(at)) => (frame.lang.fill("review.decided", &[("name", name), ("date", &moment(frame, at))])),
                _ => { (frame.t("review.waiting")) " " (waited(frame, submission.waited(visit.now()))) }
            }
        }
    }
}

fn decision(frame: &Frame, submission: &Submission, bad_reason: Option<&str>) -> Markup {
    let ask = frame.lang.fill("review.approve_ask", &[("company", &submission.company_name)]);
    let reason = Field {
        name: "reason",
        kind: "textarea",
        label: frame.t("review.reason"),
        hint: Some(frame.t("review.reason_hint")),
        value: bad_reason,
        autocomplete: "off",
        most: 1000,
        wrong: bad_reason.map(|_| frame.t("review.bad_reason")),
        ..Field::default()
    };
    // Each asks before it acts, without a script: the button stands behind a heading that has to be opened.
    html! {
        section.card.panel aria-labelledby="ac" {
            h2 #ac { (frame.t("review.decide")) }
            details.ask name="decision" {
                summary.btn.primary.wide { (frame.icon("check")) (frame.t("review.approve")) }
                form.form method="post" action={ "/admin/kyc/" (submission.id) "/approve" } {
                    p.t2 { (ask) }
                    button.btn.primary.wide type="submit" { (frame.t("review.approve_yes")) }
                }
            }
            details.ask name="decision" open[bad_reason.is_some()] {
                summary.btn.wide { (frame.icon("x")) (frame.t("review.reject")) }
                form.form method="post" action={ "/admin/kyc/" (submission.id) "/reject" } {
                    (form::fields(frame, &[reason]))
                    button.btn.wide type="submit" { (frame.t("review.reject_send")) }
                }
            }
        }
    }
}

fn documents(frame: &Frame, submission: &Submission) -> Markup {
    html! {
        section.card.panel aria-labelledby="do" {
            h2 #do { (frame.t("kyc.documents")) }
            ul.files {
                @for document in &submission.documents {
                    li {
                        span { b { (frame.t(&format!("kyc.{}", document.kind.code()))) } small { bdi { (document.name) } " · " (size(frame, document.size)) } }
                        a.btn.sm href={ "/api/v1/admin/kyc/" (submission.id) "/documents/" (document.id) } download {
                            (frame.icon("download")) span { (frame.t("review.download")) span.vh { " " (document.name) } }
                        }
                    }
                }
            }
            p.hint { (frame.t("review.saved")) }
        }
    }
}

fn earlier(frame: &Frame, history: &[Submission]) -> Markup {
    html! {
        section.card.panel aria-labelledby="hi" {
            h2 #hi { (frame.t("review.history")) }
            ul.lines {
                @for old in history {
                    li {
                        (pill(frame, old.state)) " " a href={ "/admin/kyc/" (old.id) } { (moment(frame, old.submitted_at)) }
                        @if let Some(reason) = &old.reason { p.t2 { bdi { (reason) } } }
                    }
                }
            }
        }
    }
}
