//! Who is known here is told neither by words nor by work nor by time: each question about an address costs the same
//! whether somebody has it or not.

use std::sync::mpsc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::people::{JOHN, PASSWORD, approve, sign_up, users, with_mail};
use crate::rows::number;

const NOBODY: &str = "nobody@example.com";
/// The floor of replies that are worked out before they are given.
const FLOOR: Duration = Duration::from_millis(100);

/// A question's answer, how many passwords were hashed for it, and how long it took.
async fn ask(app: &TestApp, path: &str, body: &Value, email: &str) -> (Answer, u64, Duration) {
    let mut body = body.clone();
    body["email"] = json!(email);
    let (before, began) = (app.parts.passwords.done(), Instant::now());
    let answer = users(app, path, &body).await;
    (answer, app.parts.passwords.done() - before, began.elapsed())
}

#[tokio::test]
async fn a_reply_that_was_worked_out_hashes_as_much_and_comes_no_earlier_for_any_address() {
    let (app, mut office, _) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    approve(&app, JOHN).await;
    sign_up(&app, &mut office, "unproven@example.com").await;
    for (path, body, hashes) in [
        ("auth/login", json!({"password": "not the password"}), 1),
        ("kyc/token", json!({"password": "not the password"}), 1),
        ("verify-otp", json!({"otp": "000000x"}), 0),
        ("auth/password/reset", json!({"otp": "000000x", "password": PASSWORD}), 1),
        ("auth/register", json!({"password": PASSWORD, "company_name": "johndoe"}), 1),
    ] {
        for email in [JOHN, "unproven@example.com", NOBODY, "no address at all"] {
            let (answer, hashed, took) = ask(&app, path, &body, email).await;
            if path == "auth/register" && email == "no address at all" {
                assert_eq!((answer.status, hashed), (400, 0), "told from the address alone, whoever has one");
                continue;
            }
            assert_eq!(hashed, hashes, "{path} {email}");
            assert!(took >= FLOOR, "{path} {email}: {took:?}");
        }
    }
}

/// What lets the row go when it is dropped: SQLite's bodies wait on their own thread, PostgreSQL's do not.
type Release = (mpsc::Sender<()>, oneshot::Sender<()>);

/// Holds the row of a person until it is told to let go.
async fn hold(app: &TestApp, email: &str, held: oneshot::Sender<Release>) -> ordercast::base::Result<()> {
    let query = format!("UPDATE accounts SET name = name WHERE email = '{email}'");
    let is_sqlite = app.parts.db.engine() == "sqlite";
    let done = app.parts.db.transact(move |conn| {
        Box::pin(async move {
            ordercast::execute!(conn, diesel::sql_query(query))?;
            let ((blocking, block), (waiting, wait)) = (mpsc::channel(), oneshot::channel());
            held.send((blocking, waiting)).ok();
            if is_sqlite {
                block.recv().ok();
            } else {
                wait.await.ok();
            }
            Ok(())
        })
    });
    done.await
}

#[tokio::test]
async fn a_code_that_is_asked_for_is_answered_before_anybody_looks_who_asks() {
    let (app, mut office, clock) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    clock.advance(Duration::from_secs(61));
    let pages = [("/forgot", "email"), ("/signup/resend", "email")];
    let (url, http) = (app.url.clone(), app.http.clone());
    let asking = Caller::bearing(&app, None);
    let questions: Vec<_> = [JOHN, NOBODY]
        .into_iter()
        .flat_map(|email| {
            let body = json!({"email": email});
            let post = |path: &str| asking.request(Method::POST, path).json(&body);
            let form = |(path, field): (&str, &str)| {
                let request = http.post(format!("{url}{path}")).header("Origin", &url);
                request.header("Content-Type", "application/x-www-form-urlencoded").body(format!("{field}={email}"))
            };
            let forms: Vec<_> = pages.into_iter().map(form).collect();
            [post("/api/v1/users/request-otp"), post("/api/v1/users/auth/password/forgot")].into_iter().chain(forms)
        })
        .collect();
    // Nobody can look the person up to write a code for it: its row is held for as long as the questions take.
    let (held, is_held) = oneshot::channel();
    let hold = hold(&app, JOHN, held);
    let asking = async {
        let release = is_held.await.expect("a held row");
        let mut statuses = Vec::new();
        for question in questions {
            statuses.push(send(question).await.status);
        }
        drop(release);
        statuses
    };
    let (held, statuses) = tokio::join!(hold, asking);
    held.expect("a transaction");
    assert_eq!(statuses, [200, 202, 202, 202, 200, 202, 202, 202], "answered all the same, known and unknown alike");
    // Then they are looked at, and the one who is known gets its letters: the second code of each kind is too soon.
    let mails = [office.next().await, office.next().await].map(|mail| mail.to);
    assert_eq!(mails, [JOHN, JOHN]);
    let sent = "SELECT CAST(sum(sends) AS bigint) AS n FROM account_codes";
    assert_eq!(number(&app.parts.db, sent).await, 3, "at sign-up, and one of each kind now");
}
