//! Every way in which an order's status can be changed: each change stands once in the history, the audit trail and the feed.

use std::time::Duration;

use ordercast::base::Actor;
use ordercast::base::id::{CompanyId, OrderId};
use ordercast::orders::{Change, NewOrder, Order, OrderRef, Status};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::{Answer, Caller, send};
use crate::app::crew::{Crew, still};
use crate::app::merchant::Merchant;
use crate::app::watcher::Watcher;
use crate::merchant_pages::Reader;

/// A change of status that some door has made.
struct Made {
    door: &'static str,
    order: OrderId,
    to: &'static str,
}

/// Changes as they are made; what is sent twice must count once.
struct Doors<'a> {
    app: &'a TestApp,
    made: Vec<Made>,
}

fn is_fine(answer: &Answer) {
    assert!(answer.status < 300, "{answer:?}");
}

impl<'a> Doors<'a> {
    async fn order(&self, company: CompanyId, number: &str, status: Status) -> Order {
        let new = NewOrder { company, number: Some(number.into()), status: Some(status), ..NewOrder::default() };
        self.app.parts.orders.create(Actor::System("tests"), new, None).await.expect("an order").order
    }

    fn note(&mut self, door: &'static str, order: OrderId, to: &'static str) {
        self.made.push(Made { door, order, to });
    }

    /// A company's own systems: tokens.
    async fn systems(&mut self, shop: &Merchant<'a>) {
        let api = shop.api();
        for (door, path, body) in [
            ("canonical", "/api/v1/orders/T-0/status", json!({"status": "paid"})),
            ("reference/004", "/api/update-order", json!({"orderId": "T-1", "status": "paid"})),
            ("bulk", "/api/v1/orders/bulk-status", json!({"updates": [{"id": "T-2", "status": "paid"}]})),
            (
                "bulk, whole or not",
                "/api/v1/orders/bulk-status",
                json!({"updates": [{"id": "T-3", "status": "paid"}], "atomic": true}),
            ),
            ("reference/003 by a token", "/api/vendor/orders/T-4/status", json!({"status": "PACKED"})),
        ] {
            let number = format!("T-{}", self.made.len());
            let order = self.order(shop.company, &number, Status::Pending).await;
            for _ in 0..2 {
                is_fine(&api.post(path, &body).await);
            }
            self.note(door, order.id, if door.ends_with("token") { "packed" } else { "paid" });
        }
        let order = self.order(shop.company, "T-CSV", Status::Pending).await;
        for _ in 0..2 {
            let request = api.request(Method::POST, "/api/v1/orders/bulk-status").header("content-type", "text/csv");
            is_fine(&send(request.body("id,status\nT-CSV,paid\n")).await);
        }
        self.note("bulk by CSV", order.id, "paid");
    }

    /// Webhooks, each dialect, and running one again.
    async fn webhooks(&mut self, shop: &Merchant<'a>, now: i64) {
        let body = |number: &str, status: &str| json!({"order_number": number, "tracking_status": status});
        for (nth, door) in ["webhook", "webhook by HMAC and time", "webhook run again"].into_iter().enumerate() {
            let number = format!("H-{nth}");
            let order = self.order(shop.company, &number, Status::Pending).await;
            let (known, odd) = (body(&number, "SHIPPED"), body(&number, "on the van"));
            for _ in 0..2 {
                match nth {
                    0 => is_fine(&shop.send(&known).await),
                    1 => is_fine(&shop.send_standard("msg_1", now, known.to_string().as_bytes()).await),
                    _ => is_fine(&shop.send(&odd).await),
                }
            }
            if nth == 2 {
                let word = json!({"theirs": "on the van", "ours": "shipped"});
                is_fine(&shop.api().send(Method::PUT, "/api/v1/inbound-statuses", &word).await);
                for entry in shop.inbox().await.iter().filter(|entry| entry["subject"] == "H-2") {
                    let path = format!("/api/v1/inbox/{}/rerun", entry["id"].as_str().expect("an id"));
                    is_fine(&shop.api().post(&path, &json!({})).await);
                }
            }
            self.note(door, order.id, "shipped");
        }
        let with = |text: &str, fields: Value| {
            let mut payload: Value = serde_json::from_str(text).expect("JSON");
            payload.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
            payload
        };
        let shopify = with(include_str!("payloads/shopify_order.json"), json!({}));
        is_fine(&shop.shopify("orders/create", "e1", &shopify).await);
        let fulfillment = with(include_str!("payloads/shopify_fulfillment.json"), json!({}));
        let woo = include_str!("payloads/woocommerce_order.json");
        is_fine(&shop.woocommerce("order.created", "d1", &with(woo, json!({"number": "W-1"}))).await);
        let done =
            with(woo, json!({"number": "W-1", "status": "completed", "date_modified_gmt": "2030-01-01T00:00:00"}));
        for _ in 0..2 {
            is_fine(&shop.shopify("fulfillments/create", "e2", &fulfillment).await);
            is_fine(&shop.woocommerce("order.updated", "d2", &done).await);
        }
        for (door, number) in [("Shopify", "#1001"), ("WooCommerce", "W-1")] {
            let order = shop.order(number).await;
            let id = order["id"].as_str().expect("an id").parse().expect("an id");
            self.note(door, id, "shipped");
        }
    }

    /// People: those of a company, by the vendor's table of steps, and those who run the platform.
    async fn people(&mut self, crew: &Crew<'a>) {
        let admin = Caller::with(self.app, "admin").await;
        let to = |status: &str| json!({"status": status});
        for (door, who, path, body) in [
            ("reference/003 by a vendor", &crew.owner, "/api/vendor/orders/{}/status", to("SHIPPED")),
            ("reference/003 by staff", &crew.staff, "/api/vendor/orders/{}/status", to("SHIPPED")),
            ("canonical by a vendor", &crew.owner, "/api/v1/orders/{}/status", to("shipped")),
            ("canonical by staff", &crew.staff, "/api/v1/orders/{}/status", to("shipped")),
            ("canonical by a token of staff", &admin, "/api/v1/orders/{}/status", to("shipped")),
            ("the next step", &crew.owner, "/api/v1/vendor/orders/{}/next-step", to("shipped")),
            ("next steps", &crew.owner, "/api/v1/vendor/orders/next-steps", Value::Null),
        ] {
            let order = self.order(crew.company, &format!("P-{}", self.made.len()), Status::Packed).await;
            let body = if body.is_null() { json!({"rows": [{"id": order.id, "status": "shipped"}]}) } else { body };
            for _ in 0..2 {
                is_fine(&who.post(&path.replace("{}", &order.id.to_string()), &body).await);
            }
            self.note(door, order.id, "shipped");
        }
        let order = self.order(crew.company, "P-PAGE", Status::Packed).await;
        let mut page = Reader::new(self.app);
        page.log_in("owner@juniper.example", "").await;
        for _ in 0..2 {
            let form = [("status", "shipped"), ("carrier", "FedEx")];
            assert_eq!(page.post(&format!("/vendor/orders/{}/step", order.id), &form).await.status, 303);
        }
        self.note("a form of the page", order.id, "shipped");
        let order = self.order(crew.company, "P-COURIER", Status::Shipped).await;
        for _ in 0..2 {
            let change = Change { status: Some(Status::OutForDelivery), ..Change::default() };
            let courier = Actor::Courier("steadfast".into());
            self.app.parts.orders.advance(courier, OrderRef::Id(order.id), change, None).await.expect("moved");
        }
        self.note("a courier", order.id, "out_for_delivery");
    }

    /// Words that moves wait for: a second person's, the customer's, and those about an objection.
    async fn words(&mut self, crew: &Crew<'a>) {
        let mut shop = Reader::new(self.app);
        shop.log_in("owner@juniper.example", "").await;
        for door in [
            "approved",
            "confirmed by link",
            "confirmed by code",
            "confirmed on the page",
            "a code told on the page",
            "dismissed",
        ] {
            let from = if door == "approved" { Status::Packed } else { Status::Shipped };
            let to = if door == "approved" { "shipped" } else { "delivered" };
            let (order, pass) = crew.order(Some(from)).await;
            let held = crew.held(&order, &json!({"status": to})).await;
            let id = held["id"].as_str().expect("an id");
            let customer = Caller::bearing(self.app, Some(&pass));
            let asked = customer.get("/api/v1/track/confirmation").await.body;
            if door == "dismissed" {
                let no = json!({"received": false, "reason": "The box was empty"});
                is_fine(&customer.post("/api/v1/track/confirmation", &no).await);
            }
            for nth in 0..2 {
                let answer = match door {
                    "approved" => crew.colleague.post(&format!("/api/v1/approvals/{id}/approve"), &json!({})).await,
                    "confirmed by code" => {
                        let path = format!("/api/v1/vendor/orders/{}/confirmation-code", order.id);
                        crew.owner.post(&path, &json!({"code": asked["code"]})).await
                    }
                    "dismissed" => {
                        let path = format!("/api/v1/admin/disputes/{id}/resolve");
                        let word = json!({"outcome": "dismissed", "reason": "There is a picture"});
                        crew.staff.post(&path, &word).await
                    }
                    "a code told on the page" => {
                        let code = asked["code"].as_str().expect("a code");
                        let told = shop.post(&format!("/vendor/orders/{}/code", order.id), &[("code", code)]).await;
                        assert_eq!(told.status, if nth == 0 { 303 } else { 400 }, "{}", told.text);
                        continue;
                    }
                    "confirmed by link" => {
                        customer.post("/api/v1/track/confirmation", &json!({"received": true})).await
                    }
                    _ => {
                        let mut reader = Reader::new(self.app);
                        let answered = reader.post(&format!("/track/{pass}/confirm"), &[("answer", "yes")]).await;
                        assert_eq!(answered.status, 303);
                        continue;
                    }
                };
                assert!(answer.status == 200 || (nth == 1 && answer.status == 409), "{door}: {answer:?}");
            }
            self.note(door, order.id, to);
        }
    }

    /// What every reader of a change sees.
    async fn check(self, feed: &mut Watcher) {
        let admin = Caller::with(self.app, "admin,orders:read").await;
        let last =
            self.order(self.app.parts.companies.first().await.expect("a company").id, "LAST", Status::Paid).await;
        let mut fed: Vec<(String, Value)> = Vec::new();
        while fed.last().is_none_or(|(order, _)| *order != last.id.to_string()) {
            let event = feed.next_of("event").await;
            fed.push((event["order"].as_str().expect("an id").to_owned(), event));
        }
        for Made { door, order, to } in &self.made {
            let history = admin.get(&format!("/api/v1/orders/{order}/events")).await.body;
            let history = history["data"].as_array().expect("a history").iter();
            let moves: Vec<&Value> = history.filter(|event| event["type"] == "status_changed").collect();
            assert!(moves.len() == 1 && moves[0]["status"] == *to, "{door}: {moves:?}");
            let trail = ordercast::audit::history(&self.app.parts.db, "order", order.to_string()).await;
            let trail = trail.expect("the trail");
            let rows = trail.iter().filter(|row| row.action == "order.status_changed").collect::<Vec<_>>();
            assert!(rows.len() == 1 && rows[0].detail["to"] == *to, "{door}: {rows:?}");
            assert_eq!(rows[0].detail["seq"], moves[0]["seq"], "{door}");
            let order = order.to_string();
            let told = fed.iter().filter(|(of, event)| *of == order && event["seq"] == moves[0]["seq"]).count();
            assert_eq!(told, 1, "{door}: {fed:?}");
        }
    }
}

#[tokio::test]
async fn whatever_door_a_change_comes_through_it_stands_once_in_history_trail_and_feed() {
    let (app, clock) = still().await;
    let token = app.token("admin,orders:read").await;
    let shop = Merchant::new(&app, "atelier").await;
    let crew = Crew::hire(&app, "juniper").await;
    let query = format!("?token={token}");
    let (mut feed, _) = Watcher::subscribe(&app.url, &query, &json!({"feed": "orders"})).await;
    let mut doors = Doors { app: &app, made: Vec::new() };
    doors.systems(&shop).await;
    doors.webhooks(&shop, clock.now().as_second()).await;
    doors.people(&crew).await;
    is_fine(&crew.follow(&["packed shipped!", "shipped delivered?", "shipped returned"]).await);
    doors.words(&crew).await;
    let (order, _) = crew.order(Some(Status::Shipped)).await;
    crew.held(&order, &json!({"status": "delivered"})).await;
    clock.advance(Duration::from_secs(8 * 24 * 3600));
    for _ in 0..2 {
        app.parts.confirmations.sweep().await.expect("a sweep");
    }
    doors.note("confirmed by silence", order.id, "delivered");
    assert_eq!(doors.made.len(), 27, "a new door is to be entered here");
    doors.check(&mut feed).await;
}
