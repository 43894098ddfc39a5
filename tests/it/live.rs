//! Live updates over every transport: resume, hop, confirm, keep up, revoke.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ordercast::accounts::tokens::NewToken;
use ordercast::base::{Actor, Clock};
use ordercast::orders::NewOrder;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::watcher::{Frames, Watcher};

const TESTS: Actor = Actor::System("tests");

#[tokio::test]
async fn a_watcher_gets_what_it_missed_and_then_every_event_and_the_update_is_confirmed() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(NewOrder::default()).await;
    assert_eq!(app.note(&order, 2, "before").await, [(0, 0), (0, 0)], "nobody watches");
    let (mut first, answer) = Watcher::subscribe(&app.url, "", &json!({"pass": pass, "since": 1})).await;
    assert_eq!((&answer["type"], &answer["seq"], &answer["replayed"]), (&json!("subscribed"), &json!(3), &json!(2)));
    assert_eq!((&answer["order"]["number"], &answer["order"]["seq"]), (&json!(order.number), &json!(3)));
    assert_eq!(first.seqs(2).await, [2, 3]);
    let (mut second, answer) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    assert_eq!((&answer["seq"], &answer["replayed"]), (&json!(3), &json!(0)), "no `since`: the snapshot only");
    assert_eq!(app.note(&order, 3, "live").await, [(2, 2); 3]);
    assert_eq!((first.seqs(3).await, second.seqs(3).await), (vec![4, 5, 6], vec![4, 5, 6]));
    first.leave().await;
    second.say(&json!({"type": "unsubscribe", "id": 1})).await;
    assert_eq!(second.next().await["type"], "unsubscribed");
    assert_eq!(app.note(&order, 1, "after").await, [(0, 0)]);
}

#[tokio::test]
async fn a_client_hops_between_transports_with_one_position_and_misses_nothing() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(NewOrder::default()).await;
    let (mut socket, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass, "since": 0})).await;
    assert_eq!(socket.seqs(1).await, [1]);
    socket.vanish();
    app.note(&order, 2, "unseen").await;
    let answer = app.http.get(format!("{}/live/sse?pass={pass}&since=0", app.url)).header("Last-Event-ID", "1");
    let answer = answer.send().await.expect("a stream");
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
    assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(header("cache-control").as_deref(), Some("no-cache, no-transform"));
    assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
    let mut stream = Frames::of(answer);
    let first = stream.next().await;
    assert_eq!((first.0.as_str(), first.1.as_str()), ("snapshot", "3"));
    assert_eq!(seqs_of(&first.2["events"]), [2, 3], "Last-Event-ID wins over `since`");
    assert_eq!((&first.2["seq"], &first.2["order"]["seq"]), (&json!(3), &json!(3)));
    assert_eq!(app.note(&order, 1, "streamed").await, [(1, 1)]);
    let live = stream.next().await;
    assert_eq!((live.0.as_str(), live.1.as_str(), &live.2["seq"]), ("order", "4", &json!(4)));
    drop(stream);
    app.note(&order, 1, "between").await;
    let poll = |since: i64, wait: u64| {
        let request = app.http.get(format!("{}/live/poll?pass={pass}&since={since}&wait={wait}", app.url));
        async move { request.send().await.expect("an answer").json::<Value>().await.expect("JSON") }
    };
    let caught_up = poll(4, 30).await;
    assert_eq!((seqs_of(&caught_up["events"]), &caught_up["seq"]), (vec![5], &json!(5)));
    let waiting = tokio::spawn(poll(5, 50));
    while app.parts.live.stats().polls.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    app.note(&order, 1, "awaited").await;
    assert_eq!(seqs_of(&waiting.await.expect("polled")["events"]), [6]);
    let nothing_new = poll(6, 0).await;
    assert_eq!((seqs_of(&nothing_new["events"]), &nothing_new["seq"]), (vec![], &json!(6)));
    let (mut socket, answer) = Watcher::subscribe(&app.url, "", &json!({"pass": pass, "since": 5})).await;
    assert_eq!((&answer["replayed"], socket.seqs(1).await), (&json!(1), vec![6]));
}

#[tokio::test]
async fn a_client_that_missed_more_than_fits_into_one_answer_gets_all_of_it_on_every_transport() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(NewOrder::default()).await;
    app.note(&order, 220, "missed").await;
    let all: Vec<i64> = (1..=221).collect();
    let (mut polled, mut since) = (Vec::new(), json!(0));
    while polled.len() < all.len() {
        let address = format!("{}/live/poll?pass={pass}&since={since}&wait=0", app.url);
        let answer: Value = app.http.get(address).send().await.expect("an answer").json().await.expect("JSON");
        let events = seqs_of(&answer["events"]);
        assert_eq!((answer["seq"].as_i64(), &answer["order"]["seq"]), (events.last().copied(), &json!(221)));
        polled.extend(events);
        since = answer["seq"].clone();
    }
    assert_eq!(polled, all, "asked for again from the `seq` of the answer");
    let answer = app.http.get(format!("{}/live/sse?pass={pass}&since=0", app.url)).send().await.expect("a stream");
    let mut stream = Frames::of(answer);
    let (_, id, first) = stream.next().await;
    let mut streamed = seqs_of(&first["events"]);
    assert_eq!((id, first["seq"].as_i64()), (first["seq"].to_string(), streamed.last().copied()));
    while streamed.len() < all.len() {
        streamed.push(stream.next().await.2["seq"].as_i64().expect("a number"));
    }
    assert_eq!(streamed, all);
    let (mut socket, answer) = Watcher::subscribe(&app.url, "", &json!({"pass": pass, "since": 0})).await;
    assert_eq!((&answer["replayed"], socket.seqs(all.len()).await), (&json!(221), all));
}

#[tokio::test]
async fn an_update_on_one_instance_reaches_watchers_on_both_once_and_in_order() {
    let (one, two) = TestApp::pair().await;
    let (order, pass) = one.order(NewOrder::default()).await;
    let (mut here, _) = Watcher::subscribe(&one.url, "", &json!({"pass": pass})).await;
    let (mut there, _) = Watcher::subscribe(&two.url, "", &json!({"pass": pass})).await;
    for n in 0..10 {
        let app = if n % 2 == 0 { &one } else { &two };
        assert_eq!(app.note(&order, 1, &format!("update {n}")).await, [(2, 2)], "update {n}");
    }
    let all: Vec<i64> = (2..=11).collect();
    assert_eq!((here.seqs(10).await, there.seqs(10).await), (all.clone(), all));
}

#[tokio::test]
async fn a_console_sees_all_orders_who_watches_them_and_what_was_delivered_and_seen() {
    let (one, two) = TestApp::pair().await;
    let token = one.token("orders:read").await;
    let (order, pass) = one.order(NewOrder::default()).await;
    let (mut customer, _) = Watcher::subscribe(&two.url, "", &json!({"pass": pass})).await;
    let (mut console, answer) =
        Watcher::subscribe(&one.url, &format!("?token={token}"), &json!({"feed": "orders"})).await;
    assert_eq!((&answer["type"], &answer["feed"]), (&json!("subscribed"), &json!("orders")), "{answer}");
    let position = answer["position"].as_str().expect("a position").to_owned();
    // What the other instance holds is told as soon as it has said so, at the latest with its next count.
    let mut count = 0;
    while count != 1 {
        let watchers = console.next_of("watchers").await;
        assert_eq!(watchers["order"], json!(order.id));
        count = watchers["count"].as_u64().expect("a count");
    }
    one.note(&order, 1, "for all").await;
    let mut event = console.next_of("event").await;
    // A comparison with the log tells events of the last moments too, the creation among them.
    while event["seq"] == 1 {
        event = console.next_of("event").await;
    }
    assert_eq!((&event["feed"], &event["number"], &event["seq"]), (&json!("orders"), &json!(order.number), &json!(2)));
    assert_eq!(customer.seqs(1).await, [2]);
    let receipt = console.next_of("receipt").await;
    assert_eq!((&receipt["seq"], &receipt["delivered"], &receipt["seen"]), (&json!(2), &json!(1), &json!(0)));
    customer.say(&json!({"type": "seen", "order": order.id, "seq": 2})).await;
    assert_eq!(console.next_of("receipt").await["seen"], 1);
    customer.say(&json!({"type": "seen", "order": order.id, "seq": 2})).await;
    customer.say(&json!({"type": "seen", "order": order.id, "seq": 99})).await;
    customer.leave().await;
    assert_eq!(console.next_of("watchers").await["count"], 0, "neither a repeat nor a boast counted");
    console.vanish();
    let (other, _) = two.order(NewOrder::default()).await;
    let resume = json!({"feed": "orders", "since": position});
    let (mut console, answer) = Watcher::subscribe(&two.url, &format!("?token={token}"), &resume).await;
    assert_eq!(answer["position"], position, "not beyond what is still to come");
    let mut numbers = Vec::new();
    while numbers.last() != Some(&(json!(other.number), json!(1))) {
        let event = console.next_of("event").await;
        numbers.push((event["number"].clone(), event["seq"].clone()));
    }
    let unseen = [(json!(order.number), json!(2)), (json!(other.number), json!(1))];
    assert!(unseen.iter().all(|event| numbers.iter().filter(|one| *one == event).count() == 1), "{numbers:?}");
}

#[tokio::test]
async fn a_reader_that_stalls_holds_nobody_up_and_ends_with_the_whole_history() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(NewOrder::default()).await;
    let (mut brisk, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    let (mut stalled, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    let long = "word ".repeat(380);
    let mut count = 0;
    // The system takes up some of what the stalled reader leaves unread; then the hub must stop queueing for it.
    while app.parts.live.stats().behind.load(Ordering::Relaxed) == 0 {
        assert!(count < 20_000, "the stalled reader never fell behind");
        app.note(&order, 50, &format!("{long} {count}")).await;
        count += 50;
        brisk.seqs(50).await;
    }
    app.note(&order, 50, &format!("{long} last")).await;
    let all: Vec<i64> = (2..=count + 51).collect();
    let expected = usize::try_from(count + 50).expect("a count");
    assert_eq!(stalled.seqs(expected).await, all, "read late, nothing lost, doubled or out of order");
    assert_eq!(brisk.seqs(50).await.last(), all.last());
    assert_eq!(app.note(&order, 1, "both live").await, [(2, 2)]);
}

#[tokio::test]
async fn revoking_a_pass_or_token_closes_exactly_its_connections() {
    let (one, two) = TestApp::pair().await;
    let (order, pass) = one.order(NewOrder::default()).await;
    let (revoked, text) = one.parts.passes.create(order.id, None).await.expect("a pass");
    let name = "on loan";
    let new =
        NewToken { name: name.into(), scopes: "orders:read".parse().expect("scopes"), company: None, expires_at: None };
    let token = one.parts.tokens.generate(TESTS, new).await.expect("a token").1.expose().to_owned();
    let (mut keeps, _) = Watcher::subscribe(&two.url, "", &json!({"pass": pass})).await;
    let (mut loses, _) = Watcher::subscribe(&two.url, "", &json!({"pass": text})).await;
    let (mut console, _) =
        Watcher::subscribe(&two.url, &format!("?token={token}"), &json!({"order": order.number})).await;
    one.parts.passes.revoke(order.id, revoked.id).await.expect("revoked");
    assert_eq!(loses.closed().await, 4001);
    one.parts.tokens.revoke(TESTS, name).await.expect("revoked");
    assert_eq!(console.closed().await, 4001);
    one.note(&order, 1, "still watched").await;
    assert_eq!(keeps.seqs(1).await, [2]);
    let (_, refused) = Watcher::subscribe(&two.url, "", &json!({"pass": text})).await;
    assert_eq!((&refused["code"], &refused["retry"]), (&json!("revoked"), &json!(false)));
    let mut stale = Watcher::connect(&two.url, &format!("?token={token}")).await;
    stale.say(&json!({"type": "subscribe", "id": 1, "feed": "orders"})).await;
    assert_eq!(stale.closed().await, 4002);
}

#[tokio::test]
async fn a_pass_that_runs_out_ends_its_connections_and_opens_none() {
    let start: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a time");
    let clock = Clock::manual(start);
    let app = TestApp::with(&["--heartbeat=1"], clock.clone()).await;
    let (order, _) = app.order(NewOrder::default()).await;
    let end = start.checked_add(SignedDuration::from_hours(1)).expect("a time");
    let (_, pass) = app.parts.passes.create(order.id, Some(end)).await.expect("a pass");
    let (mut watcher, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    clock.advance(Duration::from_secs(3601));
    assert_eq!(watcher.closed().await, 4002);
    let (_, refused) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    assert_eq!(refused["code"], "expired");
    for path in ["sse", "poll"] {
        let answer = app.http.get(format!("{}/live/{path}?pass={pass}", app.url)).send().await.expect("an answer");
        assert_eq!(answer.status(), 410, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "expired");
    }
}

fn seqs_of(events: &Value) -> Vec<i64> {
    events.as_array().expect("a list").iter().map(|event| event["seq"].as_i64().expect("a number")).collect()
}
