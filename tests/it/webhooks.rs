//! Webhooks in our own format: who is believed, what is taken, what is a repeat, and what is refused.

use std::time::Duration;

use futures_util::future::join_all;
use ordercast::accounts::Role;
use ordercast::base::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::app::merchant::{Merchant, hex, hmac};
use crate::app::watcher::Watcher;
use crate::app::{TestApp, people};
use crate::rows::{number, run, written};

fn order(number: &str, status: &str) -> Value {
    json!({"order_number": number, "tracking_status": status, "address": "Road 1", "item_summary": "1x Widget",
        "customer_details": {"name": "Jane Doe", "email": "jane@example.com"}})
}

#[tokio::test]
async fn each_of_three_signatures_is_believed_and_nothing_else_is() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-guess=0"], clock.clone()).await;
    let (shop, other) = (Merchant::new(&app, "signs").await, Merchant::new(&app, "other").await);
    let body = order("S-1", "PENDING").to_string().into_bytes();
    let now = clock.now().as_second();
    let by_hmac = format!("sha256={}", hex(&hmac(&shop.secret, &body)));
    let email = ("X-Customer-Email", shop.email.as_str());
    assert_eq!(shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", &by_hmac)], &body).await.status, 201);
    let named = format!("/api/v1/webhook/{}", shop.slug);
    assert_eq!(shop.post(&named, &[("X-Webhook-Signature", &shop.secret)], &body).await.status, 200, "a repeat");
    let by_id = format!("/api/v1/webhook/{}/", shop.company);
    assert_eq!(shop.post(&by_id, &[("X-Webhook-Signature", &shop.secret)], &body).await.status, 200);
    assert_eq!(
        shop.send_standard("msg_1", now - 300, &body).await.status,
        200,
        "another delivery of what is so already"
    );
    let before = written(&app.parts.db).await;
    let kept = number(&app.parts.db, "SELECT count(*) AS n FROM inbox").await;
    let upper = shop.secret.to_uppercase();
    let bearer = format!("Bearer {}", shop.secret);
    let forged = order("S-1", "DELIVERED").to_string().into_bytes();
    let mut refused = vec![
        shop.post("/api/v1/webhook", &[email], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", "")], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", &upper)], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", &by_hmac)], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", &other.secret)], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("X-Webhook-Signature", shop.platform_secret)], &forged).await,
        shop.post("/api/v1/webhook", &[email, ("Authorization", &bearer)], &forged).await,
        shop.post("/api/v1/webhook", &[("X-Webhook-Signature", &shop.secret)], &forged).await,
        shop.post(
            "/api/v1/webhook",
            &[("X-Customer-Email", "nobody@signs.example"), ("X-Webhook-Signature", &shop.secret)],
            &forged,
        )
        .await,
        shop.post("/api/v1/webhook/nobody", &[("X-Webhook-Signature", &shop.secret)], &forged).await,
        shop.post("/api/v1/webhook/other", &[("X-Webhook-Signature", &shop.secret)], &forged).await,
        shop.send_standard("msg_2", now - 301, &forged).await,
        shop.send_standard("msg_2", now + 301, &forged).await,
    ];
    let stamp = now.to_string();
    let of_other =
        ordercast::webhooks::sign::standard(&ordercast::base::Secret::new(&other.secret), "msg_3", now, &forged);
    let of_other = of_other.expect("a signature");
    let headers = [email, ("webhook-id", "msg_3"), ("webhook-timestamp", &stamp), ("webhook-signature", &of_other)];
    refused.push(shop.post("/api/v1/webhook", &headers, &forged).await);
    for answer in &refused {
        assert_eq!(answer.problem(), (401, "unauthenticated"), "{answer:?}");
        assert_eq!(answer.body["detail"], "Invalid webhook signature");
    }
    assert_eq!(written(&app.parts.db).await, before);
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM inbox").await, kept, "what is not proven is not kept");
}

#[tokio::test]
async fn only_active_people_of_active_companies_deliver() {
    let app = TestApp::with(&["--rate-guess=0"], Clock::System).await;
    let shop = Merchant::new(&app, "states").await;
    assert_eq!(shop.send(&order("1", "PENDING")).await.status, 201);
    for (off, on) in [
        ("UPDATE companies SET state = 'pending' WHERE slug = 'states'", "UPDATE companies SET state = 'active'"),
        ("UPDATE companies SET state = 'suspended' WHERE slug = 'states'", "UPDATE companies SET state = 'active'"),
        ("UPDATE accounts SET suspended_at = created_at", "UPDATE accounts SET suspended_at = NULL"),
        ("UPDATE accounts SET verified_at = NULL", "UPDATE accounts SET verified_at = created_at"),
    ] {
        run(&app.parts.db, off).await;
        assert_eq!(shop.send(&order("2", "PENDING")).await.problem(), (401, "unauthenticated"), "{off}");
        run(&app.parts.db, on).await;
    }
    assert_eq!(shop.send(&order("2", "PENDING")).await.status, 201);
}

#[tokio::test]
async fn a_replaced_secret_works_for_a_day_more_and_a_revoked_one_not_at_all() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-guess=0"], clock.clone()).await;
    let mut shop = Merchant::new(&app, "rotates").await;
    let api = shop.api();
    let listed = api.get("/api/v1/company/webhook-secrets").await.body["data"].as_array().expect("a list").clone();
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert!(listed.iter().all(|secret| secret.get("secret").is_none()));
    assert_eq!(api.post("/api/v1/company/webhook-secrets", &json!({})).await.problem(), (409, "secret_exists"));
    let rotated = api.post("/api/v1/company/webhook-secrets/rotate", &json!({})).await;
    assert_eq!(rotated.status, 201, "{rotated:?}");
    let fresh = rotated.body["secret"].as_str().expect("a secret").to_owned();
    assert!(fresh.starts_with("whsec_") && fresh.ends_with(rotated.body["last_four"].as_str().expect("four")));
    let old = std::mem::replace(&mut shop.secret, fresh.clone());
    assert_eq!(shop.send(&order("1", "PENDING")).await.status, 201);
    shop.secret.clone_from(&old);
    clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(shop.send(&order("2", "PENDING")).await.status, 201, "a second before its end");
    clock.advance(Duration::from_secs(1));
    assert_eq!(shop.send(&order("3", "PENDING")).await.status, 401);
    shop.secret = fresh;
    let listed = api.get("/api/v1/company/webhook-secrets").await.body["data"].as_array().expect("a list").clone();
    let own: Vec<&Value> = listed.iter().filter(|secret| secret["source"] == "ordercast").collect();
    assert_eq!(own.len(), 1, "{listed:?}");
    assert_eq!(own[0]["last_used_at"], "2026-11-21T09:00:00Z");
    let path = format!("/api/v1/company/webhook-secrets/{}", own[0]["id"].as_str().expect("an id"));
    let other = Merchant::new(&app, "neighbour").await;
    assert_eq!(other.api().delete(&path).await.problem(), (404, "not_found"));
    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.delete(&path).await.problem(), (404, "not_found"));
    assert_eq!(shop.send(&order("4", "PENDING")).await.status, 401);
    let audits =
        "SELECT count(*) AS n FROM audit_log WHERE subject = 'webhook_secret' AND action = 'webhook_secret.revoked'";
    assert_eq!(number(&app.parts.db, audits).await, 1);
}

#[tokio::test]
async fn secrets_are_sealed_at_rest_shown_once_and_managed_by_whoever_may() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "sealed").await;
    let api = shop.api();
    for (body, code) in [
        (json!({"source": "shopify"}), "bad_secret"),
        (json!({"source": "shopify", "secret": "short"}), "bad_secret"),
        (json!({"source": "shopify", "secret": "with a space"}), "bad_secret"),
        (json!({"source": "ordercast", "secret": "whsec_mine_own_one"}), "bad_secret"),
        (json!({"source": "magento", "secret": "0123456789"}), "bad_field"),
    ] {
        let answer = api.post("/api/v1/company/webhook-secrets", &body).await;
        assert_eq!(answer.problem(), (400, code), "{body}");
        assert!(!answer.body.to_string().contains("mine_own"), "{answer:?}");
    }
    let set =
        api.post("/api/v1/company/webhook-secrets", &json!({"source": "shopify", "secret": "hush-hush-1234"})).await;
    assert_eq!((set.status, &set.body["last_four"], set.body.get("secret")), (201, &json!("1234"), None));
    let bytes = if app.parts.db.engine() == "sqlite" { "hex(sealed)" } else { "upper(encode(sealed, 'hex'))" };
    let plain = hex(b"hush-hush").to_uppercase();
    let found = format!("SELECT count(*) AS n FROM webhook_secrets WHERE {bytes} LIKE '%{plain}%'");
    assert_eq!(number(&app.parts.db, &found).await, 0);
    let reader = crate::app::caller::Caller::with(&app, "orders:read,orders:write").await;
    assert_eq!(reader.get("/api/v1/company/webhook-secrets").await.problem(), (403, "forbidden"));
    // What an approval mints is shown to one asker.
    let (secrets, company) = (app.parts.webhook_secrets.clone(), shop.company);
    let mint = secrets.clone();
    let minted = app.parts.db.transact(move |conn| Box::pin(async move { mint.mint(conn, company).await })).await;
    minted.expect("minted");
    let actor = ordercast::base::Actor::System("tests");
    let asked = join_all((0..8).map(|_| secrets.reveal(actor.clone(), company))).await;
    let shown: Vec<_> = asked.into_iter().filter_map(|shown| shown.expect("an answer")).collect();
    assert_eq!(shown.len(), 1);
    assert!(shown[0].expose().starts_with("whsec_"));
}

#[tokio::test]
async fn a_known_order_is_updated_through_the_door_and_seen_live() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "live").await;
    let made = shop.send(&order("L-1", "CONFIRMED")).await;
    assert_eq!((made.status, &made.body["tracking_status"]), (201, &json!("CONFIRMED")));
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let pass = shop.api().post("/api/v1/orders/L-1/tracking-pass", &json!({})).await.body["pass"].clone();
    let (mut watcher, _) = Watcher::subscribe(&app.url, "", &json!({"pass": pass})).await;
    let news = json!({"order_number": "L-1", "tracking_status": "shipped", "carrier": "FedEx",
        "tracking_number": "986578788855", "notes": "On its way", "address": "Road 2"});
    let updated = shop.send(&news).await;
    assert_eq!((updated.status, &updated.body["tracking_status"]), (200, &json!("SHIPPED")), "{updated:?}");
    assert_eq!(updated.body["address"], "Road 2");
    let event = watcher.next_of("event").await;
    assert_eq!(event["event"]["status"], "shipped");
    assert_eq!(event["event"]["tracking_url"], "https://www.fedex.com/fedextrack/?tracknumbers=986578788855");
    // Named by what our reply called it, and without a carrier: a webhook tells what has happened already.
    let by_id = shop.send(&json!({"id": id, "tracking_status": "OUT_FOR_DELIVERY"})).await;
    assert_eq!((by_id.status, &by_id.body["id"]), (200, &json!(id)));
    let seen = shop.order("L-1").await;
    assert_eq!((&seen["seq"], seen.get("external_id")), (&json!(3), None), "our own id is not taken for theirs");
    let back = shop.send(&json!({"order_number": "L-1", "tracking_status": "PENDING"})).await;
    assert_eq!(back.problem(), (400, "transition_refused"));
    assert_eq!(shop.order("L-1").await["seq"], 3);
    watcher.leave().await;
}

#[tokio::test]
async fn a_repeat_is_a_repeat_by_id_by_content_and_at_the_same_time() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&[], clock.clone()).await;
    let shop = Merchant::new(&app, "repeats").await;
    let nameless = json!({"customer_details": {"email": "jane@example.com"}, "item_summary": "1x Milk"});
    let numbered = order("R-1", "PENDING");
    for body in [&nameless, &numbered] {
        let before = written(&app.parts.db).await.orders;
        let answers = join_all((0..20).map(|_| shop.send(body))).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
        assert_eq!(created, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body["id"] == answers[0].body["id"]));
        assert_eq!(written(&app.parts.db).await.orders, before + 1);
    }
    assert_eq!(number(&app.parts.db, "SELECT count(*) AS n FROM inbox").await, 2);
    let now = clock.now().as_second();
    let body = order("R-2", "PENDING").to_string();
    let answers = join_all((0..20).map(|_| shop.send_standard("msg_same", now, body.as_bytes()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    // The same identifier with another body is the same delivery.
    let other = order("R-3", "PENDING").to_string();
    let repeated = shop.send_standard("msg_same", now, other.as_bytes()).await;
    assert_eq!((repeated.status, &repeated.body["id"]), (200, &answers[0].body["id"]));
    assert_eq!(written(&app.parts.db).await.orders, 3);
    // Without a name the same content is the same order for an hour; tomorrow's milk is another.
    clock.advance(Duration::from_secs(3600));
    assert_eq!(shop.send(&nameless).await.status, 200);
    clock.advance(Duration::from_secs(3600 * 2));
    assert_eq!(shop.send(&nameless).await.status, 201);
    assert_eq!(shop.send(&numbered).await.status, 200, "a number names its order for good");
}

#[tokio::test]
async fn two_instances_that_get_the_same_webhook_at_once_make_one_order() {
    let (first, second) = TestApp::pair().await;
    let shop = Merchant::new(&first, "pair").await;
    let twin = shop.at(&second);
    let nameless = json!({"customer_details": {"email": "jane@example.com"}, "item_summary": "1x Milk"});
    let numbered = order("T-1", "PENDING");
    let external = json!({"external_id": "x-1", "customer_details": {"email": "jane@example.com"}});
    for (made, body) in [&nameless, &numbered, &external].into_iter().enumerate() {
        let answers = join_all((0..20).map(|n| if n % 2 == 0 { shop.send(body) } else { twin.send(body) })).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body == answers[0].body), "{answers:?}");
        assert_eq!(written(&first.parts.db).await.orders, i64::try_from(made).expect("small") + 1);
    }
}

#[tokio::test]
async fn a_person_who_has_signed_in_manages_the_company_s_webhooks() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-guess=0", "--rate-public=0"], clock).await;
    people::merchant(&app, "mira@shop.example").await;
    let (mira, _) = people::signed_in(&app, "mira@shop.example").await;
    let made = mira.post("/api/v1/company/webhook-secrets", &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let secret = made.body["secret"].as_str().expect("a secret").to_owned();
    let other = Merchant::new(&app, "elsewhere").await;
    let headers = [("X-Customer-Email", "MIRA@shop.example"), ("X-Webhook-Signature", secret.as_str())];
    let body = order("V-1", "on the van").to_string();
    let sent = other.post("/api/v1/webhook", &headers, body.as_bytes()).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    let listed = mira.get("/api/v1/orderreceptions/").await;
    assert_eq!(listed.body, json!([sent.body]));
    let inbox = mira.get("/api/v1/inbox?verdict=unmapped").await;
    let entry = inbox.body["data"][0]["id"].as_str().expect("an entry").to_owned();
    let word = json!({"theirs": "on the van", "ours": "out_for_delivery"});
    assert_eq!(mira.send(reqwest::Method::PUT, "/api/v1/inbound-statuses", &word).await.status, 200);
    let rerun = mira.post(&format!("/api/v1/inbox/{entry}/rerun"), &json!({})).await;
    assert_eq!((rerun.status, &rerun.body["verdict"]), (200, &json!("updated")), "{rerun:?}");
    people::merchant(&app, "nadia@other.example").await;
    let (nadia, _) = people::signed_in(&app, "nadia@other.example").await;
    for path in [
        format!("/api/v1/inbox/{entry}"),
        format!("/api/v1/orderreceptions/{}", sent.body["id"].as_str().expect("an id")),
    ] {
        assert_eq!(nadia.get(&path).await.problem(), (404, "not_found"), "{path}");
    }
    assert_eq!(nadia.get("/api/v1/orderreceptions/").await.body, json!([]));
    people::staff(&app, Role::Admin, "rina@platform.example").await;
    let (rina, _) = people::signed_in(&app, "rina@platform.example").await;
    assert_eq!(rina.get("/api/v1/orderreceptions/").await.body[0]["id"], sent.body["id"]);
    assert_eq!(rina.get(&format!("/api/v1/inbox/{entry}")).await.status, 200);
}

#[tokio::test]
async fn late_news_by_the_senders_clock_change_nothing() {
    let app = TestApp::start().await;
    let shop = Merchant::new(&app, "late").await;
    let at = |time: &str, address: &str, status: &str| {
        json!({"external_id": 7, "order_number": "N-7", "updated_at": time,
        "address": address, "tracking_status": status, "customer_details": {"email": "jane@example.com"}})
    };
    assert_eq!(shop.send(&at("2026-11-21T09:00:00Z", "Road 1", "PENDING")).await.status, 201);
    assert_eq!(shop.send(&at("2026-11-21T09:20:00Z", "Road 3", "PROCESSING")).await.status, 200);
    let late = shop.send(&at("2026-11-21T09:10:00Z", "Road 2", "PACKED")).await;
    assert_eq!((late.status, &late.body["address"]), (200, &json!("Road 3")), "{late:?}");
    assert_eq!(late.body["tracking_status"], "PROCESSING");
    assert_eq!(shop.inbox().await[0]["verdict"], "stale");
    assert_eq!(shop.order("N-7").await["seq"], 2);
}

#[tokio::test]
async fn bodies_that_are_no_order_are_refused_kept_and_harmless() {
    let app = TestApp::with(&[], Clock::System).await;
    let shop = Merchant::new(&app, "bad").await;
    let before = written(&app.parts.db).await;
    let deep = format!("{{\"order_number\": \"1\", \"items\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let many: String = (0..60_000).map(|n| format!("\"k{n}\":1,")).collect();
    let many = format!("{{{}\"order_number\": 1, \"address\": []}}", many);
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "[]",
        "null",
        "5",
        "{}",
        "nonsense",
        "{} {}",
        r#"{"customer_details": "Jane"}"#,
        r#"{"customer_details": {"email": "nobody"}, "order_number": "B-1"}"#,
        r#"{"customer_details": {"name": {"first": "Jane"}}}"#,
        r#"{"order_number": "B-1", "tracking_status": 5}"#,
        r#"{"order_number": "B-1", "items": [{"name": "x", "qty": -1}]}"#,
        r#"{"order_number": "B-1", "total": {"amount": 1.5, "currency": "USD"}}"#,
        r#"{"order_number": "B-1", "total": {"amount": 1, "currency": "XXQ"}}"#,
        r#"{"order_number": "B-1", "tracking_url": "javascript:alert(1)"}"#,
        r#"{"order_number": "B-1\u0000"}"#,
        r#"{"order_number": "B-1", "notes": "a\u0000b"}"#,
        r#"{"order_number": "019a0000-0000-7000-8000-000000000000", "address": "x"}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    bodies.push(deep.replace("items", "customer_details").into_bytes());
    bodies.push(deep.into_bytes());
    bodies.push(many.into_bytes());
    bodies.push(b"{\"order_number\": \"\xff\"}".to_vec());
    bodies.push(format!(r#"{{"order_number": "{}"}}"#, "9".repeat(65)).into_bytes());
    let count = bodies.len();
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(100)]).into_owned();
        let answer = shop.send_bytes(&body).await;
        assert_eq!(answer.problem().0, 400, "{shown}: {answer:?}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{shown}");
    }
    assert_eq!(written(&app.parts.db).await, before);
    let inbox = shop.inbox().await;
    assert_eq!(inbox.len(), count, "every body of a known company is kept");
    assert!(inbox.iter().all(|entry| matches!(entry["verdict"].as_str(), Some("unreadable" | "refused"))), "{inbox:?}");
    assert_eq!(announced(&shop, 10 << 20).await, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(shop.inbox().await.len(), count, "what is too large is not even read");
}

/// The status line a webhook gets that announces a body of this length and begins to send it.
async fn announced(shop: &Merchant<'_>, length: usize) -> String {
    let address = shop.app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /api/v1/webhook/ HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nX-Customer-Email: {}\r\n\
         X-Webhook-Signature: {}\r\n\r\n{{\"order_number\":",
        shop.email, shop.secret
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.expect("a status line");
    line.trim_end().to_owned()
}

#[tokio::test]
async fn a_busy_shop_is_not_cut_off_and_guesses_are() {
    let clock = Clock::manual("2026-11-21T09:00:00Z".parse().expect("a time"));
    let app = TestApp::with(&["--rate-public=3", "--rate-guess=2", "--rate-api=1000"], clock).await;
    let (shop, other) = (Merchant::new(&app, "busy").await, Merchant::new(&app, "quiet").await);
    for n in 0..20 {
        assert_eq!(shop.send(&order(&format!("{n}"), "PENDING")).await.status, 201);
    }
    let headers = [("X-Customer-Email", other.email.as_str()), ("X-Webhook-Signature", "whsec_guess")];
    let mut guesses = Vec::new();
    for _ in 0..4 {
        guesses.push(shop.post("/api/v1/webhook", &headers, b"{}").await.status);
    }
    assert_eq!(guesses, [401, 401, 429, 429]);
    assert_eq!(shop.send(&order("more", "PENDING")).await.status, 201, "who is known is counted apart");
}
