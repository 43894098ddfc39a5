//! Two instances over one database: what happens on one is seen on the other, once and in order.

use ordercast::orders::NewOrder;
use serde_json::json;

use crate::app::TestApp;
use crate::app::watcher::Watcher;

#[tokio::test]
async fn what_one_instance_changes_the_other_changes_further() {
    let (one, two) = TestApp::pair().await;
    let token = one.token("orders:read,orders:write,orders:update_status").await;
    let (order, _) = one.order(NewOrder::default()).await;
    for (app, status) in [(&one, "confirmed"), (&two, "processing"), (&one, "packed")] {
        let (code, answer) =
            app.post("/api/update-order", &token, &json!({"orderId": order.number, "status": status})).await;
        assert_eq!((code, &answer["order"]["status"]), (200, &json!(status)), "{answer}");
    }
    let events = two.parts.timeline.events_since(order.id, 0, 10).await.expect("the log");
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_reply_says_how_many_watch_and_were_reached_on_one_instance_and_on_both() {
    let (one, two) = TestApp::pair().await;
    let token = one.token("orders:read,orders:write,orders:update_status").await;
    let (order, pass) = one.order(NewOrder::default()).await;
    let path = format!("/api/v1/orders/{}/status", order.id);
    let update = async |app: &TestApp, canonical: bool, status: &str| {
        let (code, answer) = if canonical {
            app.post(&path, &token, &json!({"status": status})).await
        } else {
            app.post("/api/update-order", &token, &json!({"orderId": order.number, "status": status})).await
        };
        assert_eq!((code, &answer["order"]["status"]), (200, &json!(status)), "{answer}");
        answer["live"].clone()
    };
    let told = |count: u64| json!({"watchers": count, "delivered": count});
    assert_eq!(update(&one, true, "confirmed").await, told(0));
    let (mut first, _) = Watcher::subscribe(&one.url, "", &json!({"pass": pass})).await;
    let (mut second, _) = Watcher::subscribe(&one.url, "", &json!({"pass": pass})).await;
    assert_eq!(update(&one, true, "processing").await, told(2), "both on the instance that was asked");
    assert_eq!(update(&two, false, "packed").await, told(2), "none of them on it");
    let (mut third, _) = Watcher::subscribe(&two.url, "", &json!({"pass": pass})).await;
    assert_eq!(update(&one, false, "out_for_delivery").await, told(3), "two here, one there");
    assert_eq!(update(&two, true, "delivered").await, told(3), "one here, two there");
    assert_eq!(update(&two, true, "delivered").await, told(0), "a repeat is no news to anybody");
    assert_eq!((first.seqs(4).await, second.seqs(4).await), (vec![3, 4, 5, 6], vec![3, 4, 5, 6]));
    assert_eq!(third.seqs(2).await, [5, 6]);
}
