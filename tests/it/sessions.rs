//! Sign-ins: refreshed, repeated, raced for, kept up in browsers, and what closes with them.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::accounts::Role;
use ordercast::accounts::sessions::Pair;
use ordercast::accounts::tokens::NewToken;
use ordercast::base::{Actor, Error, Secret};
use ordercast::orders::NewOrder;
use reqwest::Method;
use serde_json::json;

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::people::{JOHN, PASSWORD, log_in, merchant, signed_in, staff, users, with_mail};
use crate::app::watcher::Watcher;
use crate::rows::number;

async fn refresh(app: &TestApp, token: &str) -> Answer {
    users(app, "auth/refresh", &json!({"refresh": token})).await
}

fn token(answer: &Answer, name: &str) -> String {
    answer.body[name].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_theft_ends_the_sign_in() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    let first = log_in(&app, JOHN).await.pair;
    let second = refresh(&app, first.refresh.expose()).await;
    assert_eq!(second.status, 200);
    let third = refresh(&app, &token(&second, "refresh")).await;
    let john = Caller::bearing(&app, Some(&token(&third, "access")));
    assert_eq!(john.get("/api/v1/users/me").await.status, 200);
    // A copy of the first is used long after.
    clock.advance(Duration::from_secs(11));
    assert_eq!(refresh(&app, first.refresh.expose()).await.problem(), (401, "unauthenticated"));
    assert_eq!(john.get("/api/v1/users/me").await.status, 401, "whoever it is, the sign-in is over");
    assert_eq!(refresh(&app, &token(&third, "refresh")).await.status, 401);
    let audited = "SELECT count(*) AS n FROM audit_log WHERE action = 'session.refresh_reused'";
    assert_eq!(number(&app.parts.db, audited).await, 1);
    log_in(&app, JOHN).await;
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_stay_signed_in() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    let first = log_in(&app, JOHN).await.pair;
    let answers = join_all((0..20).map(|_| refresh(&app, first.refresh.expose()))).await;
    let next = token(&answers[0], "refresh");
    for answer in &answers {
        assert_eq!((answer.status, token(answer, "refresh")), (200, next.clone()), "all get the same successor");
    }
    clock.advance(Duration::from_secs(10));
    assert_eq!(refresh(&app, first.refresh.expose()).await.status, 200, "still in its grace");
    clock.advance(Duration::from_secs(600));
    let later = refresh(&app, &next).await;
    assert_eq!(later.status, 200, "the one they were given is good");
    assert_eq!(refresh(&app, first.refresh.expose()).await.status, 401);
    assert_eq!(refresh(&app, &token(&later, "refresh")).await.status, 401, "that was one repeat too many");
}

#[tokio::test]
async fn a_sign_in_slides_on_with_use_and_ends_all_the_same() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    let day = Duration::from_secs(24 * 3600);
    let (unused, mut used) = (log_in(&app, JOHN).await.pair, log_in(&app, JOHN).await.pair.refresh.expose().to_owned());
    for _ in 0..3 {
        clock.advance(day * 29);
        let next = refresh(&app, &used).await;
        assert_eq!(next.status, 200);
        used = token(&next, "refresh");
    }
    assert_eq!(refresh(&app, unused.refresh.expose()).await.status, 401, "30 days without use");
    clock.advance(day * 3);
    assert_eq!(refresh(&app, &used).await.problem(), (401, "unauthenticated"), "90 days in all");
    clock.advance(day * 31);
    assert_eq!(app.parts.sessions.sweep().await.expect("a database"), 2);
}

#[tokio::test]
async fn whoever_signs_in_gets_a_sign_in_of_its_own() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    merchant(&app, "mallory@example.com").await;
    let planted = log_in(&app, "mallory@example.com").await;
    // A browser that somebody put other cookies into signs in.
    let request =
        app.http.post(format!("{}/api/v1/users/auth/login", app.url)).header("Cookie", cookies(&planted.pair));
    let answer = send(request.json(&json!({"email": JOHN, "password": PASSWORD}))).await;
    let john = Caller::bearing(&app, Some(&token(&answer, "access")));
    let own = john.get("/api/v1/users/me/sessions").await.body["data"].clone();
    assert_eq!((own[0]["current"].clone(), own[1].is_null()), (json!(true), true));
    assert_ne!(own[0]["id"], json!(planted.login.id));
    let mallory = Caller::bearing(&app, Some(planted.pair.access.expose()));
    assert_eq!(mallory.get("/api/v1/users/me").await.body["email"], "mallory@example.com");
}

fn cookies(pair: &Pair) -> String {
    format!("oc_access={}; oc_session={}", pair.access.expose(), pair.refresh.expose())
}

/// The cookies a reply sets, as a browser sends them back.
fn set(answer: &Answer) -> Vec<String> {
    let values = answer.headers.get_all("set-cookie").iter();
    values.map(|value| value.to_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn a_browser_stays_signed_in_without_a_script() {
    let (app, _office, clock) = with_mail().await;
    merchant(&app, JOHN).await;
    let opened = log_in(&app, JOHN).await;
    let get = |cookie: &str| send(app.http.get(format!("{}/api/v1/users/me", app.url)).header("Cookie", cookie));
    let fresh = get(&cookies(&opened.pair)).await;
    assert_eq!((fresh.status, set(&fresh).len()), (200, 0), "nothing to renew");

    clock.advance(Duration::from_secs(901));
    let renewed = get(&cookies(&opened.pair)).await;
    assert_eq!(renewed.status, 200, "the very request that renews is answered");
    let cookie = set(&renewed);
    assert_eq!(cookie.len(), 2);
    for text in &cookie {
        for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age="] {
            assert!(text.contains(part), "{text}");
        }
    }
    let kept: Vec<&str> = cookie.iter().map(|text| text.split(';').next().expect("a value")).collect();
    let again = get(&kept.join("; ")).await;
    assert_eq!((again.status, set(&again).len()), (200, 0));

    // Signed out elsewhere: the cookies are taken away, and pages for everybody are still served.
    app.parts.sessions.end(opened.login.person.clone(), opened.login.id, None).await.expect("it ends");
    clock.advance(Duration::from_secs(901));
    let ended = get(&kept.join("; ")).await;
    assert_eq!(ended.status, 401);
    assert!(set(&ended).len() == 2 && set(&ended).iter().all(|text| text.contains("Max-Age=0")), "{ended:?}");
    let home = send(app.http.get(format!("{}/", app.url)).header("Cookie", kept.join("; "))).await;
    assert_eq!(home.status, 200);
}

#[tokio::test]
async fn a_browser_signs_out_by_its_cookie_alone() {
    let (app, _office, _) = with_mail().await;
    merchant(&app, JOHN).await;
    let opened = log_in(&app, JOHN).await;
    let request = app.http.post(format!("{}/api/v1/users/auth/logout/", app.url));
    let answer = send(request.header("Cookie", cookies(&opened.pair)).header("Origin", &app.url)).await;
    assert_eq!((answer.status, set(&answer).len()), (204, 2));
    assert_eq!(refresh(&app, opened.pair.refresh.expose()).await.status, 401);
}

#[tokio::test]
async fn the_set_up_link_signs_the_new_admin_in() {
    let app = TestApp::start().await;
    let link = app.parts.admins.setup_link().await.expect("a database").expect("no admin yet");
    let form = format!("name=Rina&email=rina%40host.example&password={PASSWORD}");
    let request = app.http.post(format!("{}/setup/{}", app.url, link.expose())).body(form);
    let done = send(request.header("Content-Type", "application/x-www-form-urlencoded")).await;
    assert_eq!(done.status, 201);
    let kept: Vec<String> = set(&done).iter().map(|text| text.split(';').next().expect("a value").to_owned()).collect();
    let me = send(app.http.get(format!("{}/api/v1/users/me", app.url)).header("Cookie", kept.join("; "))).await;
    assert_eq!((me.status, &me.body["role"]), (200, &json!("super_admin")));
}

#[tokio::test]
async fn the_set_up_link_is_good_for_nothing_once_there_is_an_admin() {
    let app = TestApp::start().await;
    let link = app.parts.admins.setup_link().await.expect("a database").expect("no admin yet");
    let page = format!("{}/setup/{}", app.url, link.expose());
    assert_eq!(send(app.http.get(&page)).await.status, 200);
    staff(&app, Role::SuperAdmin, "chief@host.example").await;
    assert_eq!(send(app.http.get(&page)).await.status, 404);
    let form = format!("name=Rina&email=rina%40host.example&password={PASSWORD}");
    let request = app.http.post(&page).body(form).header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(send(request).await.status, 404);
    let made = app.parts.admins.set_up(&link, "rina@host.example", "Rina", Secret::new(PASSWORD), None).await;
    assert!(matches!(made, Err(Error::NotFound(_))), "{made:?}");
}

#[tokio::test]
async fn sockets_end_with_their_sign_in_on_every_instance_and_outlive_its_refreshes() {
    let (one, two) = TestApp::pair().await;
    let (john_id, company) = merchant(&one, JOHN).await;
    staff(&one, Role::SuperAdmin, "chief@host.example").await;
    let chief = log_in(&one, "chief@host.example").await;
    let new = NewOrder { company, ..NewOrder::default() };
    let order = one.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order").order;
    let (others, _) = one.order(NewOrder::default()).await;
    let watch = async |app: &TestApp, pair: &Pair| {
        let mut watcher = Watcher::connect(&app.url, "").await;
        watcher.say(&json!({"type": "auth", "token": pair.access.expose()})).await;
        watcher.say(&json!({"type": "subscribe", "id": 2, "order": others.id})).await;
        assert_eq!(watcher.next_of("error").await["code"], "unknown_order", "another company's");
        watcher.say(&json!({"type": "subscribe", "id": 1, "order": order.id})).await;
        assert_eq!(watcher.next_of("subscribed").await["id"], 1);
        watcher
    };
    let (kept, ended) = (log_in(&one, JOHN).await, log_in(&two, JOHN).await);
    let mut kept_sockets = [watch(&one, &kept.pair).await, watch(&two, &kept.pair).await];
    let ended_sockets = [watch(&one, &ended.pair).await, watch(&two, &ended.pair).await];

    assert_eq!(refresh(&two, kept.pair.refresh.expose()).await.status, 200);
    assert_eq!(users(&one, "auth/logout", &json!({"refresh": ended.pair.refresh.expose()})).await.status, 204);
    for socket in ended_sockets {
        assert_eq!(closed(socket).await, 4001);
    }
    // Those of the other sign-in are still there, refresh or not.
    one.note(&order, 1, "still watched").await;
    for socket in &mut kept_sockets {
        assert_eq!(socket.seqs(1).await, [2]);
    }

    let suspend = json!({"suspended": true});
    let chief = Caller::bearing(&one, Some(chief.pair.access.expose()));
    let path = format!("/api/v1/admin/people/{john_id}");
    assert_eq!(chief.send(Method::PATCH, &path, &suspend).await.status, 200);
    for socket in kept_sockets {
        assert_eq!(closed(socket).await, 4001, "barred");
    }
    chief.send(Method::PATCH, &path, &json!({"suspended": false})).await;
    let again = log_in(&one, JOHN).await;
    let sockets = [watch(&one, &again.pair).await, watch(&two, &again.pair).await];
    let path = format!("/api/v1/admin/companies/{company}/suspend");
    assert_eq!(chief.post(&path, &json!({})).await.status, 200);
    for socket in sockets {
        assert_eq!(closed(socket).await, 4001, "the company is barred");
    }
}

#[tokio::test]
async fn another_role_closes_the_sockets_of_the_old_one_on_every_instance() {
    let (one, two) = TestApp::pair().await;
    staff(&one, Role::SuperAdmin, "chief@host.example").await;
    let admin_id = staff(&one, Role::Admin, "rina@host.example").await;
    let (chief, admin) = (log_in(&one, "chief@host.example").await, log_in(&two, "rina@host.example").await);
    let (order, _) = one.order(NewOrder::default()).await;
    let watch = async |app: &TestApp, pair: &Pair| {
        let mut watcher = Watcher::connect(&app.url, "").await;
        watcher.say(&json!({"type": "auth", "token": pair.access.expose()})).await;
        watcher.say(&json!({"type": "subscribe", "id": 1, "order": order.id})).await;
        assert_eq!(watcher.next_of("subscribed").await["id"], 1);
        watcher
    };
    let sockets = [watch(&one, &admin.pair).await, watch(&two, &admin.pair).await];
    let mut others = [watch(&one, &chief.pair).await, watch(&two, &chief.pair).await];
    let caller = Caller::bearing(&one, Some(chief.pair.access.expose()));
    let path = format!("/api/v1/admin/people/{admin_id}");
    assert_eq!(caller.send(Method::PATCH, &path, &json!({"role": "super_admin"})).await.status, 200);
    for socket in sockets {
        assert_eq!(closed(socket).await, 4001);
    }
    one.note(&order, 1, "still watched").await;
    for socket in &mut others {
        assert_eq!(socket.seqs(1).await, [2], "nobody else's");
    }
    // The new role is taken up by signing in anew, and the sockets stay then.
    let again = log_in(&one, "rina@host.example").await;
    for app in [&one, &two] {
        watch(app, &again.pair).await.leave().await;
    }
}

async fn closed(mut socket: Watcher) -> u16 {
    socket.closed().await
}

#[tokio::test]
async fn a_socket_opens_by_cookie_for_pages_of_this_site_only() {
    let (app, _office, _) = with_mail().await;
    let (_, company) = merchant(&app, JOHN).await;
    let opened = log_in(&app, JOHN).await;
    let new = NewOrder { company, ..NewOrder::default() };
    let order = app.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order").order;
    let cookie = cookies(&opened.pair);
    let bearer = format!("Bearer {}", opened.pair.access.expose());
    let ask = async |headers: &[(&'static str, &str)]| {
        let mut watcher = Watcher::try_connect(&app.url, "", headers).await.expect("an upgrade");
        watcher.say(&json!({"type": "subscribe", "id": 1, "order": order.id})).await;
        assert_eq!(watcher.next().await["type"], "welcome");
        watcher.next().await
    };
    assert_eq!(ask(&[("cookie", &cookie), ("origin", &app.url)]).await["type"], "subscribed");
    assert_eq!(ask(&[("authorization", &bearer)]).await["type"], "subscribed");
    for headers in [vec![("cookie", cookie.as_str())], vec![("cookie", &cookie), ("origin", "https://evil.example")]] {
        assert_eq!(ask(&headers).await["code"], "forbidden", "{headers:?}");
    }
    // In an address a person's token means nothing.
    let query = format!("?token={}", opened.pair.access.expose());
    let (_, answer) = Watcher::subscribe(&app.url, &query, &json!({"order": order.id})).await;
    assert_eq!(answer["code"], "forbidden");
    // Cookies of a sign-in that has ended are as good as none.
    app.parts.sessions.end(opened.login.person.clone(), opened.login.id, None).await.expect("it ends");
    assert_eq!(ask(&[("cookie", &cookie), ("origin", &app.url)]).await["code"], "forbidden");
    assert_eq!(signed_in(&app, JOHN).await.1.person.email, JOHN);
}

#[tokio::test]
async fn the_tokens_of_a_barred_company_rest_until_it_is_let_in_again() {
    let app = TestApp::start().await;
    let (_, company) = merchant(&app, JOHN).await;
    let new = NewToken {
        name: "erp".into(),
        scopes: "orders:read".parse().expect("a scope"),
        company: Some(company),
        expires_at: None,
    };
    let text = app.parts.tokens.generate(Actor::System("tests"), new).await.expect("a token").1;
    let erp = Caller::bearing(&app, Some(text.expose()));
    let mut socket = Watcher::connect(&app.url, &format!("?token={}", text.expose())).await;
    socket.say(&json!({"type": "subscribe", "id": 1, "feed": "orders"})).await;
    socket.next_of("subscribed").await;
    let bar = async |is_suspended| {
        app.parts.people.suspend_company(Actor::System("tests"), company, is_suspended).await.expect("a company");
    };
    assert_eq!(erp.get("/api/v1/orders").await.status, 200);
    bar(true).await;
    assert_eq!(erp.get("/api/v1/orders").await.problem(), (401, "unauthenticated"));
    assert_eq!(closed(socket).await, 4001);
    bar(false).await;
    assert_eq!(erp.get("/api/v1/orders").await.status, 200);
    let everywhere = app.token("orders:read").await;
    assert_eq!(Caller::bearing(&app, Some(&everywhere)).get("/api/v1/orders").await.status, 200, "of no company");
}
