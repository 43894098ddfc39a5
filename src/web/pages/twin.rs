//! Holds `words.js` to `words.rs`: both put the same orders into words, in every language, and must agree to the letter.

use std::io::Write as _;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::lang::{Lang, Langs};
use super::view::{EventView, OrderView, TrackView};
use super::words::{Hero, Reader, Stage, hero};
use super::{assets, looks, timeline};

const NOW: &str = "2026-11-21T15:00:00Z";

/// Runs in Node: reads what Rust was given, writes what the scripts make of it.
const RUNNER: &str = r#"
import { readFileSync } from "node:fs";
import { speak } from "./i18n.js";
import { know, hero, rows } from "./words.js";
const { looks, now, cases } = JSON.parse(readFileSync(0, "utf8"));
know(looks);
const answers = cases.map(({ lang, view }) => {
  speak(lang);
  const shown = rows(view.events).map(({ seq, title, text }) => ({ seq, title, text: text ?? null }));
  return { hero: hero(view, new Date(now)), rows: shown };
});
process.stdout.write(JSON.stringify(answers));
"#;

fn event(seq: i64, kind: &str, status: &str, at: &str) -> EventView {
    EventView {
        seq,
        kind: kind.into(),
        status: Some(status.into()),
        occurred_at: Some(at.parse().unwrap()),
        ..EventView::default()
    }
}

/// A history that ends in `status`, with every kind of event on the way.
fn history(status: &str) -> Vec<EventView> {
    let mut tracked = event(4, "details_changed", "packed", "2026-11-19T11:20:00Z");
    tracked.carrier = Some("SteadFast".into());
    tracked.tracking_number = Some("177091637".into());
    let mut promised = event(5, "details_changed", "packed", "2026-11-19T12:00:00Z");
    promised.estimated_delivery = Some("2026-11-24".into());
    let mut last = EventView { note: Some("Left at the front door".into()), ..tracked.clone() };
    (last.seq, last.kind, last.status) = (8, "status_changed".into(), Some(status.into()));
    last.occurred_at = Some("2026-11-21T14:41:00Z".parse().unwrap());
    let mut checked = event(6, "checkpoint", "shipped", "2026-11-20T23:59:59Z");
    checked.shipment_status = Some("in_transit".into());
    let mut bare = event(9, "signature_requested", status, "2026-11-21T14:50:00Z");
    bare.status = None;
    vec![
        event(1, "order_created", "pending", "2026-11-16T08:00:00Z"),
        event(2, "status_changed", "confirmed", "2026-11-17T08:00:00Z"),
        event(3, "status_changed", "packed", "2026-11-18T00:00:00Z"),
        tracked,
        promised,
        checked,
        event(7, "status_changed", "shipped", "2026-11-21T09:12:00Z"),
        last,
        bare,
    ]
}

fn views() -> Vec<TrackView> {
    let estimates = [None, Some("2026-11-20"), Some("2026-11-21"), Some("2026-11-21T18:05:00Z"), Some("2026-11-26")];
    let statuses = looks::all().map(|(status, _)| status).filter(|status| *status != "delayed").chain(["gift_wrapped"]);
    let mut views = Vec::new();
    for status in statuses {
        for estimate in estimates {
            for delayed in [false, true] {
                let order = OrderView {
                    status: status.into(),
                    estimated_delivery: estimate.map(str::to_owned),
                    original_estimated_delivery: delayed.then(|| "2026-11-19".to_owned()),
                    delayed,
                    cancellation_reason: delayed.then(|| "Out of stock".to_owned()),
                    ..OrderView::default()
                };
                views.push(TrackView { order, seq: 9, events: history(status) });
            }
        }
    }
    views
}

fn rust_says(view: &TrackView, lang: &Lang, now: Timestamp) -> Value {
    let reader = Reader { lang, now, zone: &TimeZone::UTC };
    let rows = timeline::rows(&view.events, &reader);
    let rows: Vec<Value> =
        rows.iter().map(|row| json!({ "seq": row.seq, "title": row.title, "text": row.text })).collect();
    json!({ "hero": hero_value(&hero(view, &reader)), "rows": rows })
}

fn hero_value(hero: &Hero) -> Value {
    let tile = hero.tile.as_ref().map(|tile| json!({ "month": tile.month, "day": tile.day, "caption": tile.caption }));
    let stage = |stage| match stage {
        Stage::Done => "done",
        Stage::Now => "now",
        Stage::Ahead => "",
    };
    let steps = hero.steps.as_ref().map(|steps| {
        steps.each_ref().map(
            |step| json!({ "stage": stage(step.stage), "icon": step.icon, "label": step.label, "time": step.time }),
        )
    });
    json!({
        "tone": hero.look.tone, "icon": hero.look.icon, "label": hero.label, "headline": hero.headline,
        "sub": hero.sub, "tile": tile, "steps": steps,
    })
}

/// What the scripts say, brought to the same form.
fn scripts_say(input: &Value) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("package.json", r#"{"type":"module"}"#);
    put("run.js", RUNNER);
    for name in ["i18n.js", "time.js", "words.js"] {
        put(name, &assets::text(&format!("js/{name}")));
    }
    let mut node = Command::new("node")
        .arg(folder.path().join("run.js"))
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Node: install the package nodejs");
    node.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    for answer in &mut answers {
        let look = answer["hero"].as_object_mut().unwrap().remove("look").unwrap();
        answer["hero"]["tone"] = look["tone"].clone();
        answer["hero"]["icon"] = look["icon"].clone();
    }
    answers
}

#[test]
fn server_and_script_put_every_order_into_the_same_words() {
    let now: Timestamp = NOW.parse().unwrap();
    let langs = Langs::read(assets::folder("locales/")).unwrap();
    let cases: Vec<(&Lang, TrackView)> =
        langs.all().flat_map(|lang| views().into_iter().map(move |view| (lang, view))).collect();
    let input: Vec<Value> = cases.iter().map(|(lang, view)| json!({ "lang": lang, "view": view })).collect();
    let said = scripts_say(&json!({ "looks": looks::table(), "now": NOW, "cases": input }));
    assert_eq!(said.len(), cases.len());
    for ((lang, view), script) in cases.iter().zip(said) {
        let order = &view.order;
        let told = format!("{} {} {:?} late: {}", lang.lang, order.status, order.estimated_delivery, order.delayed);
        assert_eq!(rust_says(view, lang, now), script, "{told}");
    }
}
