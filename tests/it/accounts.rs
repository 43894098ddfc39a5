//! People over HTTP: the examples of reference/001, then everything that stands beside them.

use std::time::Duration;

use ordercast::accounts::Role;
use ordercast::orders::NewOrder;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::TestApp;
use crate::app::caller::{Caller, send};
use crate::app::people::{
    JOHN, PASSWORD, approve, code, log_in, merchant, post, sign_up, signed_in, staff, users, with_mail,
};
use crate::exchange::{Reply, send as send_exactly};
use crate::rows::number;

/// Sends the request of a golden file, its path ending so, and compares the reply; a value `ANY_ID` or `ANY_TOKEN` stands
/// for any of its form.
async fn replay(app: &TestApp, end: &str, golden: &str, values: &[(&str, &str)]) -> Reply {
    let filled = values.iter().fold(golden.to_owned(), |text, (name, value)| text.replace(name, value));
    let (request, expected) = filled.split_once("\n---\n").expect("a request, ---, a reply");
    let (head, body) = request.split_once("\n\n").expect("a body");
    let (line, header) = head.split_once('\n').expect("a header");
    let (method, path) = line.split_once(' ').expect("a request line");
    let header = header.split_once(": ").expect("a header");
    let method: Method = method.parse().expect("a method");
    let slashless = path.strip_suffix('/').expect("a slash, as in the reference");
    let reply = send_exactly(app, method, &format!("{slashless}{end}"), &[header], body.into()).await;
    let (head, body) = expected.split_once("\n\n").unwrap_or((expected.trim_end(), ""));
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some(reply.status.to_string().as_str()), "{reply:?}");
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        assert_eq!(reply.header(name), value, "{reply:?}");
    }
    if body.trim().is_empty() {
        assert_eq!(reply.body, "");
    } else {
        compare(&reply.json(), &serde_json::from_str(body).expect("JSON in the golden file"));
    }
    reply
}

fn compare(got: &Value, expected: &Value) {
    let Some(fields) = expected.as_object() else {
        assert_eq!(got, expected);
        return;
    };
    let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(expected), "{got}");
    for (name, value) in fields {
        let text = got[name].as_str().unwrap_or_default();
        match value.as_str() {
            Some("ANY_ID") => assert!(Uuid::parse_str(text).is_ok(), "{name} of {got}"),
            Some("ANY_TOKEN") => assert_eq!(text.split('.').count(), 3, "{name} of {got}"),
            _ => assert_eq!(&got[name], value, "{name} of {got}"),
        }
    }
}

macro_rules! golden {
    ($file:literal) => {
        include_str!(concat!("golden/my_order_fellow/", $file, ".http"))
    };
}

#[tokio::test]
async fn the_examples_of_the_reference_are_answered_from_registration_to_logout() {
    answer_the_examples("/").await;
}

#[tokio::test]
async fn the_examples_are_answered_the_same_without_the_trailing_slash() {
    answer_the_examples("").await;
}

async fn answer_the_examples(end: &str) {
    let (app, mut office, clock) = with_mail().await;
    let registered = replay(&app, end, golden!("register"), &[]).await.json();
    let first = office.next().await;
    assert_eq!((first.to.as_str(), first.header("Subject")), (JOHN, Some("Your code to verify your e-mail address")));
    clock.advance(Duration::from_secs(61));
    replay(&app, end, golden!("request_otp"), &[]).await;
    let second = office.next().await;
    replay(&app, end, golden!("verify_otp"), &[("ANY_CODE", &code(&second))]).await;

    // Verified, and still waiting for approval.
    let body = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &body).await.problem(), (403, "account_not_active"));
    let wrong = users(&app, "auth/login", &json!({"email": JOHN, "password": "something else"})).await;
    assert_eq!(wrong.problem(), (401, "unauthenticated"));
    assert_eq!(wrong.body["detail"], "No active account found with the given credentials");
    approve(&app, JOHN).await;

    let login = replay(&app, end, golden!("login"), &[]).await.json();
    assert_eq!(login["id"], registered["id"]);
    let (access, refresh) = (login["access"].as_str().expect("a token"), login["refresh"].as_str().expect("a token"));
    let john = Caller::bearing(&app, Some(access));
    assert_eq!(john.get("/api/v1/users/me/").await.body["company"]["name"], "johndoe");
    // Only the request is filled: the reply of a logout has no body.
    replay(&app, end, golden!("logout"), &[("ANY_TOKEN", refresh)]).await;
    assert_eq!(john.get("/api/v1/users/me").await.problem(), (401, "unauthenticated"));
    let refused = users(&app, "auth/refresh", &json!({"refresh": refresh})).await;
    assert_eq!(refused.problem(), (401, "unauthenticated"));
    replay(&app, end, golden!("logout"), &[("ANY_TOKEN", refresh)]).await;
}

#[tokio::test]
async fn what_cannot_be_signed_up_with_is_refused_field_by_field() {
    let (app, _office, _) = with_mail().await;
    let good = json!({"company_name": "johndoe", "email": JOHN, "password": PASSWORD});
    for (field, value, code) in [
        ("company_name", " ", "bad_company_name"),
        ("email", "john", "bad_email"),
        ("password", "1234567", "bad_password"),
    ] {
        let mut body = good.clone();
        body[field] = json!(value);
        let answer = post(&app, "/api/v1/users/auth/register", &body).await;
        assert_eq!(answer.problem(), (400, code));
        assert_eq!((&answer.body["field"], answer.body["detail"].is_string()), (&json!(field), true));
    }
    assert_eq!(post(&app, "/api/v1/users/auth/register", &json!({"email": JOHN})).await.status, 400);
}

#[tokio::test]
async fn whoever_signs_up_last_with_an_unproven_address_is_who_its_code_proves() {
    let (app, mut office, clock) = with_mail().await;
    let earlier = sign_up(&app, &mut office, JOHN).await;
    let again = json!({"company_name": "Juniper", "email": "JOHN@example.com", "password": "another-password"});
    assert_eq!(users(&app, "auth/register", &again).await.status, 201);
    let verify = |otp: String| json!({"email": JOHN, "otp": otp});
    assert_eq!(users(&app, "verify-otp", &verify(earlier)).await.problem(), (400, "bad_otp"));
    clock.advance(Duration::from_secs(61));
    users(&app, "request-otp", &json!({"email": JOHN})).await;
    let later = code(&office.next().await);
    assert_eq!(users(&app, "verify-otp", &verify(later)).await.status, 200);
    approve(&app, JOHN).await;
    let old = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &old).await.status, 401);
    let login = users(&app, "auth/login", &json!({"email": JOHN, "password": "another-password"})).await;
    assert_eq!((login.status, &login.body["company_name"]), (200, &json!("Juniper")));
}

#[tokio::test]
async fn a_forgotten_password_is_set_anew_by_mail_and_ends_every_sign_in() {
    let (app, mut office, _) = with_mail().await;
    sign_up(&app, &mut office, JOHN).await;
    approve(&app, JOHN).await;
    let (john, _) = signed_in(&app, JOHN).await;
    assert_eq!(users(&app, "auth/password/forgot", &json!({"email": JOHN})).await.status, 202);
    let mail = office.next().await;
    assert_eq!(mail.header("Subject"), Some("Your code to choose a new password"));
    let reset = |password: &str| json!({"email": JOHN, "otp": code(&mail), "password": password});
    let weak = users(&app, "auth/password/reset", &reset("short")).await;
    assert_eq!(weak.problem(), (400, "bad_password"), "and the code is not used up");
    assert_eq!(users(&app, "auth/password/reset", &reset("a-better-password")).await.status, 200);
    assert_eq!(users(&app, "auth/password/reset", &reset("a-third-password")).await.problem(), (400, "bad_otp"));
    assert_eq!(john.get("/api/v1/users/me").await.status, 401);
    assert_eq!(users(&app, "auth/login", &json!({"email": JOHN, "password": PASSWORD})).await.status, 401);
    let new = json!({"email": JOHN, "password": "a-better-password"});
    assert_eq!(users(&app, "auth/login", &new).await.status, 200);
}

#[tokio::test]
async fn ones_own_password_name_and_sign_ins_are_ones_own_to_change() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    merchant(&app, "other@example.com").await;
    let ((here, own), (there, _)) = (signed_in(&app, JOHN).await, signed_in(&app, JOHN).await);
    let (stranger, _) = signed_in(&app, "other@example.com").await;
    let list = here.get("/api/v1/users/me/sessions").await.body["data"].clone();
    let current: Vec<_> = list.as_array().expect("a list").iter().map(|one| one["current"].clone()).collect();
    assert_eq!(current, [json!(false), json!(true)]);

    let path = format!("/api/v1/users/me/sessions/{}", own.id);
    assert_eq!(stranger.delete(&path).await.problem(), (404, "not_found"), "another's sign-in is not there");
    assert_eq!(here.delete("/api/v1/users/me/sessions/nonsense").await.problem(), (404, "not_found"));
    let other = list[0]["id"].as_str().expect("an id");
    assert_eq!(here.delete(&format!("/api/v1/users/me/sessions/{other}")).await.status, 204);
    assert_eq!(there.get("/api/v1/users/me").await.status, 401);

    let renamed = here.send(Method::PATCH, "/api/v1/users/me/", &json!({"name": " John "})).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("John")));
    assert_eq!(here.send(Method::PATCH, "/api/v1/users/me", &json!({"name": ""})).await.problem(), (400, "bad_name"));

    let (second, _) = signed_in(&app, JOHN).await;
    let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
    let path = "/api/v1/users/auth/password/change";
    let answer = here.post(path, &change("wrong", "a-better-password")).await;
    assert_eq!((answer.problem(), &answer.body["field"]), ((400, "wrong_password"), &json!("old_password")));
    let answer = here.post(path, &change(PASSWORD, "short")).await;
    assert_eq!((answer.problem(), &answer.body["field"]), ((400, "bad_password"), &json!("new_password")));
    assert_eq!(here.post(path, &change(PASSWORD, "a-better-password")).await.status, 200);
    assert_eq!((here.get("/api/v1/users/me").await.status, second.get("/api/v1/users/me").await.status), (200, 401));
}

#[tokio::test]
async fn a_company_looks_after_its_own_people_and_no_others() {
    let (app, mut office, _) = with_mail().await;
    let (owner_id, _) = merchant(&app, JOHN).await;
    office.next().await;
    let (stranger_id, _) = merchant(&app, "other@example.com").await;
    office.next().await;
    let (owner, _) = signed_in(&app, JOHN).await;
    let path = |id: &str| format!("/api/v1/company/people/{id}");

    let invite = json!({"email": "ayesha@example.com", "name": "Ayesha"});
    let invited = owner.post("/api/v1/company/people/", &invite).await;
    assert_eq!(
        (invited.status, &invited.body["state"], &invited.body["role"]),
        (201, &json!("unverified"), &json!("vendor"))
    );
    assert_eq!(owner.post("/api/v1/company/people", &invite).await.problem(), (409, "email_taken"));
    let mail = office.next().await;
    assert_eq!((mail.to.as_str(), mail.header("Subject")), ("ayesha@example.com", Some("You have been invited")));
    let answer = json!({"email": "ayesha@example.com", "otp": code(&mail), "password": PASSWORD});
    assert_eq!(users(&app, "auth/password/reset", &answer).await.status, 200);
    let (ayesha, login) = signed_in(&app, "ayesha@example.com").await;
    let id = login.person.id.to_string();
    assert_eq!(ayesha.get("/api/v1/users/me").await.body["company"]["name"], JOHN);
    assert_eq!(owner.post(&format!("{}/invitation", path(&id)), &json!({})).await.problem(), (409, "already_in"));

    for (method, body) in [(Method::PATCH, json!({"suspended": true})), (Method::DELETE, json!({}))] {
        for other in [stranger_id.to_string(), Uuid::now_v7().to_string(), "nonsense".into()] {
            let answer = owner.send(method.clone(), &path(&other), &body).await;
            assert_eq!((answer.problem(), &answer.body["detail"]), ((404, "not_found"), &json!("Person not found")));
        }
    }
    assert_eq!(owner.get("/api/v1/company/people").await.body["data"].as_array().map(Vec::len), Some(2));

    let suspended = owner.send(Method::PATCH, &path(&id), &json!({"suspended": true, "name": "A."})).await;
    assert_eq!((&suspended.body["state"], &suspended.body["name"]), (&json!("suspended"), &json!("A.")));
    assert_eq!(ayesha.get("/api/v1/users/me").await.status, 401, "at once");
    let body = json!({"email": "ayesha@example.com", "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &body).await.problem(), (403, "account_suspended"));
    let last = owner.delete(&path(&owner_id.to_string())).await;
    assert_eq!(last.problem(), (409, "last_person"));
    owner.send(Method::PATCH, &path(&id), &json!({"suspended": false})).await;
    let (ayesha, _) = signed_in(&app, "ayesha@example.com").await;
    assert_eq!(owner.delete(&path(&id)).await.status, 204);
    assert_eq!(ayesha.get("/api/v1/company/people").await.status, 401);
    assert_eq!(users(&app, "auth/login", &body).await.status, 401);
    assert_eq!(owner.get("/api/v1/company/people").await.body["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(owner.post("/api/v1/company/people", &invite).await.status, 201, "the address is free again");
}

#[tokio::test]
async fn those_who_run_the_platform_bar_companies_and_people_and_one_super_admin_always_stays() {
    let (app, mut office, _) = with_mail().await;
    let (john_id, company) = merchant(&app, JOHN).await;
    office.next().await;
    let chief_id = staff(&app, Role::SuperAdmin, "chief@host.example").await;
    let admin_id = staff(&app, Role::Admin, "rina@host.example").await;
    let (chief, _) = signed_in(&app, "chief@host.example").await;
    let (admin, _) = signed_in(&app, "rina@host.example").await;
    let (john, _) = signed_in(&app, JOHN).await;
    let person = |id: &dyn std::fmt::Display| format!("/api/v1/admin/people/{id}");

    for path in ["/api/v1/admin/people", "/api/v1/admin/companies"] {
        assert_eq!(john.get(path).await.problem(), (403, "forbidden"));
    }
    let found = admin.get("/api/v1/admin/people/?q=JOHN&role=vendor").await.body;
    assert_eq!((&found["data"][0]["email"], &found["data"][1]), (&json!(JOHN), &Value::Null));
    let page = admin.get("/api/v1/admin/companies?limit=1").await.body;
    let next = admin.get(&format!("/api/v1/admin/companies?after={}", page["next"].as_str().expect("a cursor"))).await;
    assert_eq!((&page["data"][0]["id"], &next.body["data"][0]["slug"]), (&json!(company), &json!("shop")));

    let path = format!("/api/v1/admin/companies/{company}");
    assert_eq!(admin.post(&format!("{path}/suspend"), &json!({})).await.body["state"], "suspended");
    assert_eq!(john.get("/api/v1/users/me").await.status, 401, "its people are out at once");
    let body = json!({"email": JOHN, "password": PASSWORD});
    assert_eq!(users(&app, "auth/login", &body).await.problem(), (403, "account_suspended"));
    assert_eq!(admin.post(&format!("{path}/restore/"), &json!({})).await.body["state"], "active");
    log_in(&app, JOHN).await;

    // An admin bars vendors; who runs the platform is decided by super admins.
    assert_eq!(admin.send(Method::PATCH, &person(&john_id), &json!({"suspended": true})).await.status, 200);
    for body in [json!({"suspended": true}), json!({"role": "vendor"})] {
        assert_eq!(admin.send(Method::PATCH, &person(&chief_id), &body).await.problem(), (403, "forbidden"));
        let last = chief.send(Method::PATCH, &person(&chief_id), &body).await;
        assert!([400, 409].contains(&last.status), "{last:?}");
    }
    let demoted = chief.send(Method::PATCH, &person(&chief_id), &json!({"role": "admin"})).await;
    assert_eq!(demoted.problem(), (409, "last_super_admin"));
    let invite = json!({"email": "noor@host.example", "name": "Noor", "role": "admin"});
    assert_eq!(admin.post("/api/v1/admin/people", &invite).await.problem(), (403, "forbidden"));
    assert_eq!(chief.post("/api/v1/admin/people", &invite).await.status, 201);

    let moved = chief.send(Method::PATCH, &person(&john_id), &json!({"company": company})).await;
    assert_eq!((moved.problem(), &moved.body["field"]), ((400, "role_required"), &json!("role")));
    let raised = chief.send(Method::PATCH, &person(&john_id), &json!({"role": "admin"})).await;
    assert_eq!((raised.status, &raised.body["company"]), (200, &Value::Null));
    let noted = format!(
        "SELECT count(*) AS n FROM audit_log WHERE action = 'account.role_changed' \
         AND detail LIKE '%\"from_company\":\"{company}\"%' AND detail LIKE '%\"to_company\":null%'"
    );
    assert_eq!(number(&app.parts.db, &noted).await, 1);
    let raised = chief.send(Method::PATCH, &person(&admin_id), &json!({"role": "super_admin"})).await;
    assert_eq!((raised.status, &raised.body["role"]), (200, &json!("super_admin")));
    assert_eq!(admin.get("/api/v1/users/me").await.status, 401, "a role is taken up by signing in anew");
    assert_eq!(chief.send(Method::PATCH, &person(&chief_id), &json!({"role": "admin"})).await.status, 200);
    assert_eq!(chief.get("/api/v1/admin/people").await.status, 401);
}

#[tokio::test]
async fn two_super_admins_who_remove_each_other_at_once_do_not_both_succeed() {
    let (app, _office, _) = with_mail().await;
    let one = staff(&app, Role::SuperAdmin, "one@host.example").await;
    let two = staff(&app, Role::SuperAdmin, "two@host.example").await;
    let (first, second) = (log_in(&app, "one@host.example").await, log_in(&app, "two@host.example").await);
    let people = &app.parts.people;
    let (a, b) = tokio::join!(
        people.suspend_person(first.login.person.actor(), two, true),
        people.suspend_person(second.login.person.actor(), one, true),
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{a:?} {b:?}");
}

#[tokio::test]
async fn a_vendor_works_with_its_own_orders_as_vendors_may_and_an_admin_with_all() {
    let (app, _office, _) = with_mail().await;
    let (_, company) = merchant(&app, JOHN).await;
    merchant(&app, "other@example.com").await;
    staff(&app, Role::Admin, "rina@host.example").await;
    let (john, _) = signed_in(&app, JOHN).await;
    let (other, _) = signed_in(&app, "other@example.com").await;
    let (admin, _) = signed_in(&app, "rina@host.example").await;
    let made = john.post("/api/v1/orders", &json!({"number": "J-1", "status": "pending"})).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["company"], json!(company), "{:?}", made.body);
    app.order(NewOrder { number: Some("S-1".into()), ..NewOrder::default() }).await;
    let id = made.body["id"].as_str().expect("an id");
    let numbers = async |caller: &Caller<'_>| {
        let list = caller.get("/api/v1/orders").await.body["data"].clone();
        let mut numbers: Vec<_> =
            list.as_array().expect("a list").iter().map(|order| order["number"].to_string()).collect();
        numbers.sort();
        numbers
    };
    assert_eq!((numbers(&john).await, numbers(&other).await.len()), (vec!["\"J-1\"".to_owned()], 0));
    assert_eq!(numbers(&admin).await.len(), 2);
    for path in [format!("/api/v1/orders/{id}"), "/api/v1/orders/J-1".into()] {
        assert_eq!(other.get(&path).await.problem(), (404, "not_found"));
        assert_eq!(john.get(&path).await.status, 200);
    }
    let path = format!("/api/v1/orders/{id}/status");
    assert_eq!(john.post(&path, &json!({"status": "delivered"})).await.status, 400, "vendors go step by step");
    assert_eq!(other.post(&path, &json!({"status": "packed"})).await.problem(), (404, "not_found"));
    assert_eq!(john.post(&path, &json!({"status": "packed"})).await.body["order"]["status"], "packed");
    assert_eq!(admin.post(&path, &json!({"status": "pending"})).await.status, 200, "an admin may override");
    assert_eq!(john.get("/api/v1/tokens").await.problem(), (403, "forbidden"));
    assert_eq!(admin.get("/api/v1/tokens").await.status, 200);
    // A retry is known by its person, whichever token it shows.
    let (again, _) = signed_in(&app, JOHN).await;
    let create = |caller: &Caller<'_>| {
        let request = caller.request(Method::POST, "/api/v1/orders").json(&json!({"number": "J-2"}));
        send(request.header("Idempotency-Key", "retry"))
    };
    let (first, second) = (create(&john).await, create(&again).await);
    assert_eq!((first.status, second.status, second.header("idempotency-hit")), (201, 201, "true"));
}
