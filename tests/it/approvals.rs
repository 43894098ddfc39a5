//! Second persons: who may decide, who of two who decide at once does, and what happens when nobody does.

use std::time::Duration;

use ordercast::base::Clock;
use serde_json::{Value, json};

use crate::app::crew::{Crew, still};
use crate::app::people::{merchant, signed_in, with_mail};
use crate::rows::written;

const STEPS: [&str; 4] = ["packed shipped!", "shipped delivered", "packed cancelled", "packed returned!"];

fn path(held: &Value, what: &str) -> String {
    format!("/api/v1/approvals/{}{what}", held["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_step_waits_for_a_second_person_and_is_made_as_that_person() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, _) = crew.order(None).await;
    let before = written(&app.parts.db).await;
    let wish = json!({"status": "shipped", "carrier": "FedEx", "tracking_number": "986578788855", "expected_seq": 1});
    let held = crew.held(&order, &wish).await;
    assert_eq!(
        (&held["gate"], &held["state"], &held["to"]),
        (&json!("approval"), &json!("waiting"), &json!("shipped"))
    );
    assert_eq!(held["due_at"], "2026-11-24T09:00:00Z", "three days, as the setting says");
    assert_eq!(crew.held(&order, &wish).await, held, "asked again it is the same");
    let after = written(&app.parts.db).await;
    assert_eq!((after.events, after.seqs, after.audits), (before.events, before.seqs, before.audits + 1));
    assert_eq!(crew.step(&order, &json!({"status": "returned"})).await.problem(), (409, "move_waiting"));
    let steps = crew.owner.get(&format!("/api/v1/vendor/orders/{}/next-steps", order.id)).await.body;
    assert_eq!(steps["waiting"], held);

    let own = crew.owner.post(&path(&held, "/approve"), &json!({})).await;
    assert_eq!(own.problem(), (403, "forbidden"), "whoever asks does not decide");
    merchant(&app, "owner@laurel.example").await;
    let (other, _) = signed_in(&app, "owner@laurel.example").await;
    assert_eq!(other.post(&path(&held, "/approve"), &json!({})).await.problem(), (404, "not_found"));
    assert_eq!(crew.position(&order).await, ("packed".into(), 1));

    let listed = crew.colleague.get("/api/v1/approvals").await.body;
    assert_eq!(listed["data"], json!([held]));
    let made = crew.colleague.post(&path(&held, "/approve"), &json!({"reason": "Paid"})).await;
    assert_eq!((made.status, &made.body["moved"]), (200, &json!(true)), "{made:?}");
    assert_eq!(made.body["order"]["tracking_number"], "986578788855", "what was wished for along with it");
    let repeat = crew.colleague.post(&path(&held, "/approve"), &json!({"reason": "Paid"})).await;
    assert_eq!((repeat.status, &repeat.body["moved"]), (200, &json!(false)), "approved again");
    assert_eq!(crew.position(&order).await, ("shipped".into(), 2));
    let now = crew.owner.get(&path(&held, "")).await.body;
    assert_eq!(
        (&now["state"], &now["decided_by"], &now["reason"]),
        (&json!("approved"), &json!("Colleague"), &json!("Paid"))
    );
    let trail = ordercast::audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    let actions: Vec<(&str, &str)> =
        trail.iter().map(|entry| (entry.action.as_str(), entry.actor_name.as_str())).collect();
    assert!(actions.contains(&("order.status_changed", "Colleague")), "{actions:?}");
    assert!(actions.contains(&("order.move_approved", "Colleague")), "{actions:?}");
}

#[tokio::test]
async fn of_two_who_approve_at_once_one_does() {
    let (app, clock) = still().await;
    let twin = app.beside(&["--rate-guess=0"], clock).await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let there = crew.staff.at(&twin);
    for _ in 0..10 {
        let (order, _) = crew.order(None).await;
        let held = crew.held(&order, &json!({"status": "shipped"})).await;
        let (place, body) = (path(&held, "/approve"), json!({}));
        let (one, two) = tokio::join!(crew.colleague.post(&place, &body), there.post(&place, &body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
        assert_eq!(crew.position(&order).await, ("shipped".into(), 2));
    }
}

#[tokio::test]
async fn of_one_who_approves_and_one_who_refuses_at_once_one_does() {
    let (app, clock) = still().await;
    let twin = app.beside(&["--rate-guess=0"], clock).await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let there = crew.staff.at(&twin);
    for _ in 0..10 {
        let (order, _) = crew.order(None).await;
        let held = crew.held(&order, &json!({"status": "shipped"})).await;
        let (approve, refuse, reason) = (path(&held, "/approve"), path(&held, "/refuse"), json!({"reason": "No"}));
        let empty = json!({});
        let (one, two) = tokio::join!(crew.colleague.post(&approve, &empty), there.post(&refuse, &reason));
        let expected = match (one.status, two.status) {
            (200, 409) => ("shipped".to_owned(), 2),
            (409, 200) => ("packed".to_owned(), 1),
            other => panic!("{other:?}: {one:?} {two:?}"),
        };
        assert_eq!(crew.position(&order).await, expected);
    }
}

#[tokio::test]
async fn a_refusal_says_why_and_frees_the_order_for_another_wish() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, _) = crew.order(None).await;
    let held = crew.held(&order, &json!({"status": "shipped"})).await;
    let refuse = path(&held, "/refuse");
    assert_eq!(crew.colleague.post(&refuse, &json!({"reason": " "})).await.problem(), (400, "required"));
    let refused = crew.colleague.post(&refuse, &json!({"reason": "No address"})).await;
    assert_eq!((refused.status, &refused.body["state"]), (200, &json!("refused")));
    assert_eq!(crew.colleague.post(&refuse, &json!({"reason": "No address"})).await.status, 200, "refused again");
    assert_eq!(crew.staff.post(&refuse, &json!({"reason": "x"})).await.problem(), (409, "already_decided"));
    assert_eq!(crew.staff.post(&path(&held, "/approve"), &json!({})).await.problem(), (409, "already_decided"));
    let next = crew.held(&order, &json!({"status": "returned"})).await;
    assert_ne!(next["id"], held["id"]);
    let back = crew.owner.post(&path(&next, "/refuse"), &json!({"reason": "A mistake of mine"})).await;
    assert_eq!(back.status, 200, "one may take back what one has asked for");
    assert_eq!(crew.position(&order).await, ("packed".into(), 1));
}

#[tokio::test]
async fn what_nobody_decides_about_expires_once_on_two_instances() {
    let (app, clock) = still().await;
    let twin = app.beside(&[], clock.clone()).await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, _) = crew.order(None).await;
    let held = crew.held(&order, &json!({"status": "shipped"})).await;
    clock.advance(Duration::from_secs(72 * 3600 - 1));
    app.parts.approvals.sweep().await.expect("a sweep");
    // Signed in anew: nobody stays signed in so long on one token.
    let crew = crew.back(&app, "juniper").await;
    assert_eq!(crew.owner.get(&path(&held, "")).await.body["state"], "waiting", "a second before its time");
    clock.advance(Duration::from_secs(1));
    assert_eq!(crew.colleague.post(&path(&held, "/approve"), &json!({})).await.problem().0, 409, "too late");
    let (one, two) = tokio::join!(app.parts.approvals.sweep(), twin.parts.approvals.sweep());
    one.expect("a sweep");
    two.expect("a sweep");
    let now = crew.owner.get(&path(&held, "")).await.body;
    assert_eq!((&now["state"], &now["decided_by"]), (&json!("expired"), &json!("expiry")));
    let trail = ordercast::audit::history(&app.parts.db, "order", order.id.to_string()).await.expect("the trail");
    assert_eq!(trail.iter().filter(|entry| entry.action == "order.move_expired").count(), 1);
    assert_eq!(crew.position(&order).await, ("packed".into(), 1));
    assert_ne!(crew.held(&order, &json!({"status": "shipped"})).await["id"], held["id"], "it is asked for anew");
}

#[tokio::test]
async fn an_order_that_has_moved_on_is_not_moved_by_an_old_wish() {
    let (app, _) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, _) = crew.order(None).await;
    let held = crew.held(&order, &json!({"status": "shipped"})).await;
    let status = format!("/api/v1/orders/{}/status", order.id);
    // There and back again: it stands where it stood, and is another all the same.
    for to in ["processing", "packed"] {
        assert_eq!(crew.staff.post(&status, &json!({"status": to})).await.status, 200);
    }
    assert_eq!(crew.colleague.post(&path(&held, "/approve"), &json!({})).await.problem(), (409, "moved_on"));
    let anew = crew.held(&order, &json!({"status": "shipped"})).await;
    assert_ne!(anew["id"], held["id"]);
    assert_eq!(crew.owner.get(&path(&held, "")).await.body["state"], "superseded");
    assert_eq!(crew.colleague.post(&path(&anew, "/approve"), &json!({})).await.status, 200);
    assert_eq!(crew.position(&order).await, ("shipped".into(), 4));
}

#[tokio::test]
async fn who_may_decide_is_asked_by_mail_and_who_asked_is_told() {
    let (app, mut office, _) = with_mail().await;
    let crew = Crew::hire(&app, "juniper").await;
    crew.follow(&STEPS).await;
    let (order, _) = crew.order(None).await;
    let held = crew.held(&order, &json!({"status": "shipped"})).await;
    assert_eq!(
        office.next().await.header("Subject"),
        Some("Your code to verify your e-mail address"),
        "of the sign-up"
    );
    let mail = office.next().await;
    assert_eq!(mail.to, "colleague@juniper.example", "not whoever asked");
    assert_eq!(mail.header("Subject"), Some(format!("Please decide about order {}", order.number).as_str()));
    assert_eq!(crew.colleague.post(&path(&held, "/refuse"), &json!({"reason": "No address"})).await.status, 200);
    let mail = office.next().await;
    assert_eq!(mail.to, "owner@juniper.example");
    assert!(mail.text.contains("No address"), "{}", mail.text);
}

/// Waits are the company's own where it says so.
#[tokio::test]
async fn a_company_says_how_long_it_waits() {
    let (app, _): (_, Clock) = still().await;
    let crew = Crew::hire(&app, "juniper").await;
    let steps = json!({"initial": "packed", "edges": [{"from": "packed", "to": "delivered", "approval": true}], "approval_hours": 1});
    assert_eq!(crew.owner.send(reqwest::Method::PUT, "/api/v1/workflows", &steps).await.status, 200);
    let (order, _) = crew.order(None).await;
    assert_eq!(crew.held(&order, &json!({})).await["due_at"], "2026-11-21T10:00:00Z");
}
