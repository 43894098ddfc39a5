//! The tracking page `/track/{pass}`: complete as sent, kept up to date by `js/track.js` from then on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::handlers::Wish;
use super::shell::{Head, Sort, data_block, reply_private, shell};
use super::view::{ItemView, OrderView, TrackView};
use super::words::{Hero, Reader, Stage, Step, hero};
use super::{Frame, Pages, confirm, looks, posted, timeline};
use crate::base::Money;
use crate::orders::Confirmations;
use crate::orders::workflow::Held;

/// What the page shows.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The order.
    pub view: &'a TrackView,
    /// The credential in the page's address.
    pub pass: &'a str,
    /// Whether mail about the order is sent.
    pub wants_mail: bool,
    /// What the order asks its customer, and what answers it.
    pub held: Option<(&'a Held, &'a Confirmations)>,
}

/// Sends the page of one order.
pub fn reply(pages: &Pages, shown: &Shown<'_>, wish: &Wish) -> HttpResponse {
    let frame = pages.frame(wish, shown.view.order.locale.as_deref());
    reply_private(StatusCode::OK, page(&frame, &frame.reader(), shown))
}

fn page(frame: &Frame, reader: &Reader, shown: &Shown<'_>) -> Markup {
    let (lang, view, pass) = (reader.lang, shown.view, shown.pass);
    let order = &view.order;
    let hero = hero(view, reader);
    let names = [("label", hero.label.as_str()), ("number", &order.number), ("shop", &order.shop.name)];
    let head = Head {
        title: &lang.fill("page.title", &names),
        description: &lang.fill("page.description", &names),
        sort: Sort::Live,
        brand: &order.shop.name,
        chip: html! { span #chip.live hidden { i {} span {} } },
        banner: html! { div.wrap.float { p #banner.bn.tone-warning hidden { (frame.icon("refresh")) span {} button.btn.sm type="button" hidden { (lang.t("trouble.unavailable_act")) } } } },
        skip: lang.t("page.skip"),
    };
    let main = html! {
        main #main.wrap {
            // There from the start, or readers of the screen aloud miss its first sentence.
            div #announcer.vh role="status" {}
            (without_scripts(frame, reader, order))
            (hero_card(frame, order, &hero))
            (question(frame, shown))
            div.cols {
                div.mainc { (updates_card(frame, reader, view, &hero)) (items_card(frame, order)) }
                div.side { (delivery_card(frame, reader, order)) (posted::card(frame, order, pass, shown.wants_mail)) (help_card(frame, order)) }
            }
        }
    };
    let tail = html! {
        div #toasts.toasts {}
        template #t-toast { div.toast { (frame.icon("check")) b {} button.btn.ghost.sm.icon type="button" aria-label=(lang.t("page.close")) { (frame.icon("x")) } p hidden {} } }
        (timeline::templates(frame, reader))
        (data_block("boot", &boot(reader, view, pass)))
    };
    shell(frame, &head, &main, &tail)
}

/// Words that only other pages say.
const OTHER_PAGES: [&str; 16] = [
    "account.", "confirm.", "console.", "form.", "home.", "kyc.", "lookup.", "payout.", "rate.", "review.", "secret.",
    "setup.", "trouble.", "vendor.", "wallet.", "widget.",
];

/// What the script starts from: the same state, the words, and how each status looks.
fn boot(reader: &Reader, view: &TrackView, pass: &str) -> serde_json::Value {
    let mut lang = reader.lang.clone();
    lang.strings.retain(|key, _| !OTHER_PAGES.iter().any(|other| key.starts_with(other)));
    serde_json::json!({ "pass": pass, "view": view, "lang": lang, "looks": looks::table(), "now": reader.now })
}

fn without_scripts(frame: &Frame, reader: &Reader, order: &OrderView) -> Markup {
    let at = reader.local(order.updated_at.unwrap_or(reader.now));
    let time = format!("{} {}", reader.lang.date("date.short", at.date()), reader.lang.hhmm(at.time()));
    html! {
        noscript {
            p.bn.tone-neutral {
                (frame.icon("refresh"))
                span { (reader.lang.fill("page.nojs", &[("time", &time)])) " " (frame.t("page.nojs_utc")) }
                a.btn.sm href="" { (frame.t("page.reload")) }
            }
        }
    }
}

fn question(frame: &Frame, shown: &Shown<'_>) -> Markup {
    let Some((held, confirmations)) = shown.held else { return html! {} };
    let asked = confirm::Asked::of(frame, confirmations, held);
    confirm::card(frame, &asked, &shown.view.order.shop.name, shown.pass)
}

fn hero_card(frame: &Frame, order: &OrderView, hero: &Hero) -> Markup {
    html! {
        section #hero class={ "card hero tone-" (hero.look.tone) } aria-labelledby="h" {
            div.lead {
                p.over {
                    span #pill.pill.lg { (frame.icon(hero.look.icon)) span { (hero.label) } }
                    span { (frame.t("page.order")) " " b.num { bdi { (order.number) } } }
                }
                h1 #h { (hero.headline) }
                @let tile = hero.tile.as_ref();
                div #tile.cal aria-hidden="true" hidden[tile.is_none()] {
                    b { (tile.map_or("", |tile| &tile.month)) }
                    strong { (tile.map_or("", |tile| &tile.day)) }
                    span { (tile.map_or("", |tile| &tile.caption)) }
                }
                p #sub.sub { bdi { (hero.sub) } }
            }
            (progress(frame, hero.steps.as_ref()))
        }
    }
}

pub(super) fn progress(frame: &Frame, steps: Option<&[Step; 5]>) -> Markup {
    html! {
        ol #steps.steps aria-label=(frame.t("page.progress")) hidden[steps.is_none()] {
            @for i in 0..5 {
                @let step = steps.map(|steps| &steps[i]);
                @let stage = step.map_or(Stage::Ahead, |step| step.stage);
                @let (class, state) = match stage {
                    Stage::Done => ("done", frame.t("step.done")),
                    Stage::Now => ("now", ""),
                    Stage::Ahead => ("", frame.t("step.todo")),
                };
                li class=(class) aria-current=[(stage == Stage::Now).then_some("step")] {
                    i aria-hidden="true" {}
                    span.dot { (frame.icon(step.map_or(looks::STEPS[i].1, |step| step.icon))) }
                    b { span { (step.map_or("", |step| &step.label)) } span.vh { (state) } }
                    small { (step.map_or("", |step| &step.time)) }
                }
            }
        }
    }
}

fn updates_card(frame: &Frame, reader: &Reader, view: &TrackView, hero: &Hero) -> Markup {
    let rows = timeline::rows(&view.events, reader);
    let last = rows.first().and_then(|row| row.at.as_ref());
    html! {
        section.card aria-labelledby="u" {
            header {
                h2 #u { (frame.t("page.updates")) }
                span #updated.muted.end {
                    @if let Some(at) = last {
                        (reader.lang.fill("page.updated_at", &[("time", &reader.lang.hhmm(at.time()))]))
                    }
                }
            }
            (timeline::timeline(frame, reader, hero, &rows))
        }
    }
}

fn items_card(frame: &Frame, order: &OrderView) -> Markup {
    let lang = &frame.lang;
    let count: u64 = order.items.iter().map(|item| item.qty).sum();
    html! {
        @if !order.items.is_empty() || order.item_summary.is_some() {
            section.card aria-labelledby="it" {
                header { h2 #it { @if count > 0 { (lang.count("page.items", count)) } @else { (lang.t("page.items")) } } }
                div.body {
                    @if order.items.is_empty() {
                        p { bdi { (order.item_summary.as_deref().unwrap_or_default()) } }
                    } @else {
                        ul.items { @for item in &order.items {
                            li {
                                span.thumb { (frame.icon("box")) }
                                b { bdi { (item.name) } }
                                @if let Some(price) = item_total(item) { span.num { bdi { (lang.amount(&price)) } } }
                                small {
                                    (lang.fill("page.qty", &[("n", &lang.number(item.qty))]))
                                    @if item.qty > 1 && let Some(each) = &item.unit_price { " × " bdi.num { (lang.amount(each)) } }
                                }
                            }
                        } }
                    }
                    @if let Some(total) = &order.total {
                        p.total { span { (lang.t("page.total")) } span.num { bdi { (lang.amount(total)) } } }
                    }
                }
            }
        }
    }
}

/// What a line of the order costs; unknown when it is too much to count.
fn item_total(item: &ItemView) -> Option<Money> {
    let each = item.unit_price.as_ref()?;
    let amount = each.amount.checked_mul(i64::try_from(item.qty).ok()?)?;
    Some(Money { amount, currency: each.currency.clone() })
}

/// Every entry is there from the start, hidden while it is empty, so that the script has nothing to build.
fn delivery_card(frame: &Frame, reader: &Reader, order: &OrderView) -> Markup {
    let carrier = order.carrier.as_deref();
    let number = order.tracking_number.as_deref();
    let site = order.tracking_url.as_deref().filter(|url| is_web(url));
    let customer = order.customer.clone().unwrap_or_default();
    let to = [customer.name, customer.address].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let estimate = order.estimated_delivery.as_deref().and_then(|text| super::view::Estimate::parse(text, reader.zone));
    let estimate = estimate.map(|eta| reader.lang.date("date.full", eta.day));
    html! {
        section #delivery.card aria-labelledby="d" hidden[carrier.is_none() && number.is_none() && to.is_empty() && estimate.is_none()] {
            header { h2 #d { (frame.t("page.delivery")) } }
            div.body { dl.kv {
                div #kv-estimate hidden[estimate.is_none()] {
                    dt { (frame.t("page.estimate")) } dd { span { (estimate.as_deref().unwrap_or_default()) } }
                }
                div #kv-carrier hidden[carrier.is_none() && site.is_none()] {
                    dt { (frame.t("page.carrier")) }
                    dd {
                        bdi { (carrier.unwrap_or_default()) }
                        a #carrier-site.btn.sm hidden[site.is_none()] href=[site] target="_blank" rel="noopener noreferrer" {
                            (frame.t("page.carrier_site")) (frame.icon("ext")) span.vh { " (" (frame.t("page.new_tab")) ")" }
                        }
                    }
                }
                div #kv-number hidden[number.is_none()] {
                    dt { (frame.t("page.tracking_number")) }
                    dd {
                        bdi.mono { (number.unwrap_or_default()) }
                        button #copy.btn.sm.icon type="button" hidden aria-label=(frame.t("page.copy")) { (frame.icon("copy")) }
                    }
                }
                @if !to.is_empty() { div { dt { (frame.t("page.delivering_to")) } dd { bdi { (to) } } } }
            } }
        }
    }
}

/// Only addresses of the web become links: a `javascript:` one could come with an order.
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn help_card(frame: &Frame, order: &OrderView) -> Markup {
    let shop = &order.shop;
    let link = frame.pages.support_url.as_deref();
    html! {
        section.card.help aria-labelledby="hp" {
            div {
                h2 #hp { (frame.t("page.help")) }
                p.t2 { (frame.lang.fill("page.help_text", &[("shop", &shop.name)])) }
            }
            @if let Some(link) = link { a.btn href=(link) { (frame.icon("chat")) (frame.t("page.help_link")) } }
        }
    }
}
