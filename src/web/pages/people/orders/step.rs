//! The next step of an order: its button, what shipping asks for, and doing it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::{Answered, Visit, go, notice, own_path};
use super::{next_steps, order, own};
use crate::accounts::Login;
use crate::base::Error;
use crate::orders::workflow::Step;
use crate::orders::{Change, Confirmations, Order, OrderRef, Orders, Passes, Status, Timeline};
use crate::wallet::till::COMMISSION_NOT_CALCULATED;
use crate::web::pages::{Frame, looks, words};
use crate::web::request_id;

/// Carriers that are offered while one types.
const CARRIERS: [&str; 12] = [
    "Aramex",
    "Blue Dart",
    "Delhivery",
    "DHL Express",
    "DPD",
    "Evri",
    "FedEx",
    "GLS",
    "Pathao",
    "SteadFast",
    "UPS",
    "USPS",
];

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TakeStep {
    status: String,
    seq: String,
    carrier: String,
    tracking_number: String,
    back: String,
}

/// The button of a step, which asks who carries the parcel where that is to be known. `back` is where it leads to.
pub(super) fn control(frame: &Frame, order: &Order, to: Status, back: &str, is_primary: bool) -> Markup {
    let class = if is_primary { "btn primary" } else { "btn sm" };
    let words = words_of(frame, to);
    let about = html! { span.vh { " " (order.number) } };
    html! {
        @if to == Status::Shipped {
            @let id = format!("ship-{}", order.id);
            button class=(class) type="button" popovertarget=(id) { (frame.icon("truck")) (words) (about) }
            (ask_carrier(frame, order, &id, back))
        } @else {
            form method="post" action={ "/vendor/orders/" (order.id) "/step" } {
                (hidden(order, to, back))
                button class=(class) type="submit" { (frame.icon(looks::of(to.code()).icon)) (words) (about) }
            }
        }
    }
}

fn words_of(frame: &Frame, to: Status) -> String {
    let key = format!("vendor.mark_{to}");
    let label = words::label(&frame.lang, to.code());
    frame.lang.get(&key).map_or_else(|| frame.lang.fill("vendor.mark", &[("label", &label)]), str::to_owned)
}

fn hidden(order: &Order, to: Status, back: &str) -> Markup {
    html! {
        input type="hidden" name="status" value=(to);
        input type="hidden" name="seq" value=(order.seq);
        input type="hidden" name="back" value=(back);
    }
}

/// A small window over the page; it opens and closes without a script.
fn ask_carrier(frame: &Frame, order: &Order, id: &str, back: &str) -> Markup {
    let name = |field: &str| format!("{id}-{field}");
    let optional = html! { span.optional { " (" (frame.t("kyc.optional")) ")" } };
    html! {
        div.pop id=(id) popover role="dialog" aria-labelledby=(name("h")) {
            form.form method="post" action={ "/vendor/orders/" (order.id) "/step" } {
                h2 id=(name("h")) { (frame.lang.fill("vendor.ship", &[("number", &order.number)])) }
                (hidden(order, Status::Shipped, back))
                div.field {
                    label for=(name("carrier")) { (frame.t("page.carrier")) (optional) }
                    p.hint id=(name("hint")) { (frame.t("vendor.ship_hint")) }
                    input.input id=(name("carrier")) name="carrier" list="carriers" maxlength="100" autocomplete="off" dir="auto"
                        value=[order.carrier.as_deref()] aria-describedby=(name("hint")) autofocus;
                }
                div.field {
                    label for=(name("number")) { (frame.t("page.tracking_number")) (optional) }
                    input.input.mono id=(name("number")) name="tracking_number" maxlength="100" autocomplete="off" spellcheck="false" dir="ltr"
                        value=[order.tracking_number.as_deref()];
                }
                div.acts {
                    button.btn type="button" popovertarget=(id) popovertargetaction="hide" { (frame.t("vendor.cancel")) }
                    button.btn.primary type="submit" { (frame.icon("truck")) (frame.t("vendor.mark_shipped")) }
                }
            }
        }
    }
}

/// The carriers that the windows of a page offer.
pub(super) fn carriers() -> Markup {
    html! { datalist #carriers { @for carrier in CARRIERS { option value=(carrier) {} } } }
}

/// `POST /vendor/orders/{id}/step`: through the one door, and back to where the button was.
pub(super) async fn take_step(
    visit: Visit,
    orders: Data<Orders>,
    timeline: Data<Timeline>,
    passes: Data<Passes>,
    form: Result<Form<TakeStep>, actix_web::Error>,
) -> Answered {
    let (login, _) = visit.of_merchant()?;
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let order = match own(&visit, &timeline, login).await {
        Ok(order) => order,
        Err(error) => return Ok(visit.refuse(error)),
    };
    let to: Result<Status, _> = sent.status.parse();
    let Ok(to) = to else { return Ok(go(&format!("/vendor/orders/{}", order.id))) };
    let text = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
    let change = Change {
        status: Some(to),
        expected_seq: sent.seq.parse().ok(),
        carrier: text(&sent.carrier),
        tracking_number: text(&sent.tracking_number),
        ..Change::default()
    };
    let target = OrderRef::Id(order.id);
    Ok(match orders.advance(login.person.actor(), target, change, request_id(&visit.request)).await {
        // Nothing was moved: the page of the order says what it waits for.
        Ok(advanced) if advanced.held.is_some() => go(&format!("/vendor/orders/{}", order.id)),
        Ok(advanced) => {
            let back = own_path(&sent.back).filter(|path| path.starts_with("/vendor/orders"));
            let back = back.map_or_else(|| format!("/vendor/orders/{}", order.id), str::to_owned);
            let mark = if back.contains('?') { '&' } else { '?' };
            go(&format!("{back}{mark}done={}&n={}", order.id, advanced.reach.delivered))
        }
        Err(error) => refused(&visit, (&timeline, &passes), login, to, error).await,
    })
}

/// Asks for the code that the customer tells whoever brings the parcel.
pub(super) fn ask_code(frame: &Frame, order: &Order) -> Markup {
    html! {
        button.btn.primary type="button" popovertarget="code" { (frame.icon("check")) (frame.t("vendor.code_go")) }
        div.pop #code popover role="dialog" aria-labelledby="code-h" {
            form.form method="post" action={ "/vendor/orders/" (order.id) "/code" } {
                h2 #code-h { (frame.t("vendor.code_go")) }
                div.field {
                    label for="code-digits" { (frame.t("vendor.code")) }
                    p.hint #code-hint { (frame.t("vendor.code_hint")) }
                    input.input.num #code-digits name="code" inputmode="numeric" required maxlength="12" autocomplete="off" dir="ltr"
                        aria-describedby="code-hint" autofocus;
                }
                div.acts {
                    button.btn type="button" popovertarget="code" popovertargetaction="hide" { (frame.t("vendor.cancel")) }
                    button.btn.primary type="submit" { (frame.t("vendor.code_go")) }
                }
            }
        }
    }
}

/// What the form of the code sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TellCode {
    code: String,
}

/// `POST /vendor/orders/{id}/code`: the move that waits is made when the code is the customer's.
pub(super) async fn take_code(
    visit: Visit,
    timeline: Data<Timeline>,
    passes: Data<Passes>,
    confirmations: Data<Confirmations>,
    form: Result<Form<TellCode>, actix_web::Error>,
) -> Answered {
    let (login, _) = visit.of_merchant()?;
    let code = form.map(Form::into_inner).unwrap_or_default().code;
    let order = match own(&visit, &timeline, login).await {
        Ok(order) => order,
        Err(error) => return Ok(visit.refuse(error)),
    };
    let told = confirmations.confirm_by_code(login.person.actor(), order.id, &code, request_id(&visit.request)).await;
    let key = match told {
        Ok(advanced) => {
            return Ok(go(&format!("/vendor/orders/{0}?done={0}&n={1}", order.id, advanced.reach.delivered)));
        }
        Err(Error::Invalid(invalid)) if invalid.code == "wrong_code" => "vendor.code_wrong",
        Err(Error::Conflict(conflict)) if conflict.code == "code_spent" => "vendor.code_spent",
        Err(error) => return Ok(refused(&visit, (&timeline, &passes), login, order.status, error).await),
    };
    let said = notice(&visit.frame(), "danger", "alert", visit.frame().t(key));
    Ok(order::show(&visit, (&timeline, &passes), login, StatusCode::BAD_REQUEST, Some(&said), false).await)
}

/// The order as it stands, and why the step was not taken.
async fn refused(
    visit: &Visit,
    (timeline, passes): (&Timeline, &Passes),
    login: &Login,
    to: Status,
    error: Error,
) -> HttpResponse {
    let order = match own(visit, timeline, login).await {
        Ok(order) => order,
        Err(error) => return visit.refuse(error),
    };
    let next = match next_steps(visit, std::slice::from_ref(&order)).await {
        Ok(mut steps) => steps.pop().unwrap_or_default(),
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let (status, text) = match error {
        Error::Invalid(invalid) if invalid.code == "transition_refused" => {
            (StatusCode::BAD_REQUEST, wrong_step(&frame, &order, to, &next))
        }
        Error::Conflict(conflict) if conflict.code == "seq_mismatch" => {
            let label = words::label(&frame.lang, order.status.code());
            let gaps = [("number", order.number.as_str()), ("label", &label)];
            (StatusCode::CONFLICT, frame.lang.fill("vendor.moved", &gaps))
        }
        Error::Invalid(_) | Error::Conflict(_) | Error::Unprocessable(_) => {
            let message = match &error {
                Error::Invalid(invalid) if invalid.code == COMMISSION_NOT_CALCULATED => {
                    frame.t("vendor.no_commission").to_owned()
                }
                error => error.to_string(),
            };
            let gaps = [("number", order.number.as_str()), ("message", &message)];
            (StatusCode::BAD_REQUEST, frame.lang.fill("vendor.refused", &gaps))
        }
        error => return visit.refuse(error),
    };
    let said = notice(&frame, "danger", "alert", &text);
    order::show(visit, (timeline, passes), login, status, Some(&said), false).await
}

/// Why it cannot go there, and where it may.
fn wrong_step(frame: &Frame, order: &Order, to: Status, next: &[Step]) -> String {
    let label = |status: Status| words::label(&frame.lang, status.code());
    let next: Vec<String> = next.iter().map(|step| label(step.to)).collect();
    let (from, to, next) = (label(order.status), label(to), next.join(", "));
    let key = if next.is_empty() { "vendor.wrong_end" } else { "vendor.wrong_step" };
    frame.lang.fill(key, &[("from", &from), ("to", &to), ("next", &next)])
}
