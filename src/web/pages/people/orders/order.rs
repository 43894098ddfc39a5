//! `/vendor/orders/{id}`: one order of the company: how far it is, what comes next, its history, who gets what.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use maud::{Markup, html};

use super::super::console::{Bar, Place};
use super::super::start::copyable;
use super::super::{Answered, Visit};
use super::{Waits, done, next_steps, own, pill, step, waiting};
use crate::accounts::Login;
use crate::base::{Error, Result};
use crate::orders::workflow::Step;
use crate::orders::{Order, Passes, Timeline};
use crate::web::pages::view::TrackView;
use crate::web::pages::words::{self, Hero};
use crate::web::pages::{Frame, timeline as history, track};
use crate::web::track::shown;

/// `GET /vendor/orders/{id}`
pub(super) async fn get_order(visit: Visit, timeline: Data<Timeline>, passes: Data<Passes>) -> Answered {
    let (login, _) = visit.of_merchant()?;
    let said = done(&visit, login).await;
    Ok(show(&visit, (&timeline, &passes), login, StatusCode::OK, said.as_ref(), false).await)
}

/// `POST /vendor/orders/{id}/link`: makes a tracking link and shows it.
pub(super) async fn make_link(visit: Visit, timeline: Data<Timeline>, passes: Data<Passes>) -> Answered {
    let (login, _) = visit.of_merchant()?;
    Ok(show(&visit, (&timeline, &passes), login, StatusCode::OK, None, true).await)
}

/// The page of the order the address names; with a new tracking link if one is wished for.
pub(super) async fn show(
    visit: &Visit,
    (timeline, passes): (&Timeline, &Passes),
    login: &Login,
    status: StatusCode,
    said: Option<&Markup>,
    wants_link: bool,
) -> HttpResponse {
    let read = async {
        let order = own(visit, timeline, login).await?;
        let view: TrackView = serde_json::from_str(&shown(timeline, order.id).await?).map_err(Error::internal)?;
        let pass = if wants_link { Some(passes.create(order.id, None).await?.1) } else { None };
        let next = next_steps(visit, std::slice::from_ref(&order)).await?.pop().unwrap_or_default();
        let waits = waiting(visit, &order).await?;
        Result::Ok((order, view, pass, next, waits))
    };
    let (order, view, pass, next, waits) = match read.await {
        Ok(found) => found,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let hero = words::hero(&view, &frame.reader());
    let link = pass.map(|pass| format!("{}/track/{pass}", visit.home()));
    let body = html! {
        @if let Some(said) = said { (said) }
        div.cols {
            div.mainc { (progress(&frame, &order, &hero, &next, waits.as_ref())) (updates(&frame, &view, &hero)) }
            div.side {
                (customer(&frame, &order)) (delivery(&frame, &order)) (items(&frame, &order))
                (link_card(&frame, &order, link.as_deref()))
            }
        }
        (step::carriers())
    };
    let bar = Bar {
        back: Some(("/vendor/orders", frame.t("vendor.back"))),
        beside: pill(&frame, order.status),
        ..Bar::of(&order.number)
    };
    visit.console(status, Place::Orders, &bar, &body).await
}

/// How far it is, and the buttons of what comes next.
fn progress(frame: &Frame, order: &Order, hero: &Hero, next: &[Step], waits: Option<&Waits>) -> Markup {
    let here = format!("/vendor/orders/{}", order.id);
    html! {
        section class={ "card tone-" (hero.look.tone) } aria-label=(frame.t("page.progress")) {
            (track::progress(frame, hero.steps.as_ref()))
            @if let Some(waits) = waits {
                div.nx {
                    b { (frame.t("vendor.next")) }
                    span.t2 { (waits.words) }
                    @if waits.wants_code { (step::ask_code(frame, order)) }
                }
            } @else {
                div.nx {
                    b { (frame.t("vendor.next")) }
                    @if next.is_empty() { span.t2 { (frame.t("vendor.nothing_next")) } }
                    @for (i, step) in next.iter().enumerate() { (step::control(frame, order, step.to, &here, i == 0)) }
                }
            }
        }
    }
}

fn updates(frame: &Frame, view: &TrackView, hero: &Hero) -> Markup {
    let reader = frame.reader();
    let rows = history::rows(&view.events, &reader);
    html! {
        section.card aria-labelledby="u" {
            header { h2 #u { (frame.t("page.updates")) } span.muted.end { (frame.t("page.nojs_utc")) } }
            (history::timeline(frame, &reader, hero, &rows))
        }
    }
}

/// Names and values side by side; what is not known is left out.
fn facts(frame: &Frame, rows: &[(&str, Option<&str>)]) -> Markup {
    html! {
        dl.dl { @for (key, value) in rows { @if let Some(value) = value {
            dt { (frame.t(key)) } dd { bdi { (value) } }
        } } }
    }
}

fn customer(frame: &Frame, order: &Order) -> Markup {
    let customer = &order.customer;
    let rows = [
        ("vendor.name", customer.name.as_deref()),
        ("page.email", customer.email.as_deref()),
        ("kyc.phone", customer.phone.as_deref()),
        ("vendor.address", order.address.as_deref()),
    ];
    html! {
        @if rows.iter().any(|(_, value)| value.is_some()) {
            section.card.panel aria-labelledby="cu" { h2 #cu { (frame.t("vendor.customer")) } (facts(frame, &rows)) }
        }
    }
}

fn delivery(frame: &Frame, order: &Order) -> Markup {
    let rows = [("page.carrier", order.carrier.as_deref()), ("page.tracking_number", order.tracking_number.as_deref())];
    let site = order.tracking_url.as_deref().filter(|url| track::is_web(url));
    html! {
        @if rows.iter().any(|(_, value)| value.is_some()) {
            section.card.panel aria-labelledby="de" {
                h2 #de { (frame.t("page.delivery")) }
                (facts(frame, &rows))
                @if let Some(site) = site {
                    p { a.btn.sm href=(site) target="_blank" rel="noopener noreferrer" {
                        (frame.t("page.carrier_site")) (frame.icon("ext")) span.vh { " (" (frame.t("page.new_tab")) ")" }
                    } }
                }
            }
        }
    }
}

fn items(frame: &Frame, order: &Order) -> Markup {
    html! {
        @if !order.items.is_empty() || order.item_summary.is_some() {
            section.card.panel aria-labelledby="it" {
                h2 #it { (frame.t("page.items")) }
                @if order.items.is_empty() {
                    p.t2 { bdi { (order.item_summary.as_deref().unwrap_or_default()) } }
                } @else {
                    ul.items { @for item in &order.items { li {
                        span.thumb { (frame.icon("box")) }
                        b { bdi { (item.name) } }
                        @if let Some(price) = &item.unit_price { span.num { bdi { (frame.lang.amount(price)) } } }
                        small { (frame.lang.fill("page.qty", &[("n", &frame.lang.number(u64::from(item.qty)))])) }
                    } } }
                }
                @if let Some(total) = &order.total {
                    p.total { span { (frame.t("page.total")) } span.num { bdi { (frame.lang.amount(total)) } } }
                }
            }
        }
    }
}

fn link_card(frame: &Frame, order: &Order, link: Option<&str>) -> Markup {
    html! {
        section.card.panel aria-labelledby="li" {
            h2 #li { (frame.t("vendor.link")) }
            p.t2 { (frame.t("vendor.link_text")) }
            @match link {
                Some(link) => (copyable(frame, "link", frame.t("vendor.link"), link)),
                None => form method="post" action={ "/vendor/orders/" (order.id) "/link" } {
                    button.btn type="submit" { (frame.icon("link")) (frame.t("vendor.link_make")) }
                },
            }
        }
    }
}
