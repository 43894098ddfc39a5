//! `/admin/payouts`: what merchants ask to be paid, deciding about it, and the file for the bank.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::console::{Bar, Place};
use super::wallet::{state, state_key};
use super::{Answered, Visit, go, moment, notice};
use crate::base::id::PayoutId;
use crate::base::page::{Cursor, Page};
use crate::base::{Error, Result};
use crate::wallet::Payouts;
use crate::wallet::payouts::{Decision, Payout, State};
use crate::web::auth::query_value;
use crate::web::orders::target::segment;
use crate::web::pages::Frame;
use crate::web::request_id;

/// Rows of a page.
const ROWS: usize = 50;

/// What the forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Word {
    reason: String,
}

/// `GET /admin/payouts`
pub(super) async fn get_payouts(visit: Visit, payouts: Data<Payouts>) -> Answered {
    visit.of_staff()?;
    let said = done(&visit, &payouts).await;
    Ok(show(&visit, &payouts, StatusCode::OK, said.as_ref()).await)
}

/// `POST /admin/payouts/{id}/approve`, `…/refuse`, `…/paid`
pub(super) async fn decide(
    visit: Visit,
    payouts: Data<Payouts>,
    form: Result<Form<Word>, actix_web::Error>,
) -> Answered {
    let actor = visit.of_staff()?.person.actor();
    let reason = form.map(Form::into_inner).unwrap_or_default().reason.trim().to_owned();
    let decision = match segment(&visit.request, "what").as_deref() {
        Ok("approve") => Decision::Approve,
        Ok("refuse") => Decision::Refuse(reason),
        Ok("paid") => Decision::Paid(None),
        _ => return Ok(visit.refuse(Error::NotFound("Page"))),
    };
    let known = segment(&visit.request, "id").ok().and_then(|id| id.parse::<PayoutId>().ok());
    let Some(id) = known else { return Ok(visit.refuse(Error::NotFound("Payout"))) };
    let (status, message) = match payouts.decide(actor, id, decision, request_id(&visit.request)).await {
        Ok(_) => return Ok(go(&format!("/admin/payouts?done={id}"))),
        Err(Error::Invalid(_)) => (StatusCode::BAD_REQUEST, visit.frame().t("review.bad_reason").to_owned()),
        Err(Error::Conflict(conflict)) => (StatusCode::CONFLICT, conflict.message),
        Err(error) => return Ok(visit.refuse(error)),
    };
    let said = notice(&visit.frame(), "danger", "alert", &message);
    Ok(show(&visit, &payouts, status, Some(&said)).await)
}

/// What was decided a moment ago, read back from the payout itself.
async fn done(visit: &Visit, payouts: &Payouts) -> Option<Markup> {
    let id = query_value(visit.request.query_string(), "done")?.expose().parse().ok()?;
    let payout = payouts.get(None, id).await.ok()?;
    let frame = visit.frame();
    let amount = frame.lang.amount(&payout.money);
    let gaps =
        [("company", payout.company_name.as_str()), ("amount", &amount), ("state", frame.t(state_key(payout.state)))];
    Some(notice(&frame, "success", "check", &frame.lang.fill("payout.done", &gaps)))
}

async fn show(visit: &Visit, payouts: &Payouts, status: StatusCode, said: Option<&Markup>) -> HttpResponse {
    let asked = |name| query_value(visit.request.query_string(), name).map(|value| value.expose().to_owned());
    let view: State = asked("state").and_then(|state| state.parse().ok()).unwrap_or(State::Requested);
    let after = asked("after").and_then(|text| Cursor::decode(&text).ok());
    let page = match payouts.list(None, Some(view), after, ROWS).await {
        Ok(page) => page,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let body = html! {
        @if let Some(said) = said { (said) }
        section.card.list aria-labelledby="h" {
            nav.tabs aria-label=(frame.t("vendor.status")) {
                @for known in State::ALL {
                    a href={ "/admin/payouts?state=" (known.code()) } aria-current=[(known == view).then_some("page")] { (frame.t(state_key(known))) }
                }
            }
            @if page.data.is_empty() {
                div.empty.tone-success { span.tile { (frame.icon("check")) } h2 { (frame.t("payout.none")) } p { (frame.t("payout.none_text")) } }
            } @else { (table(&frame, &page)) }
            @if let Some(next) = &page.next {
                p.pager { a.btn.sm href={ "/admin/payouts?state=" (view.code()) "&after=" (next.encode()) } { (frame.t("review.more")) } }
            }
        }
    };
    let acts =
        html! { a.btn href="/api/v1/admin/payouts.csv" download { (frame.icon("download")) (frame.t("payout.file")) } };
    let bar = Bar { acts, ..Bar::of(frame.t("payout.title")) };
    visit.console(status, Place::Payouts, &bar, &body).await
}

fn table(frame: &Frame, page: &Page<Payout>) -> Markup {
    html! {
        table.rows.payouts {
            thead { tr {
                th scope="col" { (frame.t("rate.company")) }
                th.r scope="col" { (frame.t("wallet.amount")) }
                th scope="col" { (frame.t("payout.by")) }
                th scope="col" { (frame.t("vendor.status")) }
                th scope="col" { (frame.t("vendor.next")) }
            } }
            tbody { @for payout in &page.data { tr {
                th scope="row" { bdi { (payout.company_name) } }
                td.r.num { bdi { (frame.lang.amount(&payout.money)) } }
                td { bdi { (payout.requested_by) } small.num { (moment(frame, payout.requested_at)) } }
                td { (state(frame, payout.state)) @if let Some(note) = &payout.note { small { bdi { (note) } } } }
                td { (steps(frame, payout)) }
            } } }
        }
    }
}

/// What can be done with a payout as it stands.
fn steps(frame: &Frame, payout: &Payout) -> Markup {
    let act = |what: &str| format!("/admin/payouts/{}/{what}", payout.id);
    let about = html! { span.vh { " " (payout.company_name) } };
    let button = |what: &str, icon: &str, words: &str| {
        html! {
            form method="post" action=(act(what)) { button.btn.sm type="submit" { (frame.icon(icon)) (words) (about) } }
        }
    };
    html! {
        div.acts {
            @if payout.state == State::Requested { (button("approve", "check", frame.t("payout.approve"))) }
            @if payout.state == State::Approved { (button("paid", "wallet", frame.t("payout.mark_paid"))) }
            @if matches!(payout.state, State::Requested | State::Approved) {
                @let id = format!("refuse-{}", payout.id);
                button.btn.sm type="button" popovertarget=(id) { (frame.icon("x")) (frame.t("payout.refuse")) (about) }
                (refusal(frame, payout, &id, &act("refuse")))
            }
        }
    }
}

fn refusal(frame: &Frame, payout: &Payout, id: &str, address: &str) -> Markup {
    let gaps = [("company", payout.company_name.as_str()), ("amount", &frame.lang.amount(&payout.money))];
    html! {
        div.pop id=(id) popover role="dialog" aria-labelledby={ (id) "-h" } {
            form.form method="post" action=(address) {
                h2 id={ (id) "-h" } { (frame.lang.fill("payout.refuse_ask", &gaps)) }
                div.field {
                    label for={ (id) "-reason" } { (frame.t("payout.reason")) }
                    input.input id={ (id) "-reason" } name="reason" required maxlength="500" autocomplete="off" dir="auto" autofocus;
                }
                div.acts {
                    button.btn type="button" popovertarget=(id) popovertargetaction="hide" { (frame.t("vendor.cancel")) }
                    button.btn.primary type="submit" { (frame.t("payout.refuse")) }
                }
            }
        }
    }
}
