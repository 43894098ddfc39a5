//! The history of an order as rows for its customer, newest first and grouped by day, and their markup.

use jiff::Zoned;
use maud::{Markup, html};

use super::Frame;
use super::view::{Estimate, EventView};
use super::words::{self, Reader, is_move, label, readable};

/// How many rows stand open; the rest is behind a button that works without scripts.
pub const OPEN: usize = 4;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Position of its event.
    pub seq: i64,
    /// When it happened, on the reader's clock.
    pub at: Option<Zoned>,
    /// What happened.
    pub title: String,
    /// More about it.
    pub text: Option<String>,
}

/// The rows of these events, newest first.
#[must_use]
pub fn rows(events: &[EventView], reader: &Reader) -> Vec<Row> {
    // An event may repeat what was known before: only what differs is news.
    let mut known = EventView::default();
    let mut rows: Vec<Row> = events.iter().map(|event| row(event, &mut known, reader)).collect();
    rows.reverse();
    rows
}

fn row(event: &EventView, known: &mut EventView, reader: &Reader) -> Row {
    let lang = reader.lang;
    let estimate = news(event.estimated_delivery.as_ref(), &mut known.estimated_delivery);
    let number = news(event.tracking_number.as_ref(), &mut known.tracking_number);
    let carrier = news(event.carrier.as_ref(), &mut known.carrier);
    let status = event.status.as_deref().unwrap_or_default();
    let (title, text) = if is_move(event) {
        let title = match status {
            "" | "pending" => lang.t("event.order_created").to_owned(),
            status => label(lang, status),
        };
        (title, (status == "shipped").then(|| handed_over(event, reader)).flatten())
    } else if event.kind == "checkpoint" {
        let what = event.shipment_status.as_deref().unwrap_or("unknown");
        (lang.get(&format!("shipment.{what}")).unwrap_or(lang.t("event.checkpoint")).to_owned(), None)
    } else if event.kind != "details_changed" {
        (readable(&event.kind), None)
    } else if let Some(eta) = estimate.and_then(|text| Estimate::parse(text, reader.zone)) {
        let date = lang.date("date.full", eta.day);
        (lang.t("event.estimate").to_owned(), Some(lang.fill("event.estimate_text", &[("date", &date)])))
    } else if let Some(number) = number {
        let text = match &known.carrier {
            Some(carrier) => lang.fill("event.tracking_text", &[("carrier", carrier), ("number", number)]),
            None => lang.fill("event.tracking_number_text", &[("number", number)]),
        };
        (lang.t("event.tracking").to_owned(), Some(text))
    } else {
        let text = carrier.map(|carrier| lang.fill("event.carrier_text", &[("carrier", carrier)]));
        (lang.t("event.details_changed").to_owned(), text)
    };
    let at = event.occurred_at.map(|at| reader.local(at));
    Row { seq: event.seq, at, title, text: event.note.clone().or(text) }
}

/// The value when it differs from what was known, which it then becomes.
fn news<'a>(value: Option<&'a String>, known: &mut Option<String>) -> Option<&'a String> {
    let new = value.filter(|value| known.as_ref() != Some(*value))?;
    *known = Some(new.clone());
    Some(new)
}

fn handed_over(event: &EventView, reader: &Reader) -> Option<String> {
    let carrier = event.carrier.as_deref()?;
    Some(match event.tracking_number.as_deref() {
        Some(number) => reader.lang.fill("event.shipped_text", &[("carrier", carrier), ("number", number)]),
        None => reader.lang.fill("event.shipped_carrier_text", &[("carrier", carrier)]),
    })
}

/// The heading of a day: `Today`, `Yesterday`, `Thursday 19 November`.
fn day_name(day: jiff::civil::Date, reader: &Reader) -> String {
    let today = reader.today();
    match day {
        day if day == today => reader.lang.t("date.today").to_owned(),
        day if today.yesterday().is_ok_and(|yesterday| yesterday == day) => reader.lang.t("date.yesterday").to_owned(),
        day => reader.lang.date("date.day", day),
    }
}

/// The list of updates: the newest rows, and the rest folded away.
pub(super) fn timeline(frame: &Frame, reader: &Reader, hero: &words::Hero, rows: &[Row]) -> Markup {
    let (open, folded) = rows.split_at(rows.len().min(OPEN));
    let count = u64::try_from(folded.len()).unwrap_or_default();
    html! {
        ol #timeline.tl { (list(frame, reader, hero, open, true)) }
        p #no-updates.body.muted hidden[!rows.is_empty()] { (reader.lang.t("page.no_updates")) }
        details #earlier.more hidden[folded.is_empty()] {
            summary.btn.wide {
                span #earlier-count .when-closed { (reader.lang.count("page.earlier", count)) }
                span.when-open { (reader.lang.t("page.fewer")) }
            }
            ol #earlier-list.tl { (list(frame, reader, hero, folded, false)) }
        }
    }
}

fn list(frame: &Frame, reader: &Reader, hero: &words::Hero, rows: &[Row], newest: bool) -> Markup {
    let day = |row: &Row| row.at.as_ref().map(Zoned::date);
    html! {
        @for (i, row) in rows.iter().enumerate() {
            @if let Some(this) = day(row) && (i == 0 || day(&rows[i - 1]) != Some(this)) {
                (day_item(&day_name(this, reader)))
            }
            @let last = rows.get(i + 1).is_none_or(|next| day(next) != day(row));
            (item(frame, reader, &Item { row: Some(row), current: (newest && i == 0).then_some(hero), last }))
        }
    }
}

/// The heading of a day; the script's template of it is the same with an empty name.
fn day_item(name: &str) -> Markup {
    html! { li.day { (name) } }
}

/// What a row's markup needs; the empty one is the script's template.
#[derive(Default)]
struct Item<'a> {
    row: Option<&'a Row>,
    current: Option<&'a words::Hero>,
    last: bool,
}

fn item(frame: &Frame, reader: &Reader, item: &Item) -> Markup {
    let at = item.row.and_then(|row| row.at.as_ref());
    let tone = item.current.map(|hero| format!(" cur tone-{}", hero.look.tone)).unwrap_or_default();
    let last = if item.last { " last" } else { "" };
    let text = item.row.and_then(|row| row.text.as_deref());
    html! {
        li class={ "ev" (tone) (last) } data-seq=[item.row.map(|row| row.seq)] {
            (time(reader, at))
            span.rail aria-hidden="true" { span.node { (frame.icon(item.current.map_or("clock", |hero| hero.look.icon))) } }
            div {
                b { bdi { (item.row.map_or("", |row| row.title.as_str())) } }
                span.tag hidden { (reader.lang.t("event.new")) }
                p hidden[text.is_none()] { bdi { (text.unwrap_or_default()) } }
            }
        }
    }
}

fn time(reader: &Reader, at: Option<&Zoned>) -> Markup {
    html! {
        @match at {
            Some(at) => time.num datetime=(at.timestamp()) title=(at.strftime("%F %T %Z")) { (reader.lang.hhmm(at.time())) },
            None => time.num {},
        }
    }
}

/// The templates the script clones rows from.
pub(super) fn templates(frame: &Frame, reader: &Reader) -> Markup {
    html! {
        template #t-day { (day_item("")) }
        template #t-event { (item(frame, reader, &Item::default())) }
    }
}
