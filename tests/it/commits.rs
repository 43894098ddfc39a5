//! The one door under load: changes committed in groups, from one instance and from two, by many callers at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use ordercast::app::App;
use ordercast::audit;
use ordercast::base::{Clock, Error};
use ordercast::db::Db;
use ordercast::jobs::Counts;
use ordercast::orders::{Advanced, Change, Customer, EventBody, NewOrder, Order, OrderRef, Status};

use crate::rows::{number, run, written};
use crate::still_app::{Ground, TESTS, order};

/// An administrator may go from any status to any other.
fn admin() -> ordercast::base::Actor {
    ordercast::base::Actor::Admin { account: Default::default(), name: "tests".into(), is_super: false }
}

async fn change(app: &App, id: OrderRef, change: Change) -> Result<Advanced, Error> {
    app.parts.orders.advance(admin(), id, change, None).await
}

fn note(text: impl Into<String>) -> Change {
    Change { notes: Some(text.into()), ..Change::default() }
}

/// The log of an order; checks that its numbers are dense and that each event begins where the one before ended.
async fn log(app: &App, order: &Order) -> Vec<EventBody> {
    let events = app.parts.timeline.events_since(order.id, 0, 100_000).await.expect("the log");
    let bodies: Vec<EventBody> =
        events.iter().map(|event| serde_json::from_str(&event.body).expect("an event")).collect();
    for (at, (event, body)) in events.iter().zip(&bodies).enumerate() {
        let seq = i64::try_from(at).expect("a number") + 1;
        assert_eq!((event.seq, body.seq), (seq, seq), "numbers are dense");
        let before = at.checked_sub(1).map(|before| bodies[before].status);
        assert_eq!(body.previous_status.or(before), before, "{body:?}");
        assert_eq!(body.kind == "status_changed", before.is_some_and(|before| before != body.status), "{body:?}");
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_change_among_a_hundred_spoils_nothing() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let order = order(&app, NewOrder::default()).await;
    let id = OrderRef::Id(order.id);
    let wishes = (0..100).map(|turn| match turn {
        40 => change(&app, OrderRef::Number("ORD-NOBODY".into()), note("x")),
        50 => change(&app, id.clone(), note("x".repeat(2001))),
        60 => change(&app, id.clone(), Change { expected_seq: Some(0), ..note("x") }),
        turn => change(&app, id.clone(), note(turn.to_string())),
    });
    let outcomes = join_all(wishes.collect::<Vec<_>>()).await;
    for (turn, outcome) in outcomes.iter().enumerate() {
        match (turn, outcome) {
            (40, Err(Error::NotFound("Order"))) | (60, Err(Error::Conflict(_))) => {}
            (50, Err(Error::Invalid(invalid))) => assert_eq!(invalid.code, "too_long"),
            (40 | 50 | 60, other) => panic!("{turn}: {other:?}"),
            (_, outcome) => assert!(outcome.as_ref().is_ok_and(|done| done.event.is_some()), "{turn}: {outcome:?}"),
        }
    }
    assert_eq!(log(&app, &order).await.len(), 98);
    // Callers of one instance are served in the order they came.
    let notes: Vec<_> = log(&app, &order).await.into_iter().filter_map(|event| event.note).collect();
    let expected = (0..100).filter(|turn| ![40, 50, 60].contains(turn)).map(|turn: u32| turn.to_string());
    assert_eq!(notes, expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_done_though_the_caller_goes_away_at_once() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let order = order(&app, NewOrder::default()).await;
    let id = OrderRef::Id(order.id);
    for turn in 0..50 {
        let mut asked = Box::pin(change(&app, id.clone(), note(turn.to_string())));
        // Asked, and not waited for.
        if let std::task::Poll::Ready(early) = futures_util::poll!(&mut asked) {
            panic!("answered before it could be: {early:?}");
        }
    }
    let last = change(&app, id, note("last")).await.expect("the last one");
    assert_eq!(last.order.seq, 52);
    assert_eq!(log(&app, &order).await.len(), 52);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_wanted_by_two_instances_at_once_is_given_once() {
    let ground = Ground::lay().await;
    let (one, two) = (ground.build(&[], Clock::System).await, ground.build(&[], Clock::System).await);
    let company = one.parts.companies.first().await.expect("the shop").id;
    let make = |app: &App, turn: usize| {
        let orders = app.parts.orders.clone();
        let new = NewOrder { company, number: Some(format!("N-{turn}")), ..NewOrder::default() };
        async move { orders.create(TESTS, new, None).await }
    };
    let all = (0..60).flat_map(|turn| [make(&one, turn), make(&two, turn)]).collect::<Vec<_>>();
    let outcomes = join_all(all).await;
    for pair in outcomes.chunks(2) {
        let made = pair.iter().filter(|outcome| outcome.is_ok()).count();
        let taken = pair
            .iter()
            .filter(|outcome| matches!(outcome, Err(Error::Conflict(taken)) if taken.code == "number_taken"));
        assert_eq!((made, taken.count()), (1, 1), "{pair:?}");
    }
    let done = written(&one.parts.db).await;
    assert_eq!((done.orders, done.events, done.audits), (60, 60, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_database_gives_up_for_another_is_written_again() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let order = order(&app, NewOrder::default()).await;
    // SQLite has one writer, so there nobody waits for anybody. A sequence goes on whatever becomes of the transaction.
    if matches!(app.parts.db, Db::Postgres { .. }) {
        let give_up = "CREATE FUNCTION give_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('times') IN (1, 2, 3) THEN \
             RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW; END $$";
        let before = "CREATE TRIGGER give_up BEFORE INSERT ON order_events FOR EACH ROW EXECUTE FUNCTION give_up()";
        for sql in ["CREATE SEQUENCE times", give_up, before] {
            run(&app.parts.db, sql).await;
        }
        let change = change(&app, OrderRef::Id(order.id), note("x")).await;
        assert!(matches!(change, Err(Error::Unavailable(..))), "tried twice and told: {change:?}");
    }
    let change = change(&app, OrderRef::Id(order.id), note("y")).await.expect("written");
    assert_eq!((change.order.seq, log(&app, &order).await.len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_an_order_is_the_order_there_is_even_from_two_instances_at_once() {
    let ground = Ground::lay().await;
    // One change a transaction: nothing is tried a second time for another reason.
    let flags = ["--commit-group", "1"];
    let (one, two) = (ground.build(&flags, Clock::System).await, ground.build(&flags, Clock::System).await);
    let company = one.parts.companies.first().await.expect("the shop").id;
    let make = |app: &App, turn: usize| {
        let orders = app.parts.orders.clone();
        let new = NewOrder { company, external_id: Some(format!("X-{turn}")), ..NewOrder::default() };
        async move { orders.create(TESTS, new, None).await }
    };
    for turn in 0..60 {
        let (first, second) = tokio::join!(make(&one, turn), make(&two, turn));
        let (first, second) = (first.expect("an order"), second.expect("the same order"));
        assert_eq!(first.order, second.order);
        assert!(first.event.is_some() != second.event.is_some(), "made once");
    }
    let done = written(&one.parts.db).await;
    assert_eq!((done.orders, done.events, done.audits), (60, 60, 60));
}

/// What one writer was told: the order, the number of the event, the status it wished for.
type Told = (ordercast::base::id::OrderId, i64, Status);

async fn write_much(app: &App, orders: &[Order], writer: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for turn in 0..10 {
        // Strides without a common divisor take every writer to other orders and statuses.
        let order = &orders[(writer * 7 + turn * 3) % orders.len()];
        let to = Status::ALL[(writer * 5 + turn * 7) % Status::ALL.len()];
        let wish = Change { status: Some(to), ..note(format!("{writer}/{turn}")) };
        let done = change(app, OrderRef::Id(order.id), wish).await.expect("done");
        told.push((order.id, done.event.expect("an event").seq, to));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_two_instances_leave_every_row_in_step() {
    let ground = Ground::lay().await;
    let (one, two) = (ground.build(&[], Clock::System).await, ground.build(&[], Clock::System).await);
    let mut orders = Vec::new();
    for turn in 0..20 {
        // Half of the customers have an address for letters.
        let email = (turn % 2 == 0).then(|| format!("customer{turn}@mail.example"));
        orders.push(
            order(&one, NewOrder { customer: Customer { email, ..Customer::default() }, ..NewOrder::default() }).await,
        );
    }
    let writers = (0..64).map(|writer| write_much(if writer % 2 == 0 { &one } else { &two }, &orders, writer));
    let told: Vec<Told> = join_all(writers.collect::<Vec<_>>()).await.into_iter().flatten().collect();
    assert_eq!(told.len(), 640);

    let mut promised: BTreeMap<_, BTreeSet<(i64, Status)>> = BTreeMap::new();
    for (id, seq, status) in told {
        assert!(promised.entry(id).or_default().insert((seq, status)), "a number was given twice");
    }
    let mut letters = 0;
    for before in &orders {
        let events = log(&two, before).await;
        let written: BTreeSet<_> = events.iter().skip(1).map(|event| (event.seq, event.status)).collect();
        assert_eq!(Some(&written), promised.get(&before.id), "what was promised is what is there");
        let last = events.last().expect("an event");
        let now = one.parts.timeline.get_order(&TESTS, &OrderRef::Id(before.id)).await.expect("the order");
        assert_eq!((now.seq, now.status, &now.notes), (last.seq, last.status, &last.note));
        assert_eq!(now.updated_at, last.occurred_at);
        let trail = audit::history(&one.parts.db, "order", before.id.to_string()).await.expect("the trail");
        let mut seqs: Vec<i64> = trail.iter().filter_map(|entry| entry.detail["seq"].as_i64()).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, events.iter().map(|event| event.seq).collect::<Vec<_>>(), "one record an event");
        let due = |event: &&EventBody| {
            event.previous_status.is_some()
                && matches!(event.status, Status::Processing | Status::Shipped | Status::Delivered | Status::Cancelled)
        };
        letters += if before.customer.email.is_some() { events.iter().filter(due).count() } else { 0 };
    }
    assert!(letters > 50, "{letters}");
    let counts = one.parts.jobs.counts().await.expect("counts");
    assert_eq!(counts, Counts { queued: i64::try_from(letters).expect("a number"), dead: 0 });
    let done = written(&one.parts.db).await;
    assert_eq!((done.orders, done.events, done.audits, done.seqs), (20, 660, 660, 660));
    assert_eq!(number(&one.parts.db, "SELECT count(DISTINCT id) AS n FROM order_events").await, 660);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_bulks_at_once_are_all_carried_out() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let company = app.parts.companies.first().await.expect("the shop").id;
    let make = |_| app.parts.orders.create(TESTS, NewOrder { company, ..NewOrder::default() }, None);
    let made = join_all((0..500).map(make)).await;
    let ids: Vec<OrderRef> = made.into_iter().map(|made| OrderRef::Id(made.expect("an order").order.id)).collect();
    let bulk = |turn: usize| {
        let rows = ids.iter().map(|id| (id.clone(), note(turn.to_string()))).collect();
        app.parts.orders.advance_all(admin(), rows, false, None)
    };
    // More rows at once than one statement can hold.
    let outcomes = join_all((0..16).map(bulk)).await;
    for outcome in outcomes {
        let rows = outcome.expect("the bulk was carried out");
        assert!(rows.iter().all(|row| row.as_ref().is_ok_and(|done| done.event.is_some())));
    }
    let done = written(&app.parts.db).await;
    assert_eq!((done.events, done.seqs, done.audits), (8500, 8500, 8500));
}
