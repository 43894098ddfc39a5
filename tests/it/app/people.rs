//! People for tests: signed up over HTTP with a code from the post office, or put there at once where that is not the point.

use ordercast::accounts::people::register::SignUp;
use ordercast::accounts::sessions::{Entrance, Kind, Origin};
use ordercast::accounts::{Login, Opened, Role};
use ordercast::base::id::{AccountId, CompanyId};
use ordercast::base::{Actor, Clock, Secret};
use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::post_office::{Arrived, PostOffice};
use super::{TestApp, journal};
use crate::rows::run;

/// The password of everybody here.
pub const PASSWORD: &str = "securepassword123";
/// The address of the reference's examples.
pub const JOHN: &str = "john@example.com";

/// An instance whose mail can be read and whose clock stands still, without limits per address.
pub async fn with_mail() -> (TestApp, PostOffice, Clock) {
    let office = PostOffice::open();
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&[&office.flag(), "--rate-guess=0", "--rate-public=0"], clock.clone()).await;
    (app, office, clock)
}

/// The six digits in a mail.
pub fn code(mail: &Arrived) -> String {
    let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    let (_, body) = mail.text.split_once("\n\n").expect("a body");
    let code = body.lines().find(is_code).unwrap_or_else(|| panic!("no code in\n{}", mail.text));
    journal::secret(code);
    code.to_owned()
}

/// Posts without a credential.
pub async fn post(app: &TestApp, path: &str, body: &Value) -> Answer {
    Caller::bearing(app, None).post(path, body).await
}

/// Posts to one of the paths of accounts.
pub async fn users(app: &TestApp, path: &str, body: &Value) -> Answer {
    post(app, &format!("/api/v1/users/{path}/"), body).await
}

/// Signs up over HTTP; the code that came by mail.
pub async fn sign_up(app: &TestApp, office: &mut PostOffice, email: &str) -> String {
    let body = json!({"company_name": "johndoe", "email": email, "password": PASSWORD});
    assert_eq!(users(app, "auth/register", &body).await.status, 201);
    let mail = office.next().await;
    assert_eq!(mail.to, email);
    code(&mail)
}

/// Somebody of a company of its own that is approved already.
pub async fn merchant(app: &TestApp, email: &str) -> (AccountId, CompanyId) {
    let new = SignUp { company_name: email.into(), email: email.into(), password: Secret::new(PASSWORD) };
    let account = app.parts.people.register(new, None).await.expect("a sign-up").id;
    let company = app.parts.people.get(account).await.expect("a person").person.company.expect("a company");
    approve(app, email).await;
    (account, company)
}

/// Proves an address and approves its company, without mail and papers.
pub async fn approve(app: &TestApp, email: &str) {
    run(&app.parts.db, &format!("UPDATE accounts SET verified_at = created_at WHERE email = '{email}'")).await;
    let company = format!("(SELECT company_id FROM accounts WHERE email = '{email}')");
    run(&app.parts.db, &format!("UPDATE companies SET state = 'active' WHERE id = {company}")).await;
}

/// Somebody who runs the platform.
pub async fn staff(app: &TestApp, role: Role, email: &str) -> AccountId {
    let made = app.parts.people.create_staff(Actor::System("tests"), role, email, "Rina", Secret::new(PASSWORD)).await;
    made.expect("an account").id
}

/// Opens a sign-in with the password.
pub async fn log_in(app: &TestApp, email: &str) -> Opened {
    let opened = app.parts.sessions.log_in(email, Secret::new(PASSWORD), Entrance::Account, Origin::default()).await;
    let opened = opened.unwrap_or_else(|error| panic!("{email}: {error}"));
    journal::secret(PASSWORD);
    journal::secret(opened.pair.access.expose());
    journal::secret(opened.pair.refresh.expose());
    opened
}

/// A caller who has signed in.
pub async fn signed_in<'a>(app: &'a TestApp, email: &str) -> (Caller<'a>, Login) {
    let opened = log_in(app, email).await;
    assert_eq!(opened.login.kind, Kind::Full);
    (Caller::bearing(app, Some(opened.pair.access.expose())), opened.login)
}
