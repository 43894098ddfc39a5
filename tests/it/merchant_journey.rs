//! A shop's whole way in, in a real browser: sign-up, the code from a real mail, papers, approval, secret, first order,
//! sign-out. Every page is looked at in two colour schemes and three widths.

use reqwest::redirect::Policy;
use serde_json::json;
use thirtyfour::prelude::*;

use crate::app::TestApp;
use crate::app::applicants::{PDF, admin};
use crate::app::chromium::Browser;
use crate::app::people::{PASSWORD, code, merchant};
use crate::app::post_office::PostOffice;

/// A script condition: the first heading says this.
pub fn headline(text: &str) -> String {
    format!("document.querySelector('h1').innerText === {text:?}")
}

pub async fn fill(browser: &Browser, name: &str, value: &str) {
    let field = browser.driver.find(By::Name(name)).await.expect("the field");
    field.send_keys(value).await.expect("typing");
}

pub async fn press(browser: &Browser, selector: &str) {
    browser.driver.find(By::Css(selector)).await.expect("the button").click().await.expect("a click");
}

/// The page keeps to the rules of accessibility and to the window's width, in both schemes and on small screens.
pub async fn look_at(browser: &Browser, name: &str) {
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"), (320, "light")] {
        browser.look(width, scheme).await;
        browser.shot(&format!("{name}-{width}-{scheme}")).await;
        browser.until(&format!("{name} fits {width}"), "document.documentElement.scrollWidth <= innerWidth").await;
        if width > 320 {
            let faults = browser.accessibility_faults().await;
            assert!(faults.is_empty(), "{name} {width} {scheme}: {faults:#?}");
        }
    }
    browser.look(1280, "light").await;
    browser.until("the window is wide again", "innerWidth === 1280").await;
}

/// On a phone the menu opens over the page, and closes by a key.
async fn look_at_menu(browser: &Browser) {
    browser.look(390, "light").await;
    press(browser, "[popovertarget=menu]").await;
    let is_open = "document.querySelector('#menu').matches(':popover-open')";
    browser.until("the menu is open", is_open).await;
    browser.shot("menu-390-light").await;
    let faults = browser.accessibility_faults().await;
    assert!(faults.is_empty(), "{faults:#?}");
    browser.driver.active_element().await.expect("an element").send_keys(Key::Escape + "").await.expect("a key");
    browser.until("the menu is closed", &format!("!{is_open}")).await;
    browser.look(1280, "light").await;
}

pub async fn log_in(browser: &Browser, app: &TestApp, email: &str) {
    browser.driver.goto(format!("{}/login", app.url)).await.expect("the page opens");
    fill(browser, "email", email).await;
    fill(browser, "password", PASSWORD).await;
    press(browser, "main [type=submit]").await;
}

/// Signs up and proves the address.
async fn sign_up(browser: &Browser, app: &TestApp, office: &mut PostOffice) {
    browser.driver.goto(format!("{}/signup", app.url)).await.expect("the page opens");
    browser.until("the form is there", &headline("Create your account")).await;
    look_at(browser, "signup").await;
    fill(browser, "company_name", "Juniper & Co.").await;
    fill(browser, "email", "owner@shop.example").await;
    fill(browser, "password", PASSWORD).await;
    press(browser, "main [type=submit]").await;
    browser.until("a code is asked for", &headline("Check your inbox")).await;
    look_at(browser, "verify").await;
    let waits = "document.querySelector('[data-cooldown]').disabled";
    browser.until("a new code is not to be had at once", waits).await;
    fill(browser, "otp", &code(&office.next().await)).await;
    press(browser, "main [type=submit]").await;
}

/// Chooses a file of this name and content as the first document and sends the form.
async fn choose_and_send(browser: &Browser, name: &str, content: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    fill(browser, "registration", file.to_str().expect("UTF-8")).await;
    press(browser, "main [type=submit]").await;
    let chosen = "!document.querySelector('#registration')?.files.length";
    browser.until("the file has been sent", chosen).await;
}

/// Hands in papers, at first with a file that is none, and signs out.
async fn hand_in(browser: &Browser, office: &mut PostOffice) {
    browser.until("papers are asked for", &headline("Tell us about your business")).await;
    look_at(browser, "kyc").await;
    fill(browser, "legal_name", "Juniper & Co. Ltd").await;
    fill(browser, "registration_number", "HRB 20931").await;
    let country = browser.driver.find(By::Css("option[value=DE]")).await.expect("the country");
    country.click().await.expect("a choice");
    fill(browser, "address", "1 Long Road, Berlin").await;
    choose_and_send(browser, "..evil.pdf", b"MZ").await;
    browser.until("what is wrong is said first", "document.querySelector('.wrongs a').hash === '#registration'").await;
    browser.until("the bad field has the focus", "document.activeElement.id === 'registration'").await;
    look_at(browser, "kyc-wrong").await;
    choose_and_send(browser, "certificate.pdf", PDF).await;
    browser.until("they wait", &headline("We are looking at your details")).await;
    look_at(browser, "kyc-waiting").await;
    assert_eq!(office.next().await.header("Subject"), Some("We have your business details"));
    press(browser, "[action='/logout'] [type=submit]").await;
    browser.until("signed out", "document.querySelector('[role=status]').innerText === 'You are signed out.'").await;
    look_at(browser, "login").await;
}

/// An admin approves what waits, and signs out.
async fn approve(browser: &Browser, app: &TestApp, office: &mut PostOffice) {
    log_in(browser, app, "rina@host.example").await;
    browser.until("staff is in and sees the queue", "document.querySelectorAll('tbody tr').length === 1").await;
    look_at(browser, "queue").await;
    press(browser, "tbody a").await;
    browser.until("the papers", &headline("Juniper & Co.")).await;
    press(browser, "details summary").await;
    look_at(browser, "review").await;
    press(browser, "details[open] [type=submit]").await;
    let empty = "document.querySelector('.empty h2')?.innerText === 'Nothing waits for you'";
    browser.until("nothing waits any more", empty).await;
    look_at(browser, "queue-empty").await;
    assert_eq!(office.next().await.header("Subject"), Some("Juniper & Co. is approved"));
    press(browser, "[action='/logout'] [type=submit]").await;
    browser.until("signed out", &headline("Sign in")).await;
}

/// The shop signs in and is shown its secret.
async fn see_secret(browser: &Browser, app: &TestApp) -> String {
    log_in(browser, app, "owner@shop.example").await;
    browser.until("the shop is in", &headline("Getting started")).await;
    look_at(browser, "start").await;
    look_at_menu(browser).await;
    press(browser, "[action='/start/secret'] [type=submit]").await;
    browser.until("the secret is shown", "document.querySelector('#secret').innerText.startsWith('whsec_')").await;
    look_at(browser, "start-secret").await;
    let first = browser.driver.find(By::Id("secret")).await.expect("the secret").text().await.expect("text");
    browser.driver.goto(format!("{}/start", app.url)).await.expect("the page opens");
    press(browser, "details.ask summary").await;
    press(browser, "details[open] [type=submit]").await;
    let two = "document.querySelectorAll('tbody tr').length === 2 && document.querySelector('.pill.tone-warning')";
    browser.until("there is a new one, and the old one has a day left", two).await;
    look_at(browser, "start-replaced").await;
    let second = browser.driver.find(By::Id("secret")).await.expect("the secret").text().await.expect("text");
    assert_ne!(first, second);
    second
}

async fn deliver(app: &TestApp, secret: &str, body: &serde_json::Value) -> reqwest::Response {
    let request = app.http.post(format!("{}/api/v1/webhook/", app.url)).json(body);
    let request = request.header("X-Webhook-Signature", secret).header("X-Customer-Email", "owner@shop.example");
    request.send().await.expect("an answer")
}

/// An order comes in and moves on, and its customer's page follows.
async fn send_orders(browser: &Browser, app: &TestApp, secret: &str) {
    let order = json!({
        "customer_details": {"name": "Jane Doe", "phone": "+1234567890", "email": "jane@example.com"},
        "address": "123 Main St, Anytown, USA", "item_summary": "1x Widget", "tracking_status": "PENDING",
    });
    let answer = deliver(app, secret, &order).await;
    assert_eq!(answer.status(), 201);
    let order: serde_json::Value = answer.json().await.expect("JSON");
    let id = order["id"].as_str().expect("an id").parse().expect("an id");
    let (_, pass) = app.parts.passes.create(id, None).await.expect("a pass");
    browser.driver.goto(format!("{}/track/{pass}", app.url)).await.expect("the page opens");
    browser.until("the order is on its page", &headline("We have your order")).await;
    let moved = json!({"id": order["id"], "tracking_status": "CONFIRMED"});
    assert!(deliver(app, secret, &moved).await.status().is_success());
    browser.until("and moves by itself", &headline("Your order is confirmed")).await;
}

/// Signs out; what the browser held opens nothing any more.
async fn sign_out(browser: &Browser, app: &TestApp) {
    let session = browser.driver.get_named_cookie("oc_session").await.expect("the cookie");
    browser.driver.goto(format!("{}/start", app.url)).await.expect("the page opens");
    press(browser, "[action='/logout'] [type=submit]").await;
    browser.until("signed out", &headline("Sign in")).await;
    let http = reqwest::Client::builder().redirect(Policy::none()).build().expect("a client");
    let kept = http.get(format!("{}/start", app.url)).header("cookie", format!("oc_session={}", session.value));
    assert_eq!(kept.send().await.expect("an answer").headers()["location"], "/login?next=%2Fstart");
    let refresh = json!({"refresh": session.value});
    let refused = app.http.post(format!("{}/api/v1/users/auth/refresh/", app.url)).json(&refresh);
    assert_eq!(refused.send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn a_shop_signs_up_is_approved_and_its_first_order_is_live() {
    let mut office = PostOffice::open();
    let flags = [&office.flag(), "--rate-guess=0", "--rate-public=0"];
    let app = TestApp::with(&flags, ordercast::base::Clock::System).await;
    admin(&app, "rina@host.example").await;
    let browser = Browser::open().await;
    sign_up(&browser, &app, &mut office).await;
    hand_in(&browser, &mut office).await;
    approve(&browser, &app, &mut office).await;
    let secret = see_secret(&browser, &app).await;
    send_orders(&browser, &app, &secret).await;
    sign_out(&browser, &app).await;
    browser.close().await;
}

/// Types what is to be typed where the focus is, and goes on to the next field.
async fn type_on(browser: &Browser, text: &str) {
    browser.driver.active_element().await.expect("a focus").send_keys(text).await.expect("typing");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_without_a_mouse() {
    let mut office = PostOffice::open();
    let flags = [&office.flag(), "--rate-guess=0"];
    let app = TestApp::with(&flags, ordercast::base::Clock::System).await;
    merchant(&app, "owner@shop.example").await;
    office.next().await;
    let browser = Browser::open().await;
    browser.driver.goto(format!("{}/forgot", app.url)).await.expect("the page opens");
    look_at(&browser, "forgot").await;
    browser.driver.find(By::Name("email")).await.expect("the field").focus().await.expect("a focus");
    type_on(&browser, "owner@shop.example\u{e007}").await;
    browser.until("a code is asked for", &headline("Choose a new password")).await;
    look_at(&browser, "reset").await;
    let code = code(&office.next().await);
    browser.driver.find(By::Name("otp")).await.expect("the field").focus().await.expect("a focus");
    type_on(&browser, "000000\u{e004}short and wrong\u{e007}").await;
    browser
        .until("the bad code is told", "document.activeElement.id === 'otp' && document.querySelector('.wrongs')")
        .await;
    look_at(&browser, "reset-wrong").await;
    type_on(&browser, &format!("{code}\u{e004}another four words entirely\u{e007}")).await;
    browser
        .until("the new password is saved", "document.querySelector('[role=status]')?.innerText.startsWith('Your new')")
        .await;
    browser.driver.find(By::Name("email")).await.expect("the field").focus().await.expect("a focus");
    type_on(&browser, "owner@shop.example\u{e004}another four words entirely\u{e007}").await;
    browser.until("and opens the door", &headline("Getting started")).await;
    browser.close().await;
}
