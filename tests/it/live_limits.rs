//! What live connections are refused, limited and ended for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ordercast::base::{Actor, Clock};
use ordercast::orders::{NewOrder, OrderRef};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use crate::app::TestApp;
use crate::app::watcher::{Frames, Watcher, upgraded};

#[tokio::test]
async fn who_may_not_watch_is_told_why_and_learns_nothing_else() {
    let app = TestApp::start().await;
    let (order, pass) = app.order(NewOrder::default()).await;
    let (mut watcher, answer) = Watcher::subscribe(&app.url, "", &json!({"order": order.number})).await;
    assert_eq!(answer["code"], "forbidden", "an order's number opens nothing");
    watcher.say(&json!({"type": "subscribe", "id": 2, "pass": "x".repeat(43)})).await;
    let unknown = watcher.next().await;
    assert_eq!((&unknown["code"], &unknown["id"]), (&json!("unknown_order"), &json!(2)));
    let writer = app.token("orders:write").await;
    watcher.say(&json!({"type": "auth", "token": writer})).await;
    assert_eq!(watcher.next().await["type"], "authenticated");
    watcher.say(&json!({"type": "subscribe", "id": 3, "feed": "orders"})).await;
    assert_eq!(watcher.next().await["code"], "forbidden", "the token may not read");
    watcher.say(&json!({"type": "auth", "token": app.token("orders:read").await})).await;
    assert_eq!(watcher.next().await["type"], "authenticated");
    watcher.say(&json!({"type": "subscribe", "id": 4, "order": order.id})).await;
    assert_eq!(watcher.next().await["type"], "subscribed");
    watcher.say(&json!({"type": "subscribe", "id": 5, "order": "NO-SUCH"})).await;
    assert_eq!(watcher.next().await["code"], "unknown_order");
    watcher.say(&json!({"type": "auth", "token": "oc_live_nonsense"})).await;
    assert_eq!(watcher.next().await["code"], "unauthorised");
    assert_eq!(watcher.closed().await, 4002);
    let strict = TestApp::with(&["--allowed-origins=https://shop.example"], Clock::System).await;
    for (origin, good) in [("https://shop.example", true), ("https://evil.example", false), ("null", false)] {
        let connected = Watcher::try_connect(&strict.url, "", &[("origin", origin)]).await;
        assert_eq!(connected.err(), (!good).then_some(403), "{origin}");
    }
    let address = format!("{}/live/sse?pass=nonsense", app.url);
    let answer = app.http.get(address).send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "not_found");
    let (mut by_address, _) = Watcher::subscribe(&app.url, &format!("?pass={pass}"), &json!({"since": 0})).await;
    assert_eq!(by_address.seqs(1).await, [1]);
}

#[tokio::test]
async fn bad_messages_are_answered_and_too_many_or_too_large_ones_end_the_connection() {
    let app = TestApp::start().await;
    let mut watcher = Watcher::connect(&app.url, "").await;
    for bad in
        ["", "nonsense", "[]", "{}", r#"{"type":"dance"}"#, r#"{"type":"subscribe"}"#, r#"{"type":"seen","seq":"x"}"#]
    {
        watcher.send(Message::text(bad)).await;
        assert_eq!(watcher.next_of("error").await["code"], "bad_message", "{bad}");
    }
    watcher.send(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(watcher.next().await["code"], "bad_message");
    watcher.say(&json!({"type": "ping"})).await;
    assert_eq!(watcher.next().await["type"], "pong");
    watcher.send(Message::Ping(vec![7; 125].into())).await;
    assert!(matches!(watcher.frame().await, Some(Message::Pong(payload)) if payload[..] == [7; 125]));
    watcher.send(Message::text(format!("{{\"type\":\"ping\",\"x\":\"{}\"}}", "y".repeat(64 * 1024)))).await;
    assert_eq!(watcher.closed().await, 1009);
    let mut talker = Watcher::connect(&app.url, "").await;
    for _ in 0..300 {
        talker.say(&json!({"type": "ping"})).await;
    }
    assert_eq!(talker.closed().await, 4101);
}

#[tokio::test]
async fn a_reader_that_stays_too_slow_is_sent_away_and_finds_the_rest_in_the_log() {
    let app = TestApp::with(&["--slow-reader=1"], Clock::System).await;
    let (order, pass) = app.order(NewOrder::default()).await;
    let (mut slow, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    let long = "word ".repeat(380);
    let stats = app.parts.live.stats();
    // It reads nothing while events come; once behind, it stays so until it is closed.
    while stats.closed.load(Ordering::Relaxed) == 0 {
        app.note(&order, if stats.behind.load(Ordering::Relaxed) == 0 { 50 } else { 1 }, &long).await;
    }
    let (mut read, mut code) = (1, 0);
    while code == 0 {
        match slow.frame().await.expect("a goodbye") {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(event["seq"], read + 1, "{event}");
                read += 1;
            }
            Message::Close(frame) => code = frame.expect("a close code").code.into(),
            other => assert!(matches!(other, Message::Ping(_)), "{other:?}"),
        }
    }
    assert_eq!(code, 4100);
    let last = app.parts.timeline.get_order(&Actor::System("tests"), &OrderRef::Id(order.id)).await.expect("it").seq;
    assert!(read < last, "it was closed before it had read all: {read} of {last}");
    let (mut again, answer) = Watcher::subscribe(&app.url, "", &json!({"pass": pass, "since": read})).await;
    assert_eq!(answer["replayed"], last - read);
    let missed = usize::try_from(last - read).expect("a count");
    assert_eq!(again.seqs(missed).await, (read + 1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_whose_reader_stalls_is_cut_gives_its_place_back_and_resumes_with_nothing_lost() {
    let app = TestApp::with(&["--slow-reader=1", "--max-connections=2"], Clock::System).await;
    let (order, pass) = app.order(NewOrder::default()).await;
    let (mut brisk, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    let mut stalled = stream_with_little_room(&app.url, &pass).await;
    let stats = app.parts.live.stats();
    while stats.connections() < 2 {
        tokio::task::yield_now().await;
    }
    let (long, mut top) = ("word ".repeat(380), 1);
    while stats.behind.load(Ordering::Relaxed) == 0 {
        assert!(top < 20_000, "the stalled reader never fell behind");
        app.note(&order, 10, &long).await;
        assert_eq!(brisk.seqs(10).await, (top + 1..=top + 10).collect::<Vec<_>>(), "nobody else is held up");
        top += 10;
    }
    let cut = async {
        while stats.connections() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), cut).await.expect("cut, though it takes not one byte more");
    let mut heard = Vec::new();
    stalled.read_to_end(&mut heard).await.ok();
    let read = streamed_seqs(&heard);
    let last = *read.last().expect("an event");
    assert_eq!(read, (1..=last).collect::<Vec<_>>());
    assert!(last < top, "it was cut before all of it was written");
    let again = app.http.get(format!("{}/live/sse?pass={pass}", app.url)).header("Last-Event-ID", last.to_string());
    let answer = again.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "its place is free");
    let mut frames = Frames::of(answer);
    let missed = frames.next().await.2["events"].as_array().expect("a list").clone();
    let mut resumed: Vec<i64> = missed.iter().map(|event| event["seq"].as_i64().expect("a number")).collect();
    while resumed.last() != Some(&top) {
        resumed.push(frames.next().await.2["seq"].as_i64().expect("a number"));
    }
    assert_eq!(resumed, (last + 1..=top).collect::<Vec<_>>());
}

/// A stream asked for over a socket whose receiver holds little.
async fn stream_with_little_room(url: &str, pass: &str) -> TcpStream {
    let address = url.trim_start_matches("http://");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(address.parse().expect("an address")).await.expect("connected");
    let head = format!("GET /live/sse?since=0&pass={pass} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    stream
}

/// The `seq` of every event that came whole in a chunked answer, which may end anywhere.
fn streamed_seqs(heard: &[u8]) -> Vec<i64> {
    let text = std::str::from_utf8(heard).expect("only ASCII is sent here");
    let (_, mut rest) = text.split_once("\r\n\r\n").expect("a head");
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        let Some(chunk) = more.get(..size) else { break };
        body.push_str(chunk);
        rest = more.get(size + 2..).unwrap_or_default();
    }
    let whole = body.rfind("\n\n").map_or("", |end| &body[..end]);
    let data = whole.lines().filter_map(|line| line.strip_prefix("data: "));
    let frames = data.map(|data| serde_json::from_str::<Value>(data).expect("JSON"));
    frames
        .flat_map(|frame| match frame["events"].as_array() {
            Some(events) => events.clone(),
            None => vec![frame],
        })
        .map(|event| event["seq"].as_i64().expect("a number"))
        .collect()
}

#[tokio::test]
async fn a_connection_may_watch_so_many_orders_and_one_of_them_only_once() {
    let app = TestApp::start().await;
    let token = app.token("orders:read").await;
    let mut watcher = Watcher::connect(&app.url, &format!("?token={token}")).await;
    let (order, _) = app.order(NewOrder::default()).await;
    for id in 0..2 {
        watcher.say(&json!({"type": "subscribe", "id": id, "order": order.id})).await;
        assert_eq!(watcher.next_of("subscribed").await["id"], id);
    }
    assert_eq!(app.note(&order, 1, "once").await, [(1, 1)], "subscribing again replaces");
    assert_eq!(watcher.seqs(1).await, [2]);
    for id in 2..=129 {
        let (order, _) = app.order(NewOrder::default()).await;
        watcher.say(&json!({"type": "subscribe", "id": id, "order": order.id})).await;
        let answer = watcher.next().await;
        let expected = if id <= 128 { json!(null) } else { json!("too_many_subscriptions") };
        assert_eq!((&answer["id"], &answer["code"]), (&json!(id), &expected));
    }
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_cut_and_a_living_one_stays() {
    let app = TestApp::with(&["--heartbeat=1"], Clock::System).await;
    let mut living = Watcher::connect(&app.url, "").await;
    let mut dead = upgraded(&app.url, b"").await;
    let mut heard = Vec::new();
    let cut = async { dead.read_to_end(&mut heard).await };
    let pings = async { while living.frame().await.is_some() {} };
    tokio::select! {
        cut = cut => drop(cut),
        () = pings => panic!("the living one was cut"),
    }
    assert!(heard.starts_with(&[0x89, 0]), "pinged before it was cut: {heard:?}");
    living.say(&json!({"type": "ping"})).await;
    assert_eq!(living.next_of("pong").await["type"], "pong");
}

#[tokio::test]
async fn a_stopping_instance_sends_everyone_away_to_come_back_and_takes_nobody() {
    let app = TestApp::with(&["--drain=1"], Clock::System).await;
    let (_, pass) = app.order(NewOrder::default()).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await.0);
    }
    let stream = app.http.get(format!("{}/live/sse?pass={pass}", app.url)).send().await.expect("a stream");
    app.parts.live.drain();
    assert_eq!(Watcher::try_connect(&app.url, "", &[]).await.err(), Some(503));
    for mut socket in sockets {
        assert_eq!(socket.closed().await, 1012);
    }
    Frames::of(stream).rest().await;
    app.parts.live.drained().await;
    assert_eq!(app.parts.live.stats().connections(), 0);
}

#[tokio::test]
async fn an_instance_holds_as_many_connections_as_it_may() {
    let app = TestApp::with(&["--max-connections=2"], Clock::System).await;
    let (_, pass) = app.order(NewOrder::default()).await;
    let first = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await.0;
    let _second = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await.0;
    assert_eq!(Watcher::try_connect(&app.url, "", &[]).await.err(), Some(503));
    let answer = app.http.get(format!("{}/live/poll?pass={pass}", app.url)).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
    first.leave().await;
    while app.parts.live.stats().connections() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(Watcher::try_connect(&app.url, "", &[]).await.is_ok());
}

#[tokio::test]
async fn whoever_talks_before_the_upgrade_is_answered_is_closed_and_costs_nothing() {
    let app = TestApp::start().await;
    let mut stream = upgraded(&app.url, b"\x81\x80\0\0\0\0").await;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    assert_eq!((rest.len(), app.parts.live.stats().connections()), (0, 0));
}
