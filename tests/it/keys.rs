//! The deployment's keys replaced while people are signed in and codes are in the mail: instances that sign with different
//! keys serve at the same time, and nobody notices.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::accounts::sessions::Pair;
use ordercast::base::Clock;
use reqwest::header::SET_COOKIE;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::people::{JOHN, log_in, merchant, sign_up, users};
use crate::app::post_office::PostOffice;

const OLD: &str = "an-old-key-of-at-least-32-characters";
const NEW: &str = "a-new-key-of-at-least-32-characters!";

/// Every state an instance is in while the key is replaced: before anything, with the next key accepted, with the next
/// key signing, after everything.
const STATES: [&[&str]; 4] = [
    &["--secret-key", OLD],
    &["--secret-key", OLD, "--secret-key-accepted", NEW],
    &["--secret-key", NEW, "--secret-key-accepted", OLD],
    &["--secret-key", NEW],
];

fn clock() -> Clock {
    Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"))
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    users(app, "auth/refresh", &json!({"refresh": token})).await
}

fn token(answer: &Answer, name: &str) -> String {
    answer.body[name].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

async fn me(app: &TestApp, access: &str) -> u16 {
    Caller::bearing(app, Some(access)).get("/api/v1/users/me").await.status
}

/// Which key a token says it was signed by.
fn key(token: &str) -> &str {
    token.split('.').next().expect("a header")
}

#[tokio::test]
async fn each_step_of_replacing_the_key_leaves_everybody_signed_in_on_old_and_new_instances() {
    let clock = clock();
    let first = TestApp::with(STATES[0], clock.clone()).await;
    merchant(&first, JOHN).await;
    for (before, after) in [(0, 1), (1, 2), (2, 3)] {
        let one = first.beside(STATES[before], clock.clone()).await;
        let two = first.beside(STATES[after], clock.clone()).await;
        for (home, away) in [(&one, &two), (&two, &one)] {
            let pair = log_in(home, JOHN).await.pair;
            assert_eq!((me(home, pair.access.expose()).await, me(away, pair.access.expose()).await), (200, 200));
            // Tabs that refresh at once are answered by whichever instance, and all get the same successor.
            let answers = join_all((0..8).map(|nth| refresh([&one, &two][nth % 2], pair.refresh.expose()))).await;
            let next: Vec<_> = answers.iter().map(|answer| token(answer, "refresh")).collect();
            for next in &next {
                clock.advance(Duration::from_secs(1));
                assert_eq!(refresh(away, next).await.status, 200, "step {before} to {after}");
            }
        }
    }
    let (old, new) = (first, TestApp::with(STATES[2], clock).await);
    merchant(&new, JOHN).await;
    let (old, new) = (log_in(&old, JOHN).await.pair, log_in(&new, JOHN).await.pair);
    assert_ne!(key(old.access.expose()), key(new.access.expose()), "the new key signs what is new");
}

#[tokio::test]
async fn a_token_of_a_dropped_key_is_none() {
    let clock = clock();
    let before = TestApp::with(STATES[0], clock.clone()).await;
    let (after, dropped) =
        (before.beside(STATES[2], clock.clone()).await, before.beside(STATES[3], clock.clone()).await);
    merchant(&before, JOHN).await;
    let pair = log_in(&before, JOHN).await.pair;
    assert_eq!((me(&after, pair.access.expose()).await, me(&dropped, pair.access.expose()).await), (200, 401));
    let next = refresh(&after, pair.refresh.expose()).await;
    assert_eq!(next.status, 200, "{next:?}");
    // Once all have refreshed, the old key can go.
    assert_eq!(me(&dropped, &token(&next, "access")).await, 200);
    assert_eq!(refresh(&dropped, pair.refresh.expose()).await.status, 401);
    assert_eq!(refresh(&dropped, &token(&next, "refresh")).await.status, 200);
}

/// Asks with a browser's cookies; the status, and how many cookies the reply sets or takes away.
async fn browse(app: &TestApp, pair: &Pair) -> (u16, usize) {
    let cookies = format!("oc_access={}; oc_session={}", pair.access.expose(), pair.refresh.expose());
    let answer = send(app.http.get(format!("{}/api/v1/users/me", app.url)).header("Cookie", cookies)).await;
    (answer.status, answer.headers.get_all(SET_COOKIE).iter().count())
}

#[tokio::test]
async fn an_instance_that_does_not_know_a_key_takes_no_cookies_away() {
    let clock = clock();
    let ahead = TestApp::with(STATES[2], clock.clone()).await;
    let behind = ahead.beside(STATES[0], clock.clone()).await;
    merchant(&ahead, JOHN).await;
    let pair = log_in(&ahead, JOHN).await.pair;
    assert_eq!(browse(&ahead, &pair).await, (200, 0));
    assert_eq!(browse(&behind, &pair).await, (401, 0));
    clock.advance(Duration::from_secs(901));
    assert_eq!(browse(&behind, &pair).await, (401, 0), "not renewed here, and not taken away");
    assert_eq!(browse(&ahead, &pair).await, (200, 2), "renewed where the key is known");
    clock.advance(Duration::from_secs(901));
    assert_eq!(browse(&ahead, &pair).await, (401, 2), "a token that was used before is another matter");
}

#[tokio::test]
async fn a_code_mailed_before_the_key_was_replaced_proves_the_address_after() {
    let (clock, mut office) = (clock(), PostOffice::open());
    let before = TestApp::with(&[STATES[1], &[&office.flag()]].concat(), clock.clone()).await;
    let code = sign_up(&before, &mut office, JOHN).await;
    let after = before.beside(&[STATES[2], &[&office.flag()]].concat(), clock.clone()).await;
    let answer = users(&after, "verify-otp", &json!({"email": JOHN, "otp": code})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
