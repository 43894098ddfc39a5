//! The customers' pages as a browser without scripts gets them, and how their files may be kept.

use jiff::Timestamp;
use ordercast::base::{Actor, Clock};
use ordercast::orders::{Change, Customer, NewOrder, OrderRef, Status};
use reqwest::Response;
use serde_json::Value;

use crate::app::TestApp;

/// An order of someone whose name is an attack.
fn order(number: &str) -> NewOrder {
    let customer = Customer {
        name: Some("</script><script>alert(1)</script> Rahman".into()),
        email: Some("ayesha@mail.com".into()),
        ..Customer::default()
    };
    NewOrder { number: Some(number.into()), customer, item_summary: Some("2x Oat soap".into()), ..NewOrder::default() }
}

async fn get(app: &TestApp, path: &str) -> Response {
    app.http.get(format!("{}{path}", app.url)).send().await.expect("an answer")
}

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map_or_else(String::new, |value| value.to_str().expect("text").to_owned())
}

/// The first address in the page that begins so.
fn address(page: &str, start: &str) -> String {
    let found = page.find(&format!("\"{start}")).expect("the address is there") + 1;
    page[found..].split('"').next().expect("its end").to_owned()
}

#[tokio::test]
async fn a_tracking_page_is_complete_private_and_safe_before_any_script_runs() {
    let app = TestApp::start().await;
    let (_, pass) = app.order(order("P-1")).await;
    let answer = get(&app, &format!("/track/{pass}")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
    assert_eq!(header(&answer, "x-robots-tag"), "noindex, nofollow");
    let policy = header(&answer, "content-security-policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let page = answer.text().await.expect("text");
    for part in ["We have your order", "P-1", "2x Oat soap", "<noscript>", "a•••@mail.com"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script>alert") && !page.contains("ayesha@mail.com"), "{page}");
    let boot = page.split(r#"<script id="boot" type="application/json">"#).nth(1).expect("the boot block");
    let boot: Value = serde_json::from_str(boot.split("</script>").next().expect("its end")).expect("JSON");
    assert_eq!((&boot["view"]["seq"], &boot["pass"]), (&Value::from(1), &Value::from(pass)));
}

#[tokio::test]
async fn a_link_that_is_none_and_one_that_has_ended_are_told_apart() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse::<Timestamp>().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let none = get(&app, "/track/nonsense").await;
    assert_eq!(none.status(), 404);
    assert!(none.text().await.expect("text").contains("We could not find this order"));
    let (order, pass) = app.order(order("P-1")).await;
    let change = Change { status: Some(Status::Delivered), ..Change::default() };
    let admin = Actor::System("tests");
    app.parts.orders.advance(admin, OrderRef::Id(order.id), change, None).await.expect("a delivery");
    clock.advance(std::time::Duration::from_secs(31 * 24 * 3600));
    let ended = get(&app, &format!("/track/{pass}")).await;
    assert_eq!(ended.status(), 410);
    let page = ended.text().await.expect("text");
    assert!(page.contains("This link has expired") && page.contains(&format!("/track/{pass}/renew")), "{page}");
    let renewed = app.http.post(format!("{}/track/{pass}/renew", app.url)).send().await.expect("an answer");
    assert_eq!(renewed.status(), 202);
    assert!(renewed.text().await.expect("text").contains("A new link is on its way."));
}

#[tokio::test]
async fn the_look_up_form_answers_hit_and_miss_alike_and_marks_what_is_missing() {
    let app = TestApp::start().await;
    app.order(order("P-1")).await;
    let send = async |body: &'static str| {
        let request = app.http.post(format!("{}/track", app.url)).body(body);
        let answer =
            request.header("content-type", "application/x-www-form-urlencoded").send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let hit = send("number=P-1&email=ayesha%40mail.com").await;
    let miss = send("number=P-2&email=nobody%40mail.com").await;
    assert_eq!(hit, miss);
    assert_eq!(hit.0, 202);
    assert!(hit.1.contains("If these details match an order, we have sent you a link."));
    let (status, page) = send("number=&email=nobody").await;
    assert_eq!(status, 400);
    assert!(page.contains(r#"aria-invalid="true" autofocus"#), "{page}");
    // Once in the summary, which leads to the field, and once beside it.
    assert!(page.contains(r##"<a href="#number">Enter your order number.</a>"##), "{page}");
    assert_eq!(page.matches("Enter your order number.").count(), 2, "{page}");
    assert!(page.contains(r#"aria-describedby="number-bad number-hint""#), "{page}");
    assert_eq!(send("\u{0}").await.0, 400);
}

#[tokio::test]
async fn files_named_by_their_content_may_be_kept_for_ever_and_others_not() {
    let app = TestApp::start().await;
    let (_, pass) = app.order(order("P-1")).await;
    let page = get(&app, &format!("/track/{pass}")).await.text().await.expect("text");
    let script = address(&page, "/assets/");
    let kept = get(&app, &script).await;
    assert_eq!(kept.status(), 200);
    assert_eq!(header(&kept, "cache-control"), "public, max-age=31536000, immutable");
    let again = app.http.get(format!("{}{script}", app.url)).header("if-none-match", header(&kept, "etag"));
    assert_eq!(again.send().await.expect("an answer").status(), 304);
    let old = get(&app, "/assets/0000000000/css/base.css").await;
    assert_eq!((old.status().as_u16(), header(&old, "cache-control").as_str()), (200, "no-cache"));
    for path in ["/assets/0000000000/../Cargo.toml", "/assets/0000000000/widget/order-tracker.js", "/assets/x/none.css"]
    {
        assert_eq!(get(&app, path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn the_widget_loads_on_any_site_and_carries_its_tables() {
    let app = TestApp::start().await;
    let widget = get(&app, "/widget/v1/order-tracker.js").await;
    assert_eq!(header(&widget, "cache-control"), "public, max-age=3600, stale-while-revalidate=86400");
    assert_eq!(header(&widget, "access-control-allow-origin"), "*");
    assert_eq!(header(&widget, "cross-origin-resource-policy"), "cross-origin");
    let script = widget.text().await.expect("text");
    assert!(script.contains("Out for delivery") && !script.contains("/* status table */"));
    let words = get(&app, "/widget/v1/locales/de.json").await;
    assert_eq!(words.json::<Value>().await.expect("JSON")["strings"]["status.shipped"], "Versandt");
    for path in ["/widget/v1/locales/xx.json", "/widget/v1/0000000000/order-tracker.js"] {
        assert_eq!(get(&app, path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_speaks_the_language_of_its_reader() {
    let app = TestApp::start().await;
    let (_, pass) = app.order(order("P-1")).await;
    let page = get(&app, &format!("/track/{pass}?lang=ar")).await.text().await.expect("text");
    assert!(page.contains(r#"<html lang="ar" dir="rtl">"#) && page.contains("وصلنا طلبك"), "{page}");
    let request =
        app.http.get(format!("{}/track/{pass}", app.url)).header("accept-language", "xx, de-AT;q=0.8, en;q=0.5");
    let page = request.send().await.expect("an answer").text().await.expect("text");
    assert!(page.contains("Wir haben Ihre Bestellung erhalten"), "{page}");
}

#[tokio::test]
async fn troubles_are_pages_for_browsers_and_problem_details_for_programs() {
    let app = TestApp::with(&["--shop-name", "Fern & Field"], Clock::System).await;
    let ask = async |path: &str, accept: &str| {
        let answer =
            app.http.get(format!("{}{path}", app.url)).header("accept", accept).send().await.expect("an answer");
        let kind = header(&answer, "content-type");
        (answer.status().as_u16(), kind, answer.text().await.expect("text"))
    };
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let (status, kind, page) = ask("/nowhere", browser).await;
    assert_eq!((status, kind.as_str()), (404, "text/html; charset=utf-8"));
    assert!(page.contains("This page does not exist") && page.contains("Fern &amp; Field"), "{page}");
    for (path, accept) in [("/nowhere", "*/*"), ("/api/v1/nowhere", browser), ("/track/x", "application/json")] {
        let (status, kind, body) = ask(path, accept).await;
        assert_eq!((status, kind.as_str()), (404, "application/problem+json"), "{path} {body}");
    }
}

#[tokio::test]
async fn too_many_tries_are_told_as_the_caller_asked() {
    let app =
        TestApp::with(&["--rate-public", "1"], Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"))).await;
    let ask = async |path: &str, accept: &str| {
        let request = app.http.get(format!("{}{path}", app.url)).header("accept", accept);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), header(&answer, "retry-after"), answer.text().await.expect("text"))
    };
    assert_eq!(ask("/track", "text/html").await.0, 200);
    let (status, wait, page) = ask("/track", "text/html").await;
    assert_eq!((status, wait.as_str()), (429, "60"));
    assert!(page.contains("Too many tries") && page.contains("Please wait 60 seconds."), "{page}");
    let (status, _, problem) = ask("/track", "application/json").await;
    assert_eq!(status, 429);
    assert!(problem.contains("\"code\":\"rate_limited\""), "{problem}");
}

#[tokio::test]
async fn a_shop_that_says_where_help_is_has_a_link_to_it() {
    let help = "https://shop.example/help?about=orders&lang=en";
    let app = TestApp::with(&["--support-url", help], Clock::System).await;
    let (_, pass) = app.order(order("P-1")).await;
    let page = get(&app, &format!("/track/{pass}")).await.text().await.expect("text");
    assert!(
        page.contains(r#"href="https://shop.example/help?about=orders&amp;lang=en""#)
            && page.contains("icons.svg#chat"),
        "{page}"
    );
    let silent = TestApp::start().await;
    let (_, pass) = silent.order(order("P-1")).await;
    let page = get(&silent, &format!("/track/{pass}")).await.text().await.expect("text");
    assert!(page.contains("Something not right?") && !page.contains("icons.svg#chat"), "{page}");
}
