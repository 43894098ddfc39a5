//! Two instances over one database: what happens on one is seen on the other, once and in order.

use ordercast::orders::NewOrder;
use serde_json::json;

use crate::app::TestApp;

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
