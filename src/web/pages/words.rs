//! An order put into words for its customer: label, headline, what comes next, the calendar tile, the progress line.
//!
//! `static/public/js/words.js` says the same after a live update; `twin.rs` holds the two together.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::lang::Lang;
use super::looks::{self, Look, STEPS};
use super::view::{Estimate, EventView, TrackView};

/// Whom the words are for: language, time and zone.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The language.
    pub lang: &'a Lang,
    /// The time now.
    pub now: Timestamp,
    /// The zone clock times are told in.
    pub zone: &'a TimeZone,
}

impl Reader<'_> {
    /// The reader's wall clock at that instant.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.zone.clone())
    }

    /// The reader's day.
    #[must_use]
    pub fn today(&self) -> Date {
        self.local(self.now).date()
    }
}

/// Everything above the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hero {
    /// How it looks.
    pub look: Look,
    /// The status in a word or two.
    pub label: String,
    /// The sentence that matters most.
    pub headline: String,
    /// What it means, or what comes next.
    pub sub: String,
    /// The calendar tile, when there is a day to show.
    pub tile: Option<Tile>,
    /// The progress line, when it is shown.
    pub steps: Option<[Step; 5]>,
}

/// A leaf of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Short month.
    pub month: String,
    /// Day of the month.
    pub day: String,
    /// Weekday or time.
    pub caption: String,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Behind us.
    Done,
    /// Here and now.
    Now,
    /// Still ahead.
    Ahead,
}

/// One dot of the progress line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub stage: Stage,
    /// Symbol of `icons.svg`.
    pub icon: &'static str,
    /// Its name.
    pub label: String,
    /// When it was reached or is expected.
    pub time: String,
}

/// The name of a status: ours, or the code of a custom workflow made readable (`gift_wrapped` → `Gift wrapped`).
#[must_use]
pub fn label(lang: &Lang, status: &str) -> String {
    lang.get(&format!("status.{status}")).map_or_else(|| readable(status), str::to_owned)
}

/// A code made readable: `gift_wrapped` → `Gift wrapped`.
#[must_use]
pub fn readable(code: &str) -> String {
    let text = code.replace(['_', '-'], " ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The order's hero for this reader.
#[must_use]
pub fn hero(view: &TrackView, reader: &Reader) -> Hero {
    let facts = Facts::new(view, reader);
    let look = Look { step: facts.step, ..looks::of(facts.code) };
    Hero {
        look,
        label: label(reader.lang, facts.code),
        headline: facts.headline(),
        sub: facts.sub(),
        tile: facts.tile(),
        steps: (!looks::of(&view.order.status).bare).then(|| facts.steps()),
    }
}

/// What the sentences are made of, worked out once.
struct Facts<'a> {
    view: &'a TrackView,
    reader: &'a Reader<'a>,
    today: Date,
    /// The status, or `delayed`.
    code: &'a str,
    /// The estimate, while it can still be true.
    estimate: Option<Estimate>,
    /// The event that brought the present status.
    arrival: Option<&'a EventView>,
    step: Option<u8>,
}

impl<'a> Facts<'a> {
    fn new(view: &'a TrackView, reader: &'a Reader<'a>) -> Self {
        let order = &view.order;
        let today = reader.today();
        let estimate = order.estimated_delivery.as_deref().and_then(|text| Estimate::parse(text, reader.zone));
        let status = order.status.as_str();
        // A parcel that is at the door comes today, whatever was promised.
        let holds = |day| if status == "out_for_delivery" { day == today } else { day >= today };
        let estimate = estimate.filter(|estimate| holds(estimate.day));
        // Once the parcel is at the door the delay is yesterday's news.
        let late =
            order.delayed && estimate.is_some() && !looks::of(status).bare && looks::of(status).step.unwrap_or(0) < 4;
        let known = looks::find(status).is_some();
        let reached = view.events.iter().filter_map(|event| looks::of(event.status.as_deref()?).step).max();
        Self {
            view,
            reader,
            today,
            code: if late { "delayed" } else { status },
            estimate,
            arrival: view.events.iter().rev().find(|event| brought(event, status)),
            step: if known { looks::of(status).step } else { reached },
        }
    }

    fn arrived_at(&self) -> Option<Zoned> {
        let delivered = self.view.order.delivered_at.filter(|_| self.code == "delivered");
        delivered.or_else(|| self.arrival?.occurred_at).map(|at| self.reader.local(at))
    }

    fn headline(&self) -> String {
        let lang = self.reader.lang;
        let by = |key: &str| match self.estimate {
            Some(Estimate { day, time: Some(time) }) if day == self.today => {
                lang.fill(&format!("headline.{key}_by"), &[("time", &lang.clock(time))])
            }
            _ => lang.t(&format!("headline.{key}")).to_owned(),
        };
        match (self.code, self.estimate, self.arrived_at()) {
            ("delayed", Some(eta), _) => lang.fill("headline.delayed", &[("date", &lang.date("date.full", eta.day))]),
            ("shipped", Some(eta), _) if eta.day == self.today => by("shipped_today"),
            ("shipped", Some(eta), _) => {
                lang.fill("headline.shipped_eta", &[("date", &lang.date("date.full", eta.day))])
            }
            ("out_for_delivery", ..) => by("out_for_delivery"),
            ("delivery_failed", _, Some(at)) => {
                lang.fill("headline.delivery_failed_at", &[("time", &lang.clock(at.time()))])
            }
            ("delivered", _, Some(at)) if at.date() == self.today => {
                lang.fill("headline.delivered_today", &[("time", &lang.clock(at.time()))])
            }
            ("delivered", _, Some(at)) => {
                let (date, time) = (lang.date("date.full", at.date()), lang.clock(at.time()));
                lang.fill("headline.delivered_at", &[("date", &date), ("time", &time)])
            }
            (code, ..) => lang.get(&format!("headline.{code}")).unwrap_or(lang.t("headline.unknown")).to_owned(),
        }
    }

    fn sub(&self) -> String {
        let (lang, order) = (self.reader.lang, &self.view.order);
        let usual = || lang.get(&format!("sub.{}", self.code)).unwrap_or(lang.t("sub.unknown")).to_owned();
        let note = || self.arrival.and_then(|event| event.note.clone());
        let first = || Estimate::parse(order.original_estimated_delivery.as_deref()?, self.reader.zone);
        match self.code {
            "delayed" => first().map_or_else(usual, |first| {
                lang.fill("sub.delayed_from", &[("date", &lang.date("date.full", first.day))])
            }),
            "delivery_failed" | "delivered" => note().unwrap_or_else(usual),
            "cancelled" => self.arrived_at().map_or_else(usual, |at| {
                let reason = order.cancellation_reason.as_deref().map(sentence).unwrap_or_default();
                let date = lang.date("date.long", at.date());
                let on = lang.fill("sub.cancelled_on", &[("date", &date), ("reason", &reason)]);
                format!("{} {}", on.trim_end(), usual())
            }),
            "pending" | "paid" | "confirmed" | "processing" | "packed" => match self.estimate {
                Some(eta) => {
                    let expected = lang.fill("sub.eta", &[("date", &lang.date("date.full", eta.day))]);
                    format!("{} {expected}", usual())
                }
                None => usual(),
            },
            _ => usual(),
        }
    }

    fn tile(&self) -> Option<Tile> {
        let lang = self.reader.lang;
        let leaf = |day: Date, caption: String| Tile {
            month: lang
                .months_short
                .get(usize::try_from(day.month() - 1).unwrap_or_default())
                .cloned()
                .unwrap_or_default(),
            day: lang.digits(&day.day().to_string()),
            caption,
        };
        match self.code {
            "delivered" => self.arrived_at().map(|at| leaf(at.date(), lang.clock(at.time()))),
            "cancelled" | "returned" | "incomplete" => None,
            "delivery_failed" => self.estimate.map(|eta| leaf(eta.day, lang.t("tile.next_try").to_owned())),
            "out_for_delivery" if self.estimate.is_none() => {
                Some(leaf(self.today, lang.date("date.weekday", self.today)))
            }
            _ => self.estimate.map(|eta| match eta.time {
                Some(time) if eta.day == self.today => {
                    leaf(eta.day, lang.fill("tile.by", &[("time", &lang.clock(time))]))
                }
                _ => leaf(eta.day, lang.date("date.weekday", eta.day)),
            }),
        }
    }

    fn steps(&self) -> [Step; 5] {
        let ended = looks::of(self.code).ended;
        let here = self.step.unwrap_or(0);
        std::array::from_fn(|i| {
            let (status, icon) = STEPS[i];
            let number = u8::try_from(i + 1).unwrap_or(u8::MAX);
            let stage = match number {
                _ if ended => Stage::Done,
                n if n < here => Stage::Done,
                n if n == here => Stage::Now,
                _ => Stage::Ahead,
            };
            let icon = if stage == Stage::Done { "check" } else { icon };
            Step { stage, icon, label: label(self.reader.lang, status), time: self.step_time(number, stage) }
        })
    }

    /// When a step was first reached, last reached for the one we stand on, and the estimate under the last.
    fn step_time(&self, number: u8, stage: Stage) -> String {
        let lang = self.reader.lang;
        let mut reached = self.view.events.iter().filter(|event| {
            is_move(event) && event.status.as_deref().is_some_and(|status| looks::of(status).step == Some(number))
        });
        let event = match stage {
            Stage::Done => reached.next(),
            Stage::Now => reached.next_back(),
            Stage::Ahead => None,
        };
        if let Some(at) = event.and_then(|event| event.occurred_at).map(|at| self.reader.local(at)) {
            return if at.date() == self.today {
                lang.fill("date.today_at", &[("time", &lang.hhmm(at.time()))])
            } else {
                lang.date("date.short", at.date())
            };
        }
        match self.estimate.filter(|_| stage == Stage::Ahead && number == 5) {
            Some(Estimate { day, time: Some(time) }) if day == self.today => {
                lang.fill("step.by", &[("time", &lang.clock(time))])
            }
            Some(eta) => lang.date("date.short", eta.day),
            None => String::new(),
        }
    }
}

/// Whether the event moved the order to a status.
pub(super) fn is_move(event: &EventView) -> bool {
    matches!(event.kind.as_str(), "status_changed" | "order_created")
}

fn brought(event: &EventView, status: &str) -> bool {
    is_move(event) && event.status.as_deref() == Some(status)
}

/// Closes a free text with a full stop where it has no end of its own.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let closed = text.is_empty() || text.ends_with(['.', '!', '?', '…', '।', '؟', '。']);
    if closed { text.to_owned() } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::super::lang::Langs;
    use super::super::view::OrderView;
    use super::*;

    fn english() -> Lang {
        Langs::read(super::super::assets::folder("locales/")).unwrap().english().clone()
    }

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    fn order(status: &str) -> TrackView {
        let event = |seq, status: &str, when| EventView {
            seq,
            kind: "status_changed".into(),
            status: Some(status.into()),
            occurred_at: at(when),
            ..EventView::default()
        };
        let events = vec![
            event(1, "confirmed", "2026-11-17T08:00:00Z"),
            event(2, "packed", "2026-11-18T11:20:00Z"),
            event(3, status, "2026-11-21T14:41:00Z"),
        ];
        TrackView { order: OrderView { status: status.into(), ..OrderView::default() }, seq: 3, events }
    }

    /// The hero on 21 November 2026, three in the afternoon UTC.
    fn shown(view: &TrackView) -> Hero {
        let (lang, now) = (english(), "2026-11-21T15:00:00Z".parse().unwrap());
        hero(view, &Reader { lang: &lang, now, zone: &TimeZone::UTC })
    }

    fn with_estimate(status: &str, estimate: &str) -> TrackView {
        let mut view = order(status);
        view.order.estimated_delivery = Some(estimate.into());
        view
    }

    #[test]
    fn headlines_say_when_it_arrives_or_arrived() {
        let headline = |view: &TrackView| shown(view).headline.replace('\u{a0}', " ");
        assert_eq!(headline(&order("shipped")), "On its way");
        assert_eq!(headline(&with_estimate("shipped", "2026-11-24")), "Arriving Tuesday, 24 November");
        assert_eq!(headline(&with_estimate("shipped", "2026-11-20")), "On its way");
        assert_eq!(headline(&with_estimate("out_for_delivery", "2026-11-21T18:00:00Z")), "Arriving today by 6:00 pm");
        assert_eq!(headline(&order("out_for_delivery")), "Arriving today");
        assert_eq!(headline(&order("delivered")), "Delivered today at 2:41 pm");
        assert_eq!(headline(&order("delivery_failed")), "We missed you at 2:41 pm");
        assert_eq!(headline(&order("cancelled")), "This order was cancelled");
    }

    #[test]
    fn a_delay_shows_until_the_parcel_is_at_the_door() {
        let mut view = with_estimate("shipped", "2026-11-26");
        view.order.delayed = true;
        view.order.original_estimated_delivery = Some("2026-11-24".into());
        let hero = shown(&view);
        assert_eq!((hero.label.as_str(), hero.look.tone, hero.look.step), ("Delayed", "warning", Some(3)));
        assert_eq!(hero.headline, "Now arriving Thursday, 26 November");
        assert!(hero.sub.starts_with("It was expected Tuesday, 24 November"), "{}", hero.sub);
        view.order.status = "out_for_delivery".into();
        assert_eq!(shown(&view).label, "Out for delivery");
    }

    #[test]
    fn a_cancelled_order_says_when_and_why_and_hides_the_progress_line() {
        let mut view = order("cancelled");
        view.order.cancellation_reason = Some("Out of stock".into());
        let hero = shown(&view);
        assert!(hero.sub.starts_with("Cancelled on 21 November. Out of stock. "), "{}", hero.sub);
        assert!(hero.steps.is_none() && hero.tile.is_none());
    }

    #[test]
    fn a_status_of_a_custom_workflow_keeps_the_step_that_was_reached() {
        let hero = shown(&order("gift_wrapped"));
        assert_eq!((hero.label.as_str(), hero.look.tone, hero.look.step), ("Gift wrapped", "neutral", Some(2)));
        let stages = hero.steps.unwrap().map(|step| step.stage);
        assert_eq!(stages, [Stage::Done, Stage::Now, Stage::Ahead, Stage::Ahead, Stage::Ahead]);
    }

    #[test]
    fn steps_carry_the_time_they_were_reached() {
        let steps = shown(&order("out_for_delivery")).steps.unwrap();
        assert_eq!(steps.each_ref().map(|step| step.time.as_str()), ["17 Nov", "18 Nov", "", "Today, 14:41", ""]);
    }

    #[test]
    fn every_status_of_the_table_has_words() {
        let lang = english();
        for (status, _) in looks::all() {
            for part in ["status", "headline", "sub"] {
                assert!(lang.get(&format!("{part}.{status}")).is_some(), "{part}.{status}");
            }
        }
        for facts in crate::orders::Status::ALL.map(crate::orders::Status::facts) {
            assert_eq!(lang.t(&format!("status.{}", facts.code)), facts.label);
            assert_eq!(lang.t(&format!("headline.{}", facts.code)), facts.headline);
        }
    }
}
