//! Invitations: to whom they tell what, what gives way to what, and how many letters they may send.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller};
use crate::app::people::{JOHN, PASSWORD, code, log_in, merchant, sign_up, signed_in, users, with_mail};
use crate::app::post_office::PostOffice;
use crate::rows::number;

const OTHER: &str = "other@example.com";
const AYESHA: &str = "ayesha@example.com";
const PEOPLE: &str = "/api/v1/company/people";

async fn invite(owner: &Caller<'_>, email: &str) -> Answer {
    owner.post(PEOPLE, &json!({"email": email, "name": "Ayesha"})).await
}

fn id(answer: &Answer) -> String {
    answer.body["id"].as_str().expect("an id").to_owned()
}

async fn merchants(app: &TestApp, office: &mut PostOffice) {
    for email in [JOHN, OTHER] {
        merchant(app, email).await;
        office.next().await;
    }
}

#[tokio::test]
async fn a_merchant_does_not_learn_whose_address_it_invites() {
    let (app, mut office, clock) = with_mail().await;
    merchants(&app, &mut office).await;
    let (owner, _) = signed_in(&app, JOHN).await;
    let mut told = Vec::new();
    for (email, subject) in [(OTHER, "You have an account already"), (AYESHA, "You have been invited")] {
        let answer = invite(&owner, email).await;
        let mail = office.next().await;
        assert_eq!((mail.to.as_str(), mail.header("Subject")), (email, Some(subject)));
        let twice = invite(&owner, email).await;
        clock.advance(Duration::from_secs(61));
        let again = owner.post(&format!("{PEOPLE}/{}/invitation", id(&answer)), &json!({})).await;
        let mail = office.next().await;
        assert_eq!((mail.to.as_str(), mail.header("Subject")), (email, Some(subject)));
        assert_eq!((answer.status, &answer.body["email"]), (201, &json!(email)));
        let list = owner.get(PEOPLE).await.body["data"].clone();
        let listed = list.as_array().expect("a list").iter().find(|one| one["email"] == email).expect("listed").clone();
        assert_eq!(listed["id"], answer.body["id"]);
        let told_of = |body: &Value| ["name", "role", "company", "state"].map(|field| body[field].clone());
        assert_eq!(told_of(&listed), told_of(&answer.body));
        let problem = (twice.problem().0, twice.problem().1.to_owned());
        told.push((told_of(&listed), problem, again.status, again.body));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!((told[0].1.0, told[0].2), (409, 202));
    assert_eq!(log_in(&app, OTHER).await.login.company.expect("a company").name, OTHER, "and nothing was changed");
    for invited in owner.get(PEOPLE).await.body["data"].as_array().expect("a list").iter().skip(1) {
        let path = format!("{PEOPLE}/{}", invited["id"].as_str().expect("an id"));
        assert_eq!(owner.delete(&path).await.status, 204);
    }
    assert_eq!(invite(&owner, OTHER).await.status, 201);
    log_in(&app, OTHER).await;
}

#[tokio::test]
async fn a_sign_up_and_an_invitation_that_nobody_has_proven_give_way_to_each_other() {
    let (app, mut office, clock) = with_mail().await;
    merchants(&app, &mut office).await;
    let (owner, _) = signed_in(&app, JOHN).await;
    let by_sign_up = sign_up(&app, &mut office, AYESHA).await;
    assert_eq!(invite(&owner, AYESHA).await.status, 201);
    let by_invitation = code(&office.next().await);
    let verify = async |otp: &str| users(&app, "verify-otp", &json!({"email": AYESHA, "otp": otp})).await.status;
    let accept = async |otp: &str| {
        let body = json!({"email": AYESHA, "otp": otp, "password": "a-better-password"});
        users(&app, "auth/password/reset", &body).await.status
    };
    assert_eq!(verify(&by_sign_up).await, 400, "the invitation took its place");
    let (stranger, _) = signed_in(&app, OTHER).await;
    clock.advance(Duration::from_secs(61));
    assert_eq!(invite(&stranger, AYESHA).await.status, 201, "the latest one stands");
    let by_stranger = code(&office.next().await);
    assert_eq!(accept(&by_invitation).await, 400);
    let again = sign_up(&app, &mut office, AYESHA).await;
    assert_eq!(accept(&by_stranger).await, 400, "whoever signs up joins nobody");
    assert_eq!(verify(&again).await, 200);
    let limited = users(&app, "kyc/token", &json!({"email": AYESHA, "password": PASSWORD})).await;
    let ayesha = Caller::bearing(&app, limited.body["access"].as_str());
    assert_eq!(ayesha.get("/api/v1/users/me").await.body["company"]["name"], "johndoe");
    for company in [&owner, &stranger] {
        assert_eq!(company.get(PEOPLE).await.body["data"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn invitations_write_ten_times_a_day_to_an_address_and_fifty_times_for_a_company() {
    let (app, mut office, clock) = with_mail().await;
    merchants(&app, &mut office).await;
    let (owner, _) = signed_in(&app, JOHN).await;
    let sends = "SELECT CAST(sends AS bigint) AS n FROM account_codes WHERE purpose = 'invite'";
    for sent in 1..=12 {
        let invited = invite(&owner, AYESHA).await;
        assert_eq!(invited.status, 201);
        assert_eq!(number(&app.parts.db, sends).await, sent.min(10), "removing it makes no room for more");
        let removed = owner.send(Method::DELETE, &format!("{PEOPLE}/{}", id(&invited)), &json!({})).await;
        assert_eq!(removed.status, 204);
        clock.advance(Duration::from_secs(61));
    }
    let (owner, _) = signed_in(&app, JOHN).await;
    for nth in 13..=50 {
        assert_eq!(invite(&owner, &format!("{nth}@example.com")).await.status, 201);
    }
    assert_eq!(invite(&owner, "51@example.com").await.problem(), (429, "rate_limited"));
    let (stranger, _) = signed_in(&app, OTHER).await;
    assert_eq!(invite(&stranger, "51@example.com").await.status, 201, "another company's are its own");
    clock.advance(Duration::from_secs(24 * 3600));
    let (owner, _) = signed_in(&app, JOHN).await;
    assert_eq!(invite(&owner, "52@example.com").await.status, 201);
}
