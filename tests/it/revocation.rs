//! What a credential that is taken back still gets: nothing. Told by the order of events, not by a clock.

use std::time::Duration;

use ordercast::accounts::Role;
use ordercast::accounts::sessions::Pair;
use ordercast::base::id::CompanyId;
use ordercast::base::{Actor, Clock};
use ordercast::orders::{NewOrder, Order};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::people::{JOHN, log_in, merchant, staff};
use crate::app::watcher::Watcher;

/// A socket of a sign-in that watches an order.
async fn watch(app: &TestApp, pair: &Pair, order: &Order) -> Watcher {
    let mut watcher = Watcher::connect(&app.url, "").await;
    watcher.say(&json!({"type": "auth", "token": pair.access.expose()})).await;
    watcher.say(&json!({"type": "subscribe", "id": 1, "order": order.id})).await;
    loop {
        let answer = watcher.next().await;
        assert_ne!(answer["type"], "error", "{answer}");
        if answer["type"] == "subscribed" {
            return watcher;
        }
    }
}

/// The close code of a socket on which no event may come any more.
async fn closed_without_event(mut socket: Watcher) -> u16 {
    loop {
        match socket.frame().await {
            Some(Message::Close(Some(frame))) => return frame.code.into(),
            Some(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                assert_ne!(message["type"], "event", "after the end of its sign-in: {message}");
            }
            Some(_) => {}
            None => return 0,
        }
    }
}

struct Scene {
    one: TestApp,
    two: TestApp,
    order: Order,
    company: CompanyId,
    chief: Pair,
}

impl Scene {
    async fn set() -> Self {
        let (one, two) = TestApp::pair().await;
        let (_, company) = merchant(&one, JOHN).await;
        staff(&one, Role::SuperAdmin, "chief@host.example").await;
        let chief = log_in(&one, "chief@host.example").await.pair;
        let new = NewOrder { company, ..NewOrder::default() };
        let order = one.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order").order;
        Self { one, two, order, company, chief }
    }

    /// Sockets of a sign-in at both instances.
    async fn sockets(&self, pair: &Pair) -> [Watcher; 2] {
        [watch(&self.one, pair, &self.order).await, watch(&self.two, pair, &self.order).await]
    }

    fn chief(&self) -> Caller<'_> {
        Caller::bearing(&self.one, Some(self.chief.access.expose()))
    }
}

#[tokio::test]
async fn one_look_closes_what_was_taken_back_before_any_later_event_reaches_it() {
    let scene = Scene::set().await;
    let admin = staff(&scene.one, Role::Admin, "rina@host.example").await;
    let company = format!("/api/v1/admin/companies/{}", scene.company);
    let person = format!("/api/v1/admin/people/{admin}");
    let mut kept = scene.sockets(&scene.chief).await;
    let mut seq = 1;
    for (who, method, path, body) in [
        (JOHN, Method::POST, format!("{company}/suspend"), json!({})),
        ("rina@host.example", Method::PATCH, person.clone(), json!({"role": "super_admin"})),
        ("rina@host.example", Method::PATCH, person, json!({"suspended": true})),
    ] {
        let before = Clock::System.now();
        let pair = log_in(&scene.one, who).await.pair;
        let sockets = scene.sockets(&pair).await;
        let done = scene.chief().send(method, &path, &body).await;
        assert_eq!(done.status, 200, "{path}: {done:?}");
        // The next look of each instance, which comes by itself twice a second.
        for app in [&scene.one, &scene.two] {
            app.parts.live.close_revoked(before).await.expect("a look");
        }
        seq += 1;
        scene.one.note(&scene.order, 1, &format!("event {seq}, not for everybody")).await;
        for socket in &mut kept {
            assert_eq!(socket.seqs(1).await, [seq], "nobody else's");
        }
        for socket in sockets {
            assert_eq!(closed_without_event(socket).await, 4001, "{path}");
        }
    }
}

#[tokio::test]
async fn what_is_taken_back_is_closed_unasked_and_how_soon_is_printed() {
    let scene = Scene::set().await;
    let pair = log_in(&scene.two, JOHN).await.pair;
    let sockets = scene.sockets(&pair).await;
    let path = format!("/api/v1/admin/companies/{}/suspend", scene.company);
    assert_eq!(scene.chief().post(&path, &json!({})).await.status, 200);
    let began = Instant::now();
    let mut took = Vec::new();
    for mut socket in sockets {
        assert_eq!(socket.closed().await, 4001);
        took.push(began.elapsed());
    }
    let longest = took.into_iter().max().unwrap_or(Duration::ZERO);
    println!("sockets of a barred company on two instances were closed after {} ms", longest.as_millis());
}
