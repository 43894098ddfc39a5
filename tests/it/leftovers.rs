//! Codes and sign-ups nobody has made use of: what a letter that is sent again brings, and what becomes of addresses that
//! were typed and never proven.

use std::time::Duration;

use ordercast::accounts::Role;
use ordercast::accounts::people::register::SignUp;
use ordercast::base::id::AccountId;
use ordercast::base::{Actor, Error, Secret};
use ordercast::jobs::CodePurpose;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::send;
use crate::app::people::{JOHN, PASSWORD, code, merchant, sign_up, signed_in, users, with_mail};
use crate::rows::number;

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn register(app: &TestApp, email: &str) -> AccountId {
    let new = SignUp { company_name: "Juniper".into(), email: email.into(), password: Secret::new(PASSWORD) };
    app.parts.people.register(new, None).await.expect("a sign-up").id
}

/// Tries a code that is not this one.
async fn try_wrong(app: &TestApp, right: &str) {
    let wrong = if right == "000000" { "111111" } else { "000000" };
    let tried = app.parts.people.verify(JOHN, wrong, None).await;
    assert!(matches!(tried, Err(Error::Invalid(_))), "{tried:?}");
}

/// What the outbox does when sending a letter failed: the code is made anew.
async fn make_again(app: &TestApp, account: AccountId) -> Option<String> {
    let made = app.parts.codes.make(account, CodePurpose::Verify).await.expect("a database");
    made.map(|code| code.expose().to_owned())
}

#[tokio::test]
async fn a_letter_that_is_sent_again_brings_no_further_tries() {
    let (app, mut office, _) = with_mail().await;
    let account = register(&app, JOHN).await;
    let first = code(&office.next().await);
    for _ in 0..3 {
        try_wrong(&app, &first).await;
    }
    let second = make_again(&app, account).await.expect("a code for the second letter");
    try_wrong(&app, &second).await;
    let third = make_again(&app, account).await.expect("one try is left");
    assert!(app.parts.people.verify(JOHN, &third, None).await.is_ok(), "the fifth try is the right one");

    let (app, mut office, _) = with_mail().await;
    let account = register(&app, JOHN).await;
    office.next().await;
    let second = make_again(&app, account).await.expect("a code for the second letter");
    for _ in 0..5 {
        try_wrong(&app, &second).await;
    }
    assert_eq!(make_again(&app, account).await, None, "no letter brings a code that nobody may try");
    assert!(app.parts.people.verify(JOHN, &second, None).await.is_err());
}

async fn exist(app: &TestApp, email: &str) -> (i64, i64) {
    let people = format!("SELECT count(*) AS n FROM accounts WHERE email = '{email}'");
    let companies = "SELECT count(*) AS n FROM companies WHERE name = 'Juniper'";
    (number(&app.parts.db, &people).await, number(&app.parts.db, companies).await)
}

#[tokio::test]
async fn a_sign_up_nobody_answers_is_forgotten_with_its_company() {
    let (app, mut office, clock) = with_mail().await;
    let answered = sign_up(&app, &mut office, "proven@example.com").await;
    let body = json!({"email": "proven@example.com", "otp": answered});
    assert_eq!(users(&app, "verify-otp", &body).await.status, 200);
    register(&app, JOHN).await;
    office.next().await;
    clock.advance(13 * DAY);
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 0, "there is a day left");
    clock.advance(DAY + Duration::from_secs(1));
    assert_eq!(exist(&app, JOHN).await, (1, 1));
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 2, "the person and the company");
    assert_eq!(exist(&app, JOHN).await, (0, 0));
    assert_eq!(exist(&app, "proven@example.com").await.0, 1, "who has proven the address stays");
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 0);
    let told = "SELECT count(*) AS n FROM audit_log WHERE action IN ('account.forgotten', 'company.forgotten')";
    assert_eq!(number(&app.parts.db, told).await, 2);
    // The address is free for whoever has it.
    register(&app, JOHN).await;
    office.next().await;
    assert_eq!(exist(&app, JOHN).await, (1, 1));
}

#[tokio::test]
async fn how_long_an_address_may_stay_unproven_is_a_setting() {
    let (app, mut office, clock) = with_mail().await;
    let brisk = app.beside(&[&office.flag(), "--unproven-days=1"], clock.clone()).await;
    register(&app, JOHN).await;
    office.next().await;
    clock.advance(DAY + Duration::from_secs(1));
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 0);
    assert_eq!(brisk.parts.people.sweep().await.expect("a database"), 2);
}

#[tokio::test]
async fn an_invitation_that_takes_a_sign_up_over_leaves_a_company_that_is_forgotten() {
    let (app, mut office, clock) = with_mail().await;
    merchant(&app, "owner@shop.example").await;
    office.next().await;
    register(&app, JOHN).await;
    office.next().await;
    let (owner, _) = signed_in(&app, "owner@shop.example").await;
    clock.advance(Duration::from_secs(61));
    let invited = owner.post("/api/v1/company/people", &json!({"email": JOHN, "name": "John"})).await;
    assert_eq!(invited.status, 201, "{invited:?}");
    let reset = json!({"email": JOHN, "otp": code(&office.next().await), "password": PASSWORD});
    assert_eq!(users(&app, "auth/password/reset", &reset).await.status, 200);
    assert_eq!(exist(&app, JOHN).await, (1, 1));
    clock.advance(15 * DAY);
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 1);
    assert_eq!(exist(&app, JOHN).await, (1, 0), "the colleague stays, the company that waited for nobody goes");
}

#[tokio::test]
async fn what_something_belongs_to_is_not_forgotten() {
    let (app, mut office, clock) = with_mail().await;
    let barred = register(&app, JOHN).await;
    office.next().await;
    let other = register(&app, "jane@example.com").await;
    office.next().await;
    let rina = Actor::System("tests");
    app.parts.people.suspend_person(rina, barred, true).await.expect("barred");
    let company = app.parts.people.get(other).await.expect("a person").person.company.expect("a company");
    let new = ordercast::orders::NewOrder { company, ..Default::default() };
    app.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order");
    clock.advance(15 * DAY);
    assert_eq!(app.parts.people.sweep().await.expect("a database"), 1, "only the person who is not barred");
    assert_eq!(
        exist(&app, JOHN).await,
        (1, 2),
        "nobody signs up with an address that was barred; orders keep their shop"
    );
}

#[tokio::test]
async fn whoever_sets_the_platform_up_is_not_kept_out_by_a_sign_up_nobody_has_proven() {
    let (app, mut office, _) = with_mail().await;
    let typed_by_somebody = sign_up(&app, &mut office, JOHN).await;
    let link = app.parts.admins.setup_link().await.expect("a database").expect("no admin yet");
    let form = app.http.post(format!("{}/setup/{}", app.url, link.expose()));
    let form = form.header("Content-Type", "application/x-www-form-urlencoded");
    let done = send(form.body("name=John&email=john%40example.com&password=another+good+one")).await;
    assert_eq!(done.status, 201, "{done:?}");
    let otp = json!({"email": JOHN, "otp": typed_by_somebody});
    assert_eq!(users(&app, "verify-otp", &otp).await.status, 400, "the code of before proves nothing");
    let before = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &before).await.status, 401);
    let pair = json!({"email": JOHN, "password": "another good one"});
    assert_eq!(users(&app, "auth/login", &pair).await.status, 200);

    let people = &app.parts.people;
    let make = async |email: &str| {
        let by = Actor::System("command line");
        people.create_staff(by, Role::Admin, email, "Rina", Secret::new(PASSWORD)).await.map(|person| person.role)
    };
    register(&app, "rina@example.com").await;
    office.next().await;
    assert_eq!(make("rina@example.com").await.expect("an admin"), Role::Admin);
    let taken = make(JOHN).await;
    assert!(matches!(&taken, Err(Error::Conflict(conflict)) if conflict.code == "email_taken"), "{taken:?}");
}
