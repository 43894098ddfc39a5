//! What attackers try on accounts by asking again, or many times at once: to learn who is known, to get in all the same.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::accounts::people::register::SignUp;
use ordercast::accounts::sessions::{Entrance, Origin};
use ordercast::base::Secret;
use serde_json::{Value, json};

use crate::app::people::{JOHN, PASSWORD, approve, code, merchant, sign_up, signed_in, users, with_mail};
use crate::rows::number;

#[tokio::test]
async fn a_sign_up_is_answered_with_another_identifier_each_time_whoever_has_the_address() {
    let (app, mut office, _) = with_mail().await;
    let mut ids: Vec<Value> = Vec::new();
    let mut ask = async |email: &str| {
        let body = json!({"company_name": "johndoe", "email": email, "password": PASSWORD});
        let answer = users(&app, "auth/register", &body).await;
        assert_eq!((answer.status, &answer.body["email"]), (201, &json!(email)));
        ids.push(answer.body["id"].clone());
    };
    ask(JOHN).await;
    for _unproven in 0..3 {
        ask(JOHN).await;
    }
    office.next().await;
    approve(&app, JOHN).await;
    for _proven in 0..3 {
        ask(JOHN).await;
    }
    ask("another@example.com").await;
    ask("another@example.com").await;
    let mut different: Vec<String> = ids.iter().map(ToString::to_string).collect();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[tokio::test]
async fn an_address_that_is_proven_at_this_moment_is_not_taken_over_by_another_sign_up() {
    let (app, mut office, _) = with_mail().await;
    let people = &app.parts.people;
    for email in ["one@example.com", "two@example.com", "three@example.com"] {
        let right = sign_up(&app, &mut office, email).await;
        let thief = SignUp { company_name: "thief".into(), email: email.into(), password: Secret::new("thiefs-own") };
        // The owner's code comes in about when the thief's password has been hashed.
        let prove = async {
            app.parts.passwords.hash(Secret::new("as long as the other")).await.expect("a hash");
            people.verify(email, &right, None).await
        };
        let (signed_up, proven) = tokio::join!(people.register(thief, None), prove);
        assert!(signed_up.is_ok(), "{signed_up:?}");
        let with = |password| json!({"email": email, "password": password});
        let (own, thiefs) =
            (users(&app, "kyc/token", &with(PASSWORD)).await, users(&app, "kyc/token", &with("thiefs-own")).await);
        if proven.is_ok() {
            assert_eq!((own.status, thiefs.status), (200, 401), "who proved it has it");
            office.next().await;
        } else {
            assert_eq!((own.status, thiefs.status), (401, 403), "nobody has proved it yet");
        }
    }
}

#[tokio::test]
async fn of_wrong_passwords_at_once_no_more_are_tried_than_one_after_the_other() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    let wrong = json!({"email": JOHN, "password": "wrong password"});
    let right = json!({"email": JOHN, "password": PASSWORD});
    let answers = join_all((0..12).map(|_| users(&app, "auth/login", &wrong))).await;
    assert!(answers.iter().all(|answer| answer.status == 401));
    let counted = format!("SELECT CAST(failed_logins AS bigint) AS n FROM accounts WHERE email = '{JOHN}'");
    assert_eq!(number(&app.parts.db, &counted).await, 5, "the fifth locks the account against all others");
    assert_eq!(users(&app, "auth/login", &right).await.status, 401);
}

#[tokio::test]
async fn a_password_is_not_guessed_by_changing_it() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    let (john, _) = signed_in(&app, JOHN).await;
    let change = async |old: &str| {
        let body = json!({"old_password": old, "new_password": "a-better-password"});
        john.post("/api/v1/users/auth/password/change", &body).await
    };
    for _ in 0..5 {
        assert_eq!(change("wrong password").await.problem(), (400, "wrong_password"));
    }
    assert_eq!(change(PASSWORD).await.problem(), (400, "wrong_password"), "locked");
    let right = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &right).await.status, 401, "the same lock");
    clock.advance(Duration::from_secs(31));
    assert_eq!(change(PASSWORD).await.status, 200);
}

#[tokio::test]
async fn no_sign_in_with_the_old_password_outlives_a_reset_of_the_same_moment() {
    let (app, mut office, _) = with_mail().await;
    let (account, _) = merchant(&app, JOHN).await;
    office.next().await;
    users(&app, "auth/password/forgot", &json!({"email": JOHN})).await;
    let right = code(&office.next().await);
    let sessions = &app.parts.sessions;
    let (_opened, reset) = tokio::join!(
        join_all((0..4).map(|_| sessions.log_in(JOHN, Secret::new(PASSWORD), Entrance::Account, Origin::default()))),
        app.parts.people.reset_password(JOHN, &right, Secret::new("a-better-password"), None),
    );
    assert!(reset.is_ok(), "{reset:?}");
    assert_eq!(sessions.list(account).await.expect("sign-ins").len(), 0);
}
