//! `/vendor/wallet`: what a company has earned, where each amount came from, and asking for a payout.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::console::{Bar, Place};
use super::{Answered, Visit, go, moment, notice};
use crate::accounts::{Company, Login};
use crate::base::id::PayoutId;
use crate::base::page::{Cursor, Page};
use crate::base::{Error, Money, Result};
use crate::wallet::books::{Balance, Movement, Wanted};
use crate::wallet::payouts::{Payout, State};
use crate::wallet::{Payouts, Wallets};
use crate::web::auth::query_value;
use crate::web::pages::Frame;
use crate::web::request_id;

/// Rows of a page of the ledger, and payouts shown above it.
const ROWS: usize = 50;
const PAYOUTS: usize = 5;

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AskPayout {
    id: String,
    amount: String,
    currency: String,
}

/// What a company's wallet shows.
struct Shown {
    balances: Vec<Balance>,
    payouts: Vec<Payout>,
    ledger: Page<Movement>,
}

/// `GET /vendor/wallet`
pub(super) async fn get_wallet(visit: Visit, wallets: Data<Wallets>, payouts: Data<Payouts>) -> Answered {
    let (_, company) = visit.of_merchant()?;
    let frame = visit.frame();
    let said = query_value(visit.request.query_string(), "said")
        .map(|_| notice(&frame, "success", "check", frame.t("payout.asked")));
    Ok(show(&visit, (&wallets, &payouts), company, StatusCode::OK, said.as_ref()).await)
}

/// `POST /vendor/wallet/payout`: the form carries the payout's identifier, so that sending it twice asks once.
pub(super) async fn ask_payout(
    visit: Visit,
    wallets: Data<Wallets>,
    payouts: Data<Payouts>,
    form: Result<Form<AskPayout>, actix_web::Error>,
) -> Answered {
    let (login, company) = visit.of_merchant()?;
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let status = match request(&visit, &payouts, (login, company), &sent).await {
        Ok(_) => return Ok(go("/vendor/wallet?said=asked")),
        Err(Error::Invalid(_)) => StatusCode::BAD_REQUEST,
        Err(Error::Conflict(_)) => StatusCode::CONFLICT,
        Err(error) => return Ok(visit.refuse(error)),
    };
    let frame = visit.frame();
    let available = match wallets.balances(company.id).await {
        Ok(balances) => balances.into_iter().find(|balance| balance.currency == sent.currency),
        Err(error) => return Ok(visit.refuse(error)),
    };
    let most = amount(&frame, available.map_or(0, |balance| balance.available.max(0)), &sent.currency);
    let said = notice(&frame, "danger", "alert", &frame.lang.fill("payout.bad_amount", &[("amount", &most)]));
    Ok(show(&visit, (&wallets, &payouts), company, status, Some(&said)).await)
}

async fn request(
    visit: &Visit,
    payouts: &Payouts,
    (login, company): (&Login, &Company),
    sent: &AskPayout,
) -> Result<Payout> {
    let refuse = || Error::invalid_field("amount", "bad_money", "amount is none");
    let money = Money::from_decimal(&sent.amount, &sent.currency).ok_or_else(refuse)?;
    let id: PayoutId = sent.id.parse().map_err(|_| refuse())?;
    payouts.request(login.person.actor(), company.id, money, id, request_id(&visit.request)).await
}

async fn show(
    visit: &Visit,
    (wallets, payouts): (&Wallets, &Payouts),
    company: &Company,
    status: StatusCode,
    said: Option<&Markup>,
) -> HttpResponse {
    let after = query_value(visit.request.query_string(), "after").and_then(|text| Cursor::decode(text.expose()).ok());
    let read = async {
        Result::Ok(Shown {
            balances: wallets.balances(company.id).await?,
            payouts: payouts.list(Some(company.id), None, None, PAYOUTS).await?.data,
            ledger: wallets.list(company.id, Wanted::default(), after, ROWS).await?,
        })
    };
    let shown = match read.await {
        Ok(shown) => shown,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let body = html! {
        @if let Some(said) = said { (said) }
        @for balance in &shown.balances { (balance_card(&frame, balance)) }
        @if shown.balances.is_empty() {
            section.card.empty.tone-info aria-labelledby="e" {
                span.tile { (frame.icon("wallet")) }
                h2 #e { (frame.t("wallet.empty")) }
                p { (frame.t("wallet.empty_text")) }
            }
        }
        @if !shown.payouts.is_empty() { (payout_list(&frame, &shown.payouts)) }
        @if !shown.ledger.data.is_empty() { (ledger(&frame, &shown.ledger)) }
    };
    let acts =
        html! { a.btn href="/api/v1/wallet/ledger.csv" download { (frame.icon("download")) (frame.t("wallet.csv")) } };
    let bar = Bar { acts, ..Bar::of(frame.t("wallet.title")) };
    visit.console(status, Place::Wallet, &bar, &body).await
}

/// An amount of minor units in words.
pub(super) fn amount(frame: &Frame, minor: i64, currency: &str) -> String {
    frame.lang.amount(&Money { amount: minor, currency: currency.to_owned() })
}

fn balance_card(frame: &Frame, balance: &Balance) -> Markup {
    let currency = balance.currency.as_str();
    let all = balance.available + balance.held + balance.payout;
    let id = format!("payout-{currency}");
    html! {
        section.card.purse aria-label={ (frame.t("wallet.title")) " " (currency) } {
            dl.kpis {
                div.main { dt { (frame.t("wallet.available")) } dd.num { bdi { (amount(frame, balance.available, currency)) } } }
                div { dt { (frame.t("wallet.held")) } dd.num { bdi { (amount(frame, balance.held, currency)) } } }
                div { dt { (frame.t("wallet.asked")) } dd.num { bdi { (amount(frame, balance.payout, currency)) } } }
                div { dt { (frame.t("wallet.balance")) } dd.num { bdi { (amount(frame, all, currency)) } } }
            }
            div.nx {
                span.t2 { (frame.t("wallet.held")) ": " (frame.t("wallet.held_text")) }
                button.btn.primary type="button" popovertarget=(id) disabled[balance.available <= 0] { (frame.icon("wallet")) (frame.t("payout.ask")) }
            }
            @if balance.available > 0 { (ask_window(frame, balance, &id)) }
        }
    }
}

fn ask_window(frame: &Frame, balance: &Balance, id: &str) -> Markup {
    let currency = balance.currency.as_str();
    let most = Money { amount: balance.available, currency: currency.to_owned() };
    html! {
        div.pop id=(id) popover role="dialog" aria-labelledby={ (id) "-h" } {
            form.form method="post" action="/vendor/wallet/payout" {
                h2 id={ (id) "-h" } { (frame.t("payout.ask")) }
                input type="hidden" name="id" value=(PayoutId::new());
                input type="hidden" name="currency" value=(currency);
                div.field {
                    label for={ (id) "-amount" } { (frame.t("wallet.amount")) " (" (currency) ")" }
                    p.hint id={ (id) "-hint" } { (frame.lang.fill("payout.ask_text", &[("amount", &frame.lang.amount(&most))])) }
                    input.input.num id={ (id) "-amount" } name="amount" inputmode="decimal" required maxlength="20" autocomplete="off" dir="ltr"
                        pattern="[0-9]+([.][0-9]+)?" value=(most.to_decimal()) aria-describedby={ (id) "-hint" } autofocus;
                }
                div.acts {
                    button.btn type="button" popovertarget=(id) popovertargetaction="hide" { (frame.t("vendor.cancel")) }
                    button.btn.primary type="submit" { (frame.t("payout.ask")) }
                }
            }
        }
    }
}

/// Where a payout stands.
pub(super) fn state(frame: &Frame, state: State) -> Markup {
    let (tone, icon) = match state {
        State::Requested => ("info", "clock"),
        State::Approved => ("violet", "check"),
        State::Refused => ("danger", "x"),
        State::Paid => ("success", "check"),
    };
    html! { span class={ "pill tone-" (tone) } { (frame.icon(icon)) (frame.t(state_key(state))) } }
}

/// The key of a state's name.
pub(super) fn state_key(state: State) -> &'static str {
    match state {
        State::Requested => "payout.requested",
        State::Approved => "payout.approved",
        State::Refused => "payout.refused",
        State::Paid => "payout.paid",
    }
}

fn payout_list(frame: &Frame, payouts: &[Payout]) -> Markup {
    html! {
        section.card aria-labelledby="pa" {
            header { h2 #pa { (frame.t("payout.title")) } }
            table.rows {
                thead { tr {
                    th scope="col" { (frame.t("wallet.date")) }
                    th scope="col" { (frame.t("vendor.status")) }
                    th.r scope="col" { (frame.t("wallet.amount")) }
                } }
                tbody { @for payout in payouts { tr {
                    td.num { (moment(frame, payout.requested_at)) @if let Some(note) = &payout.note { small { bdi { (note) } } } }
                    td { (state(frame, payout.state)) }
                    td.r.num { bdi { (frame.lang.amount(&payout.money)) } }
                } } }
            }
        }
    }
}

fn ledger(frame: &Frame, page: &Page<Movement>) -> Markup {
    html! {
        section.card aria-labelledby="le" {
            header { h2 #le { (frame.t("wallet.ledger")) } }
            table.rows {
                thead { tr {
                    th scope="col" { (frame.t("wallet.what")) }
                    th scope="col" { (frame.t("wallet.date")) }
                    th.r scope="col" { (frame.t("wallet.commission")) }
                    th.r scope="col" { (frame.t("wallet.amount")) }
                } }
                tbody { @for movement in &page.data { (movement_row(frame, movement)) } }
            }
            @if let Some(next) = &page.next { p.pager { a.btn.sm href={ "/vendor/wallet?after=" (next.encode()) } { (frame.t("review.more")) } } }
        }
    }
}

fn movement_row(frame: &Frame, movement: &Movement) -> Markup {
    let (change, commission) = (movement.change(), movement.commission());
    html! {
        tr {
            th scope="row" {
                (frame.t(&format!("wallet.kind_{}", movement.kind.code())))
                @if let Some((order, number, _)) = &movement.order { small { a href={ "/vendor/orders/" (order) } { bdi { (number) } } } }
                @if let Some(reason) = &movement.reason { small { bdi { (reason) } } }
            }
            td.num data-label=(frame.t("wallet.date")) { (moment(frame, movement.at)) }
            td.r.num data-label=(frame.t("wallet.commission")) { @if commission != 0 { bdi { (amount(frame, commission, &movement.currency)) } } @else { "–" } }
            td.r.num data-label=(frame.t("wallet.amount")) {
                @if change != 0 { b { bdi { @if change > 0 { "+" } (amount(frame, change, &movement.currency)) } } }
                @else { span.muted { bdi { (amount(frame, movement.moved(), &movement.currency)) } } }
            }
        }
    }
}
