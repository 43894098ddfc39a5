//! `/vendor/orders`: a company's own orders, and the one step that comes next for each.

mod order;
mod step;

use std::collections::HashMap;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig};
use jiff::Timestamp;
use maud::{Markup, html};

use super::console::{Bar, Place};
use super::{Answered, Visit, moment, notice};
use crate::accounts::Login;
use crate::base::page::{Cursor, Page};
use crate::base::{Error, Money, Result};
use crate::orders::commissions::{Commissions, Priced};
use crate::orders::workflow::{Gate, State, Step};
use crate::orders::{Filter, Order, OrderRef, Status, Timeline, Workflows};
use crate::web::auth::query_value;
use crate::web::methods::endpoint;
use crate::web::pages::{Frame, looks, words};

/// Rows of a page.
const ROWS: usize = 50;
/// How many orders are counted for the views; of more it is said that there are more.
const COUNTED: usize = 10_000;

/// The views of the list: their code in the address, the key of their name, the statuses they show.
const VIEWS: [(&str, &str, &[Status]); 6] = [
    ("", "vendor.all", &[]),
    (
        "open",
        "vendor.open",
        &[Status::Incomplete, Status::Pending, Status::Paid, Status::Confirmed, Status::Processing, Status::Packed],
    ),
    ("transit", "vendor.transit", &[Status::Shipped, Status::OutForDelivery]),
    ("attention", "vendor.attention", &[Status::DeliveryFailed]),
    ("delivered", "status.delivered", &[Status::Delivered]),
    ("cancelled", "status.cancelled", &[Status::Cancelled, Status::Returned]),
];

/// The routes of these pages.
pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .service(endpoint!(["/vendor/orders", "/vendor/orders/"] => get: get_orders))
        .service(endpoint!(["/vendor/orders/{id}", "/vendor/orders/{id}/"] => get: order::get_order))
        .service(endpoint!("/vendor/orders/{id}/step" => get: order::get_order, post: step::take_step))
        .service(endpoint!("/vendor/orders/{id}/code" => get: order::get_order, post: step::take_code))
        .service(endpoint!("/vendor/orders/{id}/link" => get: order::get_order, post: order::make_link));
}

/// What the address of the list asks for.
struct Asked {
    view: String,
    search: String,
    after: Option<Cursor>,
}

impl Asked {
    fn of(visit: &Visit) -> Self {
        let asked = |name| query_value(visit.request.query_string(), name).map(|value| value.expose().to_owned());
        Self {
            view: asked("view").unwrap_or_default(),
            search: asked("q").unwrap_or_default().trim().chars().take(200).collect(),
            after: asked("after").and_then(|text| Cursor::decode(&text).ok()),
        }
    }

    fn filter(&self) -> Filter {
        let statuses = VIEWS.iter().find(|(code, ..)| *code == self.view).map_or(&[][..], |(_, _, statuses)| statuses);
        let search = Some(self.search.clone()).filter(|text| !text.is_empty());
        Filter { statuses: statuses.to_vec(), search, ..Filter::default() }
    }

    /// The address of this page of the list.
    fn address(&self) -> String {
        list_at(&self.view, &self.search, self.after.as_ref())
    }
}

/// The address of a page of the list.
fn list_at(view: &str, search: &str, after: Option<&Cursor>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("view", view), ("q", search)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if let Some(after) = after {
        query.append_pair("after", &after.encode());
    }
    let query = query.finish();
    if query.is_empty() { "/vendor/orders".into() } else { format!("/vendor/orders?{query}") }
}

/// `GET /vendor/orders`
async fn get_orders(visit: Visit, timeline: Data<Timeline>) -> Answered {
    let (login, _) = visit.of_merchant()?;
    let asked = Asked::of(&visit);
    let read = async {
        let page = timeline.list(&login.person.actor(), asked.filter(), asked.after, ROWS).await?;
        let steps = next_steps(&visit, &page.data).await?;
        let counts = timeline.count(&login.person.actor(), COUNTED).await?;
        Result::Ok((page, steps, counts))
    };
    Ok(match read.await {
        Ok((page, steps, counts)) => list(&visit, login, &asked, (&page, &steps), &counts).await,
        Err(error) => visit.refuse(error),
    })
}

/// How many orders there are of each status, and whether these are all.
type Counts = (HashMap<Status, u64>, bool);

async fn list(
    visit: &Visit,
    login: &Login,
    asked: &Asked,
    (page, steps): (&Page<Order>, &[Vec<Step>]),
    counts: &Counts,
) -> HttpResponse {
    let frame = visit.frame();
    let said = done(visit, login).await;
    let is_unfiltered = asked.view.is_empty() && asked.search.is_empty();
    let body = html! {
        @if let Some(said) = said { (said) }
        section.card.list aria-labelledby="h" {
            (views(&frame, asked, counts))
            (search(&frame, asked))
            p #fresh.fresh-rows role="status" hidden { a href=(asked.address()) data-words=(frame.t("vendor.fresh")) {} }
            @if !page.data.is_empty() { (rows(&frame, page, steps, asked)) }
            @else if is_unfiltered && asked.after.is_none() { (none_yet(&frame)) }
            @else {
                div.empty.tone-neutral {
                    span.tile { (frame.icon("search")) }
                    h2 { (frame.t("vendor.no_match")) }
                    p.acts { a.btn href="/vendor/orders" { (frame.t("vendor.clear")) } }
                }
            }
            @if let Some(next) = &page.next {
                p.pager { a.btn.sm href=(list_at(&asked.view, &asked.search, Some(next))) { (frame.t("review.more")) } }
            }
        }
        (step::carriers())
        (templates(&frame))
    };
    let beside = html! { span #live.live hidden title=(frame.t("chip.live_title")) { i {} (frame.t("chip.live")) } };
    visit.console(StatusCode::OK, Place::Orders, &Bar { beside, ..Bar::of(frame.t("vendor.orders")) }, &body).await
}

/// What a script shows in a row once an order has moved: how it stands, and the way to what comes next.
fn templates(frame: &Frame) -> Markup {
    html! {
        @for status in Status::ALL { template id={ "t-" (status) } { (pill(frame, status)) (progress(status)) } }
        template #t-look { a.btn.sm { (frame.icon("right")) (frame.t("vendor.look")) } }
    }
}

fn none_yet(frame: &Frame) -> Markup {
    html! {
        div.empty.tone-info {
            span.tile { (frame.icon("box")) }
            h2 { (frame.t("vendor.empty")) }
            p { (frame.t("vendor.empty_text")) }
            p.acts { a.btn.primary href="/start" { (frame.t("vendor.empty_act")) } }
        }
    }
}

fn views(frame: &Frame, asked: &Asked, (by_status, is_whole): &Counts) -> Markup {
    let count = |statuses: &[Status]| -> u64 {
        if statuses.is_empty() {
            return by_status.values().sum();
        }
        statuses.iter().filter_map(|status| by_status.get(status)).sum()
    };
    html! {
        nav.tabs aria-label=(frame.t("vendor.views")) {
            @for (code, name, statuses) in VIEWS {
                a href=(list_at(code, &asked.search, None)) aria-current=[(code == asked.view).then_some("page")] {
                    (frame.t(name)) " "
                    span.n.num { (frame.lang.number(count(statuses))) @if !is_whole { "+" } }
                }
            }
        }
    }
}

fn search(frame: &Frame, asked: &Asked) -> Markup {
    html! {
        form.tools role="search" method="get" action="/vendor/orders" {
            @if !asked.view.is_empty() { input type="hidden" name="view" value=(asked.view); }
            label.find {
                (frame.icon("search"))
                span.vh { (frame.t("vendor.search")) }
                input type="search" name="q" value=(asked.search) placeholder=(frame.t("vendor.search")) maxlength="200" dir="auto";
            }
            button.btn type="submit" { (frame.t("vendor.search_go")) }
            @if !asked.search.is_empty() { a.btn.ghost href=(list_at(&asked.view, "", None)) { (frame.t("vendor.clear")) } }
        }
    }
}

fn rows(frame: &Frame, page: &Page<Order>, steps: &[Vec<Step>], asked: &Asked) -> Markup {
    let back = asked.address();
    html! {
        table.rows {
            thead { tr {
                th scope="col" { (frame.t("page.order")) }
                th scope="col" { (frame.t("vendor.status")) }
                th scope="col" { (frame.t("page.carrier")) }
                th.r scope="col" { (frame.t("page.total")) }
                th scope="col" { (frame.t("vendor.updated")) }
                th scope="col" { (frame.t("vendor.next")) }
            } }
            tbody { @for (order, next) in page.data.iter().zip(steps) { (row(frame, order, next, &back)) } }
        }
    }
}

fn row(frame: &Frame, order: &Order, next: &[Step], back: &str) -> Markup {
    html! {
        tr data-order=(order.id) {
            th.c-ord scope="row" {
                a.o href={ "/vendor/orders/" (order.id) } { bdi { (order.number) } }
                @if let Some(name) = &order.customer.name { small { bdi { (name) } } }
            }
            td.c-st { (pill(frame, order.status)) (progress(order.status)) }
            td.c-car {
                @match order.carrier.as_deref() {
                    Some(carrier) => { bdi { (carrier) } small.num { bdi { (order.tracking_number.as_deref().unwrap_or_default()) } } },
                    None => span.muted { (frame.t("vendor.no_carrier")) },
                }
            }
            td.c-tot.r.num { @if let Some(total) = &order.total { bdi { (frame.lang.amount(total)) } } }
            td.c-upd { (ago(frame, order.updated_at)) }
            td.c-act { @if let Some(step) = next.first() { (step::control(frame, order, step.to, back, false)) } }
        }
    }
}

/// Where the company's people may move each order next.
async fn next_steps(visit: &Visit, orders: &[Order]) -> Result<Vec<Vec<Step>>> {
    let workflows = visit.request.app_data::<Data<Workflows>>();
    workflows.ok_or_else(|| Error::internal("no workflows are set up"))?.steps(orders).await
}

/// What an order waits for.
struct Waits {
    /// In words.
    words: String,
    /// Whether the customer's code would end it.
    wants_code: bool,
}

/// What the order waits for, if it does.
async fn waiting(visit: &Visit, order: &Order) -> Result<Option<Waits>> {
    let workflows = visit.request.app_data::<Data<Workflows>>();
    let workflows = workflows.ok_or_else(|| Error::internal("no workflows are set up"))?;
    let Some(held) = workflows.waiting(order).await? else { return Ok(None) };
    let frame = visit.frame();
    let key = match held.gate {
        _ if held.state == State::Disputed => "vendor.disputed",
        Gate::Approval => "vendor.waits_approval",
        Gate::Confirmation => "vendor.waits_confirmation",
    };
    let words = frame.lang.fill(key, &[("label", &words::label(&frame.lang, held.to.code()))]);
    let wants_code = held.gate == Gate::Confirmation && held.state == State::Waiting;
    Ok(Some(Waits { words, wants_code }))
}

/// A status with its tone, symbol and name.
fn pill(frame: &Frame, status: Status) -> Markup {
    let look = looks::of(status.code());
    html! { span class={ "pill tone-" (look.tone) } { (frame.icon(look.icon)) (words::label(&frame.lang, status.code())) } }
}

/// The five steps as small bars, for the eye only.
fn progress(status: Status) -> Markup {
    let look = looks::of(status.code());
    html! {
        @if !look.bare {
            span class={ "seg tone-" (look.tone) } aria-hidden="true" { @for i in 1..=5 { i.f[look.step.is_some_and(|step| i <= step)] {} } }
        }
    }
}

/// A moment; a script says how long ago that is.
fn ago(frame: &Frame, at: Timestamp) -> Markup {
    let text = moment(frame, at);
    html! { time.num datetime=(at) title=(text) data-ago { (text) } }
}

/// What was done a moment ago, read back from the order itself; only how many saw it comes from the address.
async fn done(visit: &Visit, login: &Login) -> Option<Markup> {
    let query = visit.request.query_string();
    let target: OrderRef = query_value(query, "done")?.expose().parse().ok()?;
    let commissions = visit.request.app_data::<Data<Commissions>>()?;
    let Priced { order, credit, .. } = commissions.get(&login.person.actor(), &target).await.ok()?;
    let seen: u64 = query_value(query, "n").and_then(|n| n.expose().parse().ok()).unwrap_or_default();
    let frame = visit.frame();
    let label = words::label(&frame.lang, order.status.code());
    let text = frame.lang.fill("vendor.done", &[("number", &order.number), ("label", &label)]);
    let earned = credit.filter(|credit| credit.is_open() && order.status == Status::Delivered);
    let earned = earned.and_then(|credit| Money::new(credit.vendor_amount, &credit.currency));
    let earned = earned.map(|money| frame.lang.fill("vendor.credited", &[("amount", &frame.lang.amount(&money))]));
    let reach = if seen > 0 { frame.lang.count("vendor.sent", seen) } else { frame.t("vendor.nobody").to_owned() };
    // Who reads that the delivery has earned something need not read twice that it was one.
    let text = if earned.is_some() { order.number.clone() } else { text };
    let text = [Some(text), earned, Some(reach)].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    Some(notice(&frame, "success", "cast", &text))
}

/// The order an address names, if it is the company's own.
async fn own(visit: &Visit, timeline: &Timeline, login: &Login) -> Result<Order> {
    let text = crate::web::orders::target::segment(&visit.request, "id")?;
    let target: OrderRef = text.parse().map_err(|_| Error::NotFound("Order"))?;
    timeline.get_order(&login.person.actor(), &target).await
}
