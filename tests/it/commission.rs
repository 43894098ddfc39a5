//! Commissions over HTTP: rates from a time on, one order and many, the arithmetic, and who may.

use ordercast::base::Money;
use ordercast::orders::{Item, NewOrder, Status};
use serde_json::json;

use crate::app::caller::Caller;
use crate::app::people::signed_in;
use crate::wallet::{Market, admin};

fn item(name: &str, category: Option<&str>, qty: u32, price: i64) -> Item {
    Item {
        name: name.into(),
        qty,
        unit_price: Money::new(price, "USD"),
        image_url: None,
        category: category.map(str::to_owned),
    }
}

#[tokio::test]
async fn the_reply_shows_the_arithmetic_by_category_and_the_parts_sum_to_the_whole() {
    let market = Market::open(&[]).await;
    let staff = Caller::with(&market.app, "admin").await;
    let company = market.company.to_string();
    for rate in [
        json!({"category": "lamps", "basis_points": 1250, "holds_from": "2026-01-01T00:00:00Z"}),
        json!({"company": company, "category": "tea", "basis_points": 333, "holds_from": "2026-01-01T00:00:00Z"}),
        json!({"company": company, "category": "tea", "basis_points": 9999, "holds_from": "2027-01-01T00:00:00Z"}),
    ] {
        assert_eq!(staff.post("/api/v1/commission-rates", &rate).await.status, 201);
    }
    let new = NewOrder {
        company: market.company,
        total: Money::new(9_000, "USD"),
        items: vec![
            item("Lamp", Some("lamps"), 1, 5_000),
            item("Tea", Some("tea"), 3, 1_000),
            item("Card", None, 1, 2_000),
        ],
        ..NewOrder::default()
    };
    let order = market.app.parts.orders.create(admin(), new, None).await.expect("an order").order.id;
    let path = format!("/api/v1/orders/{order}/commission");
    let answer = staff.post(&path, &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let commission = &answer.body["commission"];
    // The discounted total of 90.00 falls to prices of 50, 30 and 20: 45.00, 27.00, 18.00.
    let lines = json!([
        {"category": "lamps", "base": 4500, "basis_points": 1250, "rate_of": "category", "amount": 562},
        {"category": "tea", "base": 2700, "basis_points": 333, "rate_of": "company and category", "amount": 90},
        {"base": 1800, "basis_points": 1000, "rate_of": "platform", "amount": 180},
    ]);
    assert_eq!(commission["lines"], lines, "562.5 goes to the even 562; 89.91 is 90");
    assert_eq!((&commission["amount"], &commission["vendor_amount"]), (&json!(832), &json!(8168)));
    assert_eq!(commission["rate"], "12.5%, 3.33%, 10%");
    let (vendor, _) = signed_in(&market.app, market.email).await;
    assert_eq!(vendor.get(&path).await.body["commission"], *commission, "its vendor reads it");
}

#[tokio::test]
async fn rates_and_commissions_stand_in_the_audit_trail_with_their_requests_by_hand_or_by_themselves() {
    let market = Market::open(&["--commission-on-confirmation"]).await;
    let db = &market.app.parts.db;
    let staff = Caller::with(&market.app, "admin").await;
    let set = staff.post("/api/v1/commission-rates", &json!({"basis_points": 1000})).await;
    let rate = set.body["id"].as_str().expect("an id").to_owned();
    let trail = ordercast::audit::history(db, "commission_rate", rate).await.expect("the trail");
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert!(trail[0].request_id.is_some(), "{trail:?}");
    let order = market.order(Status::Pending, Some((1000, "USD"))).await.id;
    let moved = staff.post(&format!("/api/v1/orders/{order}/status"), &json!({"status": "confirmed"})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    let again = staff.post(&format!("/api/v1/orders/{order}/commission"), &json!({})).await;
    assert_eq!(again.status, 200, "{again:?}");
    let trail = ordercast::audit::history(db, "order", order.to_string()).await.expect("the trail");
    let told: Vec<_> = trail.iter().filter(|entry| entry.action == "order.commission_calculated").collect();
    let [by_itself, by_hand] = told[..] else { panic!("{trail:?}") };
    assert_eq!(by_itself.detail["amount"], 100);
    assert_eq!((&by_itself.detail, &by_itself.actor_name), (&by_hand.detail, &by_hand.actor_name));
    for entry in [by_itself, by_hand] {
        assert!(entry.request_id.is_some() && entry.company == Some(market.company), "{entry:?}");
    }
}

#[tokio::test]
async fn a_rate_holds_for_orders_made_from_its_time_on() {
    let market = Market::open(&[]).await;
    let early = market.order(Status::Pending, Some((1000, "USD"))).await.id;
    market.wait_days(1);
    let staff = Caller::with(&market.app, "admin").await;
    let set = staff.post("/api/v1/commission-rates", &json!({"basis_points": 2000})).await;
    assert_eq!(
        (set.status, &set.body["percent"], &set.body["holds_from"]),
        (201, &json!("20%"), &json!("2026-11-22T09:00:00Z"))
    );
    let late = market.order(Status::Pending, Some((1000, "USD"))).await.id;
    for (order, amount) in [(early, 100), (late, 200)] {
        let answer = staff.post(&format!("/api/v1/orders/{order}/commission"), &json!({})).await;
        assert_eq!(answer.body["commission"]["amount"], amount, "{answer:?}");
    }
    let list = staff.get("/api/v1/commission-rates").await;
    assert_eq!(list.body["data"].as_array().map(Vec::len), Some(2), "earlier rates stay: {list:?}");
}

#[tokio::test]
async fn many_are_calculated_at_once_each_for_itself() {
    let market = Market::open(&[]).await;
    let staff = Caller::with(&market.app, "admin").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(market.order(Status::Confirmed, Some((1000, "USD"))).await.id.to_string());
    }
    let delivered = market.priced(Status::Shipped, (1000, "USD")).await;
    market.set(admin(), delivered, Status::Delivered).await.expect("delivered");
    let free = market.order(Status::Confirmed, None).await.id.to_string();
    let named = json!({"orders": [open[0], delivered.to_string(), free, "ORD-NOBODY"]});
    let answer = staff.post("/api/v1/orders/commission", &named).await;
    let codes: Vec<_> = answer.body["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|row| (row["ok"].as_bool(), row["problem"]["code"].as_str().map(str::to_owned)))
        .collect();
    let refused = |code: &str| (Some(false), Some(code.to_owned()));
    let expected = [(Some(true), None), refused("commission_settled"), refused("no_total"), refused("not_found")];
    assert_eq!(codes, expected, "{answer:?}");
    let rest =
        staff.post("/api/v1/orders/commission", &json!({"company": market.company, "statuses": ["confirmed"]})).await;
    assert_eq!((&rest.body["calculated"], &rest.body["may_be_more"]), (&json!(2), &json!(false)), "{rest:?}");
}

#[tokio::test]
async fn rates_and_calculations_are_for_those_who_run_the_platform() {
    let market = Market::open(&[]).await;
    let order = market.order(Status::Confirmed, Some((1000, "USD"))).await.id;
    let (vendor, _) = signed_in(&market.app, market.email).await;
    let system = Caller::with(&market.app, "orders:read,orders:write,orders:update_status").await;
    for caller in [&vendor, &system] {
        for (path, body) in [
            ("/api/v1/commission-rates".to_owned(), json!({"basis_points": 0})),
            (format!("/api/v1/orders/{order}/commission"), json!({})),
            ("/api/v1/orders/commission".to_owned(), json!({})),
        ] {
            assert_eq!(caller.post(&path, &body).await.problem(), (403, "forbidden"), "{path}");
        }
        assert_eq!(caller.get("/api/v1/commission-rates").await.problem(), (403, "forbidden"));
    }
    let staff = Caller::with(&market.app, "admin").await;
    for basis_points in [-1, 10_001] {
        let answer = staff.post("/api/v1/commission-rates", &json!({"basis_points": basis_points})).await;
        assert_eq!(answer.problem(), (400, "out_of_range"));
    }
}
