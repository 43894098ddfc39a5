//! What attackers try on accounts: guessing codes and passwords, telling who is known, forging and repeating tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use ordercast::accounts::Role;
use ordercast::base::{Clock, Keys};
use ordercast::jobs::CodePurpose;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller};
use crate::app::people::{
    JOHN, PASSWORD, approve, code, log_in, merchant, sign_up, signed_in, staff, users, with_mail,
};
use crate::rows::number;

const NOBODY: &str = "nobody@example.com";

fn otp(email: &str, code: &str) -> Value {
    json!({"email": email, "otp": code})
}

/// Six digits that are not these.
fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("digits");
    format!("{:06}", (number + 1) % 1_000_000)
}

#[tokio::test]
async fn a_code_bears_five_tries_however_many_are_made_at_once() {
    let (app, mut office, clock) = with_mail().await;
    let right = sign_up(&app, &mut office, JOHN).await;
    let wrong = other_than(&right);
    let guesses = join_all((0..20).map(|_| users(&app, "verify-otp", &Value::Null))).await;
    assert!(guesses.iter().all(|answer| answer.status == 400), "nonsense is no try");
    let wrong = otp(JOHN, &wrong);
    let guesses = join_all((0..20).map(|_| users(&app, "verify-otp", &wrong))).await;
    assert!(guesses.iter().all(|answer| answer.problem() == (400, "bad_otp")));
    let tries = "SELECT CAST(tries AS bigint) AS n FROM account_codes WHERE purpose = 'verify'";
    assert_eq!(number(&app.parts.db, tries).await, 5);
    assert_eq!(users(&app, "verify-otp", &otp(JOHN, &right)).await.problem(), (400, "bad_otp"), "it is spent");
    clock.advance(Duration::from_secs(61));
    users(&app, "request-otp", &json!({"email": JOHN})).await;
    let next = code(&office.next().await);
    assert_eq!(users(&app, "verify-otp", &otp(JOHN, &next)).await.status, 200);
}

#[tokio::test]
async fn a_code_works_once_for_ten_minutes_for_its_purpose_and_until_the_next_one() {
    let (app, mut office, clock) = with_mail().await;
    let first = sign_up(&app, &mut office, JOHN).await;
    clock.advance(Duration::from_secs(601));
    assert_eq!(users(&app, "verify-otp", &otp(JOHN, &first)).await.status, 400, "run out");
    users(&app, "request-otp", &json!({"email": JOHN})).await;
    let second = code(&office.next().await);
    clock.advance(Duration::from_secs(61));
    users(&app, "request-otp", &json!({"email": JOHN})).await;
    let third = code(&office.next().await);
    assert_ne!(second, third);
    assert_eq!(users(&app, "verify-otp", &otp(JOHN, &second)).await.status, 400, "replaced");
    let reset = json!({"email": JOHN, "otp": third, "password": PASSWORD});
    assert_eq!(users(&app, "auth/password/reset", &reset).await.status, 400, "made for something else");
    merchant(&app, "other@example.com").await;
    assert_eq!(
        users(&app, "verify-otp", &otp("other@example.com", &third)).await.status,
        400,
        "made for somebody else"
    );
    let right = otp(" John@Example.com ", &third);
    let mut uses: Vec<u16> =
        join_all((0..4).map(|_| users(&app, "verify-otp", &right))).await.iter().map(|answer| answer.status).collect();
    uses.sort_unstable();
    assert_eq!(uses, [200, 400, 400, 400], "of uses at once one is good");
    assert_eq!(users(&app, "verify-otp", &otp(JOHN, &third)).await.status, 400, "used");
}

#[tokio::test]
async fn codes_are_sent_once_a_minute_and_ten_times_a_day() {
    let (app, mut office, clock) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    let sends = "SELECT CAST(sends AS bigint) AS n FROM account_codes WHERE purpose = 'verify'";
    let ask = async || {
        assert_eq!(users(&app, "request-otp", &json!({"email": JOHN})).await.status, 200);
    };
    for _ in 0..3 {
        ask().await;
    }
    assert_eq!(number(&app.parts.db, sends).await, 1, "within the minute");
    for sent in 2..=10 {
        clock.advance(Duration::from_secs(61));
        ask().await;
        office.next().await;
        assert_eq!(number(&app.parts.db, sends).await, sent);
    }
    clock.advance(Duration::from_secs(61));
    ask().await;
    assert_eq!(number(&app.parts.db, sends).await, 10, "that is enough for a day");
    clock.advance(Duration::from_secs(24 * 3600));
    ask().await;
    office.next().await;
    assert_eq!(number(&app.parts.db, sends).await, 1);
}

async fn account(app: &TestApp) -> ordercast::base::id::AccountId {
    let seeking = ordercast::accounts::people::staff::Seeking { text: Some(JOHN.into()), ..Default::default() };
    app.parts.people.list(seeking, None, 1).await.expect("people").data[0].person.id
}

#[tokio::test]
async fn no_code_stands_in_the_database_or_in_the_queue() {
    let (app, mut office, _) = with_mail().await;
    let right = sign_up(&app, &mut office, JOHN).await;
    let account = account(&app).await;
    for table in ["account_codes", "accounts", "audit_log", "jobs"] {
        let rows = dump(&app, table).await;
        assert!(!rows.contains(&right), "{table}: {rows}");
    }
    assert!(app.parts.codes.make(account, CodePurpose::Reset).await.expect("a database").is_none(), "nobody asked");
}

/// Every row of a table as text.
async fn dump(app: &TestApp, table: &str) -> String {
    use ordercast::load;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        row: String,
    }
    let columns = match table {
        "account_codes" => "purpose",
        "accounts" => "email || name || password_hash",
        "audit_log" => "subject_id || action || detail",
        _ => "kind || payload",
    };
    let query = format!("SELECT {columns} AS row FROM {table}");
    let rows =
        app.parts.db.read(move |conn| Box::pin(async move { Ok(load!(conn, Row, diesel::sql_query(query))?) })).await;
    rows.expect("rows").into_iter().map(|row| row.row + "\n").collect()
}

/// What a caller can see of an answer, but for the name of its request; of an identifier the form.
fn seen(answer: Answer) -> (u16, Value, Vec<String>) {
    let mut body = answer.body;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("request_id");
        if let Some(id) = fields.get_mut("id") {
            let form = Uuid::parse_str(id.as_str().unwrap_or_default()).map(|id| id.get_version_num());
            *id = json!(form.ok());
        }
    }
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status, body, names)
}

#[tokio::test]
async fn a_known_address_looks_like_an_unknown_one_and_costs_the_same_work() {
    let (app, mut office, _) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    approve(&app, JOHN).await;
    let bodies = [
        ("auth/login", json!({"email": "", "password": "not the password"})),
        ("kyc/token", json!({"email": "", "password": "not the password"})),
        ("verify-otp", json!({"email": "", "otp": "000000"})),
        ("request-otp", json!({"email": ""})),
        ("auth/password/forgot", json!({"email": ""})),
        ("auth/password/reset", json!({"email": "", "otp": "000000", "password": PASSWORD})),
        ("auth/register", json!({"email": "", "password": PASSWORD, "company_name": "johndoe"})),
    ];
    for (path, body) in bodies {
        let ask = async |email: &str| {
            let mut body = body.clone();
            body["email"] = json!(email);
            let before = app.parts.passwords.done();
            let (status, mut reply, headers) = seen(users(&app, path, &body).await);
            if let Some(told) = reply.get_mut("email") {
                *told = json!("");
            }
            (status, reply, headers, app.parts.passwords.done() - before)
        };
        assert_eq!(ask(JOHN).await, ask(NOBODY).await, "{path}");
    }
    // The owner learns of it: the code that was asked for, and that somebody tried to sign up.
    let mut subjects = Vec::new();
    while subjects.len() < 2 {
        let mail = office.next().await;
        if mail.to == JOHN {
            subjects.push(mail.header("Subject").expect("a subject").to_owned());
        }
    }
    subjects.sort();
    assert_eq!(subjects, ["You have an account already", "Your code to choose a new password"]);
    assert_eq!(log_in(&app, JOHN).await.login.person.email, JOHN, "and nothing about the account was changed");
}

#[tokio::test]
async fn after_five_wrong_passwords_an_account_is_locked_and_a_reset_opens_it() {
    let (app, mut office, clock) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    approve(&app, JOHN).await;
    let try_with = async |password: &str| {
        let before = app.parts.passwords.done();
        let answer = users(&app, "auth/login", &json!({"email": JOHN, "password": password})).await;
        assert_eq!(app.parts.passwords.done() - before, 1, "locked or not, the work is the same");
        answer.status
    };
    for _ in 0..5 {
        assert_eq!(try_with("wrong password").await, 401);
    }
    assert_eq!(try_with(PASSWORD).await, 401, "locked");
    clock.advance(Duration::from_secs(31));
    assert_eq!(try_with("wrong password").await, 401);
    clock.advance(Duration::from_secs(31));
    assert_eq!(try_with(PASSWORD).await, 401, "twice as long");
    clock.advance(Duration::from_secs(30));
    assert_eq!(try_with(PASSWORD).await, 200);
    for _ in 0..5 {
        assert_eq!(try_with("wrong password").await, 401, "counted from the start again");
    }
    users(&app, "auth/password/forgot", &json!({"email": JOHN})).await;
    let mail = office.next().await;
    let reset = json!({"email": JOHN, "otp": code(&mail), "password": PASSWORD});
    assert_eq!(users(&app, "auth/password/reset", &reset).await.status, 200);
    assert_eq!(try_with(PASSWORD).await, 200);
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    staff(&app, Role::SuperAdmin, "chief@host.example").await;
    let opened = log_in(&app, JOHN).await;
    let (access, refresh) = (opened.pair.access.expose(), opened.pair.refresh.expose());
    let parts: Vec<&str> = access.split('.').collect();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64")).expect("claims");
    let mut names: Vec<_> = claims.as_object().expect("claims").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["aud", "company", "exp", "iat", "iss", "role", "sid", "sub"]);
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).expect("base64")).expect("a header");
    assert_eq!((&header["alg"], header["kid"].is_string()), (&json!("HS256"), true));
    claims["role"] = json!("super_admin");
    let raised = encode(&claims);
    let now = clock.now();
    let strange = Keys::new(Keys::generate(), vec![]).expect("a key");
    let later = now.checked_add(Duration::from_secs(900)).expect("a time");
    let with_strange_key = strange.issue("access", &claims, now, later).expect("a token");
    let mut none = header.clone();
    none["alg"] = json!("none");
    let forged = [
        format!("{}.{}.", encode(&none), parts[1]),
        format!("{}.{}.{}", encode(&none), raised, parts[2]),
        format!("{}.{}.{}", parts[0], raised, parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        with_strange_key,
        refresh.to_owned(),
        "a.b.c".to_owned(),
    ];
    for token in &forged {
        let caller = Caller::bearing(&app, Some(token));
        for path in ["/api/v1/users/me", "/api/v1/orders", "/api/v1/admin/people", "/api/v1/company/people"] {
            assert_eq!(caller.get(path).await.problem(), (401, "unauthenticated"), "{token} {path}");
        }
    }
    for token in [access, &forged[0], "", "a.b.c"] {
        assert_eq!(users(&app, "auth/refresh", &json!({"refresh": token})).await.problem(), (401, "unauthenticated"));
    }
    let john = Caller::bearing(&app, Some(access));
    assert_eq!(john.get("/api/v1/users/me").await.status, 200);
    let nobody = Caller::bearing(&app, None);
    let in_address = nobody.get(&format!("/api/v1/users/me?token={access}")).await;
    assert_eq!(in_address.status, 401, "never in an address");
    assert_eq!(nobody.get(&format!("/api/v1/orders?token={access}")).await.status, 401);
    clock.advance(Duration::from_secs(901));
    assert_eq!(john.get("/api/v1/users/me").await.problem(), (401, "unauthenticated"), "run out");
}

#[tokio::test]
async fn a_token_of_the_right_key_is_good_for_its_audience_and_time_only() {
    let key = Keys::generate();
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let flags = ["--secret-key", key.expose(), "--rate-guess=0", "--rate-public=0"];
    let app = TestApp::with(&flags, clock.clone()).await;
    merchant(&app, JOHN).await;
    let opened = log_in(&app, JOHN).await;
    let payload = opened.pair.access.expose().split('.').nth(1).expect("claims").to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("claims");
    // What the token says of its person; audience and times are said by whoever issues it.
    let claims =
        |role: &str| json!({"sub": claims["sub"], "sid": claims["sid"], "company": claims["company"], "role": role});
    let own = Keys::new(key.clone(), vec![]).expect("a key");
    let now = clock.now();
    let later = now.checked_add(Duration::from_secs(900)).expect("a time");
    let issue = |aud: &str, until| own.issue(aud, claims("super_admin"), now, until).expect("a token");
    let right = issue("access", later);
    let raised = Caller::bearing(&app, Some(&right));
    let me = raised.get("/api/v1/users/me").await;
    assert_eq!((me.status, &me.body["role"]), (200, &json!("vendor")), "a role is not read from a token");
    assert_eq!(raised.get("/api/v1/admin/people").await.problem(), (403, "forbidden"));
    for token in ["refresh", "pass", "onboarding", "Access", "", "*"].map(|aud| issue(aud, later)) {
        let status = Caller::bearing(&app, Some(&token)).get("/api/v1/orders").await.status;
        assert_eq!(status, 401, "{token}");
    }
    let over = issue("access", now);
    assert_eq!(Caller::bearing(&app, Some(&over)).get("/api/v1/users/me").await.problem(), (401, "unauthenticated"));
    let refresh = users(&app, "auth/refresh", &json!({"refresh": right})).await;
    assert_eq!(refresh.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_sign_in_for_papers_is_good_for_nothing_else() {
    let (app, mut office, _) = with_mail().await;
    let right = sign_up(&app, &mut office, JOHN).await;
    let body = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "kyc/token", &body).await.problem(), (403, "account_not_verified"));
    assert_eq!(users(&app, "auth/login", &body).await.problem(), (403, "account_not_verified"));
    users(&app, "verify-otp", &otp(JOHN, &right)).await;
    let limited = users(&app, "kyc/token", &body).await;
    let limited = Caller::bearing(&app, limited.body["access"].as_str());
    let me = limited.get("/api/v1/users/me").await;
    assert_eq!((me.status, &me.body["access"]), (200, &json!("onboarding")));
    for path in ["/api/v1/orders", "/api/v1/company/people", "/api/v1/admin/people"] {
        assert_eq!(limited.get(path).await.problem(), (401, "unauthenticated"), "{path}");
    }
    approve(&app, JOHN).await;
    assert_eq!(limited.get("/api/v1/orders").await.status, 401, "approval makes no more of it");
    assert_eq!(users(&app, "kyc/token", &body).await.problem(), (403, "account_active"));
}

#[tokio::test]
async fn codes_and_passwords_are_guessed_ten_times_a_minute_from_one_address() {
    let app = TestApp::start().await;
    let body = json!({"email": NOBODY, "password": "guess", "otp": "000000"});
    let mut statuses = Vec::new();
    for path in ["auth/login", "verify-otp", "auth/password/forgot", "kyc/token", "auth/password/change"]
        .iter()
        .cycle()
        .take(11)
    {
        statuses.push(users(&app, path, &body).await.status);
    }
    assert!(statuses[..10].iter().all(|status| *status != 429), "{statuses:?}");
    assert_eq!(statuses[10], 429);
}

#[tokio::test]
async fn a_browsers_cookies_count_only_for_pages_of_this_site() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    let opened = log_in(&app, JOHN).await;
    let cookie = format!("oc_access={}; oc_session={}", opened.pair.access.expose(), opened.pair.refresh.expose());
    let rename = |headers: &[(&str, &str)]| {
        let request = app.http.patch(format!("{}/api/v1/users/me", app.url)).header("Cookie", &cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        crate::app::caller::send(request.json(&json!({"name": "Mallory"})))
    };
    for headers in [
        vec![],
        vec![("Origin", "https://evil.example")],
        vec![("Origin", "null")],
        vec![("Sec-Fetch-Site", "cross-site")],
        vec![("Sec-Fetch-Site", "same-site")],
        vec![("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    ] {
        assert_eq!(rename(&headers).await.problem(), (403, "forbidden"), "{headers:?}");
    }
    let (john, _) = signed_in(&app, JOHN).await;
    assert_eq!(john.get("/api/v1/users/me").await.body["name"], JOHN);
    assert_eq!(rename(&[("Origin", &app.url)]).await.status, 200);
    assert_eq!(rename(&[("Sec-Fetch-Site", "same-origin")]).await.status, 200);
    let read = app.http.get(format!("{}/api/v1/users/me", app.url)).header("Cookie", &cookie);
    assert_eq!(crate::app::caller::send(read).await.status, 200, "reading needs no page");
    let from_elsewhere = app.http.post(format!("{}/api/v1/users/auth/logout", app.url)).header("Cookie", &cookie);
    assert_eq!(crate::app::caller::send(from_elsewhere).await.problem(), (403, "forbidden"));
    let nobody = Caller::bearing(&app, None);
    assert_eq!(nobody.send(Method::PATCH, "/api/v1/users/me", &json!({"name": "x"})).await.status, 401);
}
