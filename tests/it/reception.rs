//! Orders in the earlier system's shape: its examples word for word, lists, filters and pages.

use ordercast::base::Clock;
use ordercast::orders::NewOrder;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::merchant::Merchant;
use crate::exchange::replay;

/// The identifier all examples use.
const EXAMPLE: &str = "772f9111-b38c-45a1-9234-112233445566";

#[tokio::test]
async fn the_examples_of_webhook_list_and_detail_are_answered_field_by_field() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "johndoe").await;
    let webhook = include_str!("golden/order_reception/webhook.http");
    let as_sent = webhook.split_once("\n\n").expect("a body").1.split_once("\n---").expect("its end").0;
    // The identifier is ours to choose: a first delivery of the very bytes tells it, by the address of the company.
    let headers = [("X-Webhook-Signature", "your_secure_token_here"), ("X-Customer-Email", "john@example.com")];
    assert_eq!(shop.post("/api/v1/webhook/", &headers, as_sent.as_bytes()).await.status, 401, "not John's secret");
    let made = shop.send_bytes(as_sent.as_bytes()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["id"].as_str().expect("an id");
    let expected = webhook.split_once("\n---\n").expect("a reply").1.split_once("\n\n").expect("a body").1;
    let expected: Value = serde_json::from_str(&expected.replace(EXAMPLE, id)).expect("JSON");
    assert_eq!(made.body, expected);
    assert_eq!(made.header("content-type"), "application/json");
    let named = [("X-Webhook-Signature", shop.secret.as_str()), ("X-Customer-Email", &shop.email)];
    let repeat = shop.post("/api/v1/webhook", &named, as_sent.as_bytes()).await;
    assert_eq!(
        (repeat.status, &repeat.body),
        (200, &expected),
        "the same without the slash: a repeat, and no other order"
    );
    for golden in [include_str!("golden/order_reception/list.http"), include_str!("golden/order_reception/detail.http")]
    {
        replay(&app, &golden.replace(EXAMPLE, id), shop.token()).await;
        replay(&app, &golden.replace(EXAMPLE, id).replacen("/\n", "\n", 1), shop.token()).await;
    }
}

#[tokio::test]
async fn a_company_sees_its_own_orders_and_those_who_run_the_platform_see_all() {
    let app = TestApp::start().await;
    let (one, other) = (Merchant::new(&app, "one").await, Merchant::new(&app, "other").await);
    let order = json!({"order_number": "A-1", "customer_details": {"email": "Jane@Example.com"}});
    let own = one.send(&order).await;
    let theirs = other.send(&order).await;
    assert_eq!((own.status, theirs.status), (201, 201), "{own:?} {theirs:?}");
    assert_ne!(own.body["customer_details"]["id"], theirs.body["customer_details"]["id"], "each has its own customers");
    assert_eq!(own.body["customer_details"]["email"], "Jane@Example.com", "as it was sent");
    let list = async |caller: &Caller<'_>| caller.get("/api/v1/orderreceptions/").await.body;
    assert_eq!(list(&one.api()).await, json!([own.body]));
    assert_eq!(list(&other.api()).await, json!([theirs.body]));
    assert_eq!(list(&Caller::with(&app, "admin").await).await.as_array().expect("an array").len(), 2);
    let foreign = format!("/api/v1/orderreceptions/{}/", theirs.body["id"].as_str().expect("an id"));
    let nobody = format!("/api/v1/orderreceptions/{EXAMPLE}/");
    let (foreign, nobody) = (one.api().get(&foreign).await, one.api().get(&nobody).await);
    assert_eq!(foreign.problem(), (404, "not_found"));
    assert_eq!(foreign.body["detail"], nobody.body["detail"]);
    assert_eq!(Caller::bearing(&app, None).get("/api/v1/orderreceptions/").await.status, 401);
}

#[tokio::test]
async fn filters_and_pages_keep_the_array() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let shop = Merchant::new(&app, "pages").await;
    for n in 0..5 {
        let status = if n % 2 == 0 { "PENDING" } else { "CONFIRMED" };
        let body = json!({"order_number": format!("P-{n}"), "tracking_status": status,
            "customer_details": {"email": "jane@example.com", "name": format!("Jane {n}")}});
        assert_eq!(shop.send(&body).await.status, 201);
        clock.advance(std::time::Duration::from_secs(60));
    }
    let get = async |query: &str| shop.api().get(&format!("/api/v1/orderreceptions/{query}")).await;
    let names = |list: &Value| -> Vec<String> {
        let names = list.as_array().expect("an array").iter().map(|order| order["customer_details"]["name"].as_str());
        names.map(|name| name.expect("a name").to_owned()).collect()
    };
    let all = get("").await;
    assert_eq!(names(&all.body), ["Jane 4", "Jane 3", "Jane 2", "Jane 1", "Jane 0"]);
    assert_eq!(all.header("link"), "");
    assert_eq!(names(&get("?status=confirmed").await.body), ["Jane 3", "Jane 1"]);
    assert_eq!(names(&get("?q=jane%202").await.body), ["Jane 2"]);
    assert_eq!(names(&get("?updated_since=2026-11-21T09:03:00Z").await.body), ["Jane 4", "Jane 3"]);
    let (mut seen, mut page) = (Vec::new(), get("?limit=2").await);
    loop {
        seen.extend(names(&page.body));
        let Some(link) = page.header("link").strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\""))
        else {
            break;
        };
        let path = link.0.strip_prefix(&app.url).expect("our own address").to_owned();
        page = shop.api().get(&path).await;
    }
    assert_eq!(seen, names(&all.body));
    assert_eq!(get("?limit=0").await.problem(), (400, "out_of_range"));
    assert_eq!(get("?colour=red").await.problem(), (400, "unknown_parameter"));
    assert_eq!(get("?status=lost").await.problem(), (400, "unknown_status"));
}

#[tokio::test]
async fn a_customer_has_one_number_whatever_brought_the_order() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "numbers").await;
    let number = async |customer: Value| {
        let number = shop.inbox().await.len().to_string();
        let answer = shop.send(&json!({"order_number": number, "customer_details": customer})).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["customer_details"]["id"].as_i64().expect("an integer")
    };
    let jane = number(json!({"email": "jane@example.com", "name": "Jane"})).await;
    assert_eq!(number(json!({"email": "JANE@example.com"})).await, jane);
    let phone = number(json!({"phone": "+1234"})).await;
    assert_ne!(phone, jane);
    assert_eq!(number(json!({"phone": "+1234", "name": "Jo"})).await, phone);
    let (nobody, another) = (number(json!({})).await, number(json!({})).await);
    assert_ne!(nobody, another, "two orders of nobody are not one customer");
    let by_api = shop.api().post("/api/v1/orders", &json!({"customer": {"email": "jane@example.com"}})).await;
    let path = format!("/api/v1/orderreceptions/{}", by_api.body["id"].as_str().expect("an id"));
    assert_eq!(shop.api().get(&path).await.body["customer_details"]["id"], jane);
    let (order, _) = app.order(NewOrder::default()).await;
    let foreign = shop.api().get(&format!("/api/v1/orderreceptions/{}", order.id)).await;
    assert_eq!(foreign.status, 404, "the shop of the instance is another");
}
