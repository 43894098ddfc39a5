//! What attackers try on accounts by asking again, or many times at once: to learn who is known, to get in all the same.

use ordercast::accounts::people::register::SignUp;
use ordercast::base::Secret;
use serde_json::{Value, json};

use crate::app::people::{JOHN, PASSWORD, approve, sign_up, users, with_mail};

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
            people.verify(email, &right).await
        };
        let (signed_up, proven) = tokio::join!(people.register(thief), prove);
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
