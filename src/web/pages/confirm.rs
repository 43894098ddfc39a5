//! The question to a customer whether what the shop says is so: a card on the tracking page, and the page `/track/{pass}/confirm`
//! that letters lead to. Opening it decides nothing: programs that look at mail open links too.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Field};
use super::handlers::Wish;
use super::shell::{Head, Sort, reply_private, shell};
use super::{Frame, Pages, trouble};
use crate::base::Error;
use crate::orders::workflow::{Held, State};
use crate::orders::{Confirmations, Passes, Timeline};
use crate::web::{request_id, track as track_api};

/// Longest objection, in characters.
const LONGEST: usize = 1000;

/// What an order asks its customer, as the pages show it.
pub(super) enum Asked {
    /// Whether it has come to this status; the code is for whoever brings it.
    Open { status: &'static str, until: String, code: String },
    /// The customer's objection is looked at.
    Disputed,
}

impl Asked {
    /// Reads it off what waits.
    pub(super) fn of(frame: &Frame, confirmations: &Confirmations, held: &Held) -> Self {
        if held.state == State::Disputed {
            return Self::Disputed;
        }
        let reader = frame.reader();
        let until = reader.lang.date("date.full", reader.local(held.due_at).date());
        let code = confirmations.code(held.id).expose().to_owned();
        Self::Open { status: held.to.code(), until, code }
    }
}

/// The card on the tracking page.
pub(super) fn card(frame: &Frame, asked: &Asked, shop: &str, pass: &str) -> Markup {
    html! {
        section #confirm.card.help aria-labelledby="cf" {
            @match asked {
                Asked::Disputed => div {
                    h2 #cf { (frame.t("confirm.disputed")) }
                    p.t2 { (frame.t("confirm.disputed_text")) }
                },
                Asked::Open { code, .. } => {
                    div {
                        h2 #cf { (frame.t("confirm.title")) }
                        (question(frame, asked, shop))
                        p.t2 { (frame.t("confirm.code")) " " b.num { bdi { (code) } } }
                    }
                    (yes(frame, pass))
                    a.btn href={ "/track/" (pass) "/confirm#reason" } { (frame.t("confirm.no")) }
                },
            }
        }
    }
}

fn question(frame: &Frame, asked: &Asked, shop: &str) -> Markup {
    let Asked::Open { status, until, .. } = asked else { return html! {} };
    let status = frame.t(&format!("status.{status}")).to_owned();
    html! {
        p.t2 { (frame.lang.fill("confirm.text", &[("shop", shop), ("status", &status)])) }
        p.t2 { (frame.lang.fill("confirm.until", &[("date", until)])) }
    }
}

fn yes(frame: &Frame, pass: &str) -> Markup {
    html! {
        form method="post" action={ "/track/" (pass) "/confirm" } {
            input type="hidden" name="answer" value="yes";
            button.btn.primary type="submit" { (frame.icon("check")) (frame.t("confirm.yes")) }
        }
    }
}

fn page(frame: &Frame, asked: &Asked, shop: &str, pass: &str, is_missing: bool) -> Markup {
    let reason = Field {
        name: "reason",
        kind: "textarea",
        label: frame.t("confirm.reason"),
        autocomplete: "off",
        most: LONGEST,
        wrong: is_missing.then(|| frame.t("confirm.reason_missing")),
        ..Field::default()
    };
    let back = html! { p { a.back href={ "/track/" (pass) } { (frame.icon("left")) (frame.t("confirm.back")) } } };
    let main = html! {
        main #main.wrap.narrow {
            @match asked {
                Asked::Disputed => section.card.msg.tone-warning aria-labelledby="h" {
                    span.tile { (frame.icon("chat")) }
                    h1 #h { (frame.t("confirm.disputed")) }
                    p role="status" { (frame.t("confirm.disputed_text")) }
                    p.acts { a.btn href={ "/track/" (pass) } { (frame.t("confirm.back")) } }
                },
                Asked::Open { .. } => {
                    section.card.panel aria-labelledby="h" {
                        h1 #h { (frame.t("confirm.title")) }
                        (question(frame, asked, shop))
                        (yes(frame, pass))
                    }
                    section.card.panel aria-labelledby="w" {
                        h2 #w { (frame.t("confirm.no")) }
                        p.t2 { (frame.t("confirm.no_text")) }
                        form.form method="post" action={ "/track/" (pass) "/confirm" } novalidate {
                            input type="hidden" name="answer" value="no";
                            (form::fields(frame, &[reason]))
                            button.btn type="submit" { (frame.t("confirm.send")) }
                        }
                        (back)
                    }
                },
            }
        }
    };
    let head = Head {
        title: frame.t("confirm.title"),
        description: frame.t("confirm.title"),
        sort: Sort::Still,
        brand: shop,
        chip: html! {},
        banner: html! {},
        skip: frame.t("page.skip_main"),
    };
    shell(frame, &head, &main, &html! {})
}

/// What the forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    answer: String,
    reason: String,
}

/// `GET /track/{pass}/confirm`: the question, or back to the order when nothing is asked.
pub(super) async fn get_question(
    pages: Data<Pages>,
    parts: (Data<Passes>, Data<Timeline>, Data<Confirmations>),
    req: HttpRequest,
    pass: Path<String>,
) -> HttpResponse {
    show(&pages, &parts, &req, &pass, false).await
}

async fn show(
    pages: &Pages,
    (passes, timeline, confirmations): &(Data<Passes>, Data<Timeline>, Data<Confirmations>),
    req: &HttpRequest,
    pass: &str,
    is_missing: bool,
) -> HttpResponse {
    let read = async {
        let order = track_api::admitted(passes, pass).await?.order;
        let Some(held) = confirmations.open(order).await? else { return Ok(None) };
        let snapshot = timeline.snapshot(order).await?;
        let view: super::view::OrderView = serde_json::from_str(&snapshot.body).map_err(Error::internal)?;
        Ok(Some((held, view)))
    };
    match read.await {
        Ok(Some((held, order))) => {
            let frame = pages.frame(&Wish::of(req), order.locale.as_deref());
            let asked = Asked::of(&frame, confirmations, &held);
            let status = if is_missing { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            reply_private(status, page(&frame, &asked, &order.shop.name, pass, is_missing))
        }
        Ok(None) => go_to(pass, ""),
        Err(error) => trouble::refuse(pages, req, error),
    }
}

/// `POST /track/{pass}/confirm`: `answer=yes`, or what is wrong in `reason`. What is decided already is shown as it is.
pub(super) async fn answer_question(
    pages: Data<Pages>,
    parts: (Data<Passes>, Data<Timeline>, Data<Confirmations>),
    req: HttpRequest,
    pass: Path<String>,
    form: Result<Form<Said>, actix_web::Error>,
) -> HttpResponse {
    let said = form.map(Form::into_inner).unwrap_or_default();
    let is_yes = said.answer == "yes";
    let reason: String = said.reason.chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST).collect();
    let is_missing = !is_yes && reason.trim().is_empty();
    if is_missing {
        return show(&pages, &parts, &req, &pass, true).await;
    }
    let answered = async {
        let (passes, _, confirmations) = &parts;
        let order = track_api::admitted(passes, &pass).await?.order;
        if is_yes {
            return confirmations.confirm(order, request_id(&req)).await.map(drop);
        }
        confirmations.dispute(order, reason, request_id(&req)).await.map(drop)
    };
    match answered.await {
        Ok(()) if is_yes => go_to(&pass, ""),
        Ok(()) => go_to(&pass, "/confirm"),
        Err(Error::Conflict(_)) => go_to(&pass, "/confirm"),
        Err(error) => trouble::refuse(&pages, &req, error),
    }
}

/// Sends a browser on. Whatever stood in the path stays one part of a path of ours.
fn go_to(pass: &str, rest: &str) -> HttpResponse {
    let pass = percent_encoding::utf8_percent_encode(pass, super::SEGMENT);
    HttpResponse::build(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, format!("/track/{pass}{rest}")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
