//! Letters to customers: from an update, through the durable queue and a real conversation with a mail server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use ordercast::app::App;
use ordercast::base::Clock;
use ordercast::jobs::Counts;
use ordercast::orders::{Change, Customer, NewOrder, OrderRef, Status};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::app::TestApp;
use crate::dialects::{SCOPES, update};
use crate::rows::number;
use crate::still_app::{Ground, TESTS, order};

/// A mail server that keeps what it is given, and refuses recipients as told.
struct MailServer {
    url: String,
    mails: UnboundedReceiver<String>,
    answer: Arc<Mutex<&'static str>>,
}

impl MailServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("smtp://{}", listener.local_addr().expect("its address"));
        let answer = Arc::new(Mutex::new("250 fine"));
        let (keep, mails) = unbounded_channel();
        let to_recipients = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&to_recipients), keep.clone()));
            }
        });
        Self { url, mails, answer }
    }

    /// What it says to recipients from now on.
    fn answers(&self, text: &'static str) {
        *self.answer.lock().expect("the answer") = text;
    }

    /// The next mail, its lines joined as mail readers join them.
    async fn next(&mut self) -> String {
        let mail = tokio::time::timeout(Duration::from_secs(60), self.mails.recv()).await;
        mail.expect("a mail within a minute").expect("the server runs").replace("=\n", "").replace("=3D", "=")
    }
}

/// One conversation; ends when the other side hangs up.
async fn converse(
    mut stream: TcpStream,
    to_recipients: Arc<Mutex<&'static str>>,
    keep: UnboundedSender<String>,
) -> Option<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 ready\r\n").await.ok()?;
    loop {
        let line = lines.next_line().await.ok()??;
        let reply = match line.split([' ', ':']).next().unwrap_or_default() {
            "RCPT" => *to_recipients.lock().ok()?,
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                loop {
                    match lines.next_line().await.ok()?? {
                        end if end == "." => break,
                        line => mail += &format!("{line}\n"),
                    }
                }
                keep.send(mail).ok()?;
                "250 kept"
            }
            "EHLO" => "250 8BITMIME",
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        writer.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    }
}

fn with_email(email: &str) -> NewOrder {
    let customer = Customer { name: Some("Ayesha".into()), email: Some(email.into()), ..Customer::default() };
    NewOrder { status: Some(Status::Paid), customer, ..NewOrder::default() }
}

/// The address of the tracking page in a mail.
fn link(mail: &str, home: &str) -> String {
    let start = mail.find(&format!("{home}/track/")).unwrap_or_else(|| panic!("no tracking link in\n{mail}"));
    mail[start..].split(['"', '\n', ' ', '<', '>']).next().expect("a link").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_four_letters_of_the_reference_reach_the_customer_with_a_link_that_opens() {
    let mut server = MailServer::start().await;
    let app = TestApp::with(&["--smtp-url", &server.url, "--public-url", "https://track.example"], Clock::System).await;
    let token = app.token(SCOPES).await;
    for (status, subject, told) in [
        ("processing", "Your order is being processed", vec![]),
        ("shipped", "Your order has shipped!", vec!["FedEx", "1234567890123"]),
        ("delivered", "Your order has been delivered!", vec![]),
        ("cancelled", "Your order has been cancelled", vec!["Out of stock"]),
    ] {
        let (order, _) = app.order(with_email("ayesha@mail.example")).await;
        let mut body = json!({"orderId": order.number, "status": status});
        match status {
            "shipped" => {
                body["carrier"] = json!("FedEx");
                body["trackingNumber"] = json!("1234567890123");
            }
            "cancelled" => body["cancellationReason"] = json!("Out of stock"),
            _ => {}
        }
        let reply = update(&app, &token, &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let mail = server.next().await;
        assert!(mail.contains(&format!("\nSubject: {subject}\n")), "{mail}");
        assert!(mail.contains("Ayesha <ayesha@mail.example>"), "{mail}");
        let (text, html) = mail.split_once("Content-Type: text/html").expect("text, then HTML");
        assert!(text.contains("Content-Type: text/plain"), "{mail}");
        for part in [text, html] {
            assert!(part.contains(&order.number), "{part}");
            for word in &told {
                assert!(part.contains(word), "{word} is not in {part}");
            }
            let page = link(part, "https://track.example").replace("https://track.example", &app.url);
            let opened = app.http.get(&page).send().await.expect("an answer");
            assert_eq!(opened.status().as_u16(), 200, "{page}");
            assert!(opened.text().await.expect("a page").contains(&order.number));
        }
    }
}

/// Moves an order to a status as the system does.
async fn advance(app: &App, id: &OrderRef, status: Status) {
    let change = Change {
        status: Some(status),
        carrier: Some("UPS".into()),
        cancellation_reason: Some("Out of stock".into()),
        ..Change::default()
    };
    app.parts.orders.advance(TESTS, id.clone(), change, None).await.expect("advanced");
}

async fn counts(app: &App) -> (i64, i64) {
    let Counts { queued, dead } = app.parts.jobs.counts().await.expect("counts");
    (queued, dead)
}

fn noon() -> Clock {
    Clock::manual("2026-11-21T12:00:00Z".parse::<Timestamp>().expect("a time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_news_that_has_a_letter_and_a_reader_is_queued() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], noon()).await;
    let told = OrderRef::Id(order(&app, with_email("a@mail.example")).await.id);
    let untold = OrderRef::Id(order(&app, NewOrder::default()).await.id);
    for (status, queued) in [
        (Status::Confirmed, 0),
        (Status::Processing, 1),
        (Status::Processing, 1),
        (Status::Packed, 1),
        (Status::Shipped, 2),
        (Status::OutForDelivery, 2),
        (Status::DeliveryFailed, 2),
        (Status::Delivered, 3),
        (Status::Delivered, 3),
    ] {
        advance(&app, &untold, status).await;
        advance(&app, &told, status).await;
        assert_eq!(counts(&app).await, (queued, 0), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_tried_again_later_and_given_up_in_the_end_but_kept() {
    let mut server = MailServer::start().await;
    let ground = Ground::lay().await;
    let clock = noon();
    let app = ground.build(&["--smtp-url", &server.url], clock.clone()).await;
    let id = OrderRef::Id(order(&app, with_email("a@mail.example")).await.id);
    server.answers("450 later");
    advance(&app, &id, Status::Processing).await;
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (1, 0));
    assert_eq!(app.worker.run_due().await.expect("a run"), 0, "not before its time");
    assert_eq!(number(&app.parts.db, "SELECT CAST(attempts AS bigint) AS n FROM jobs").await, 1);
    server.answers("250 fine");
    clock.advance(Duration::from_secs(6));
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (0, 0));
    assert!(server.next().await.contains("Subject: Your order is being processed"));

    // What is refused for good is dead at once, what is put off for days in the end; the order knows nothing of it.
    server.answers("550 no such user");
    advance(&app, &id, Status::Shipped).await;
    assert_eq!(app.worker.run_due().await.expect("a run"), 1);
    assert_eq!(counts(&app).await, (0, 1));
    server.answers("450 later");
    advance(&app, &id, Status::Delivered).await;
    let mut tries = 0;
    while counts(&app).await.0 == 1 && tries < 50 {
        tries += app.worker.run_due().await.expect("a run");
        clock.advance(Duration::from_secs(36 * 3600));
    }
    assert_eq!((tries, counts(&app).await), (11, (0, 2)));
    let kept = "SELECT count(*) AS n FROM jobs WHERE state = 'dead' AND last_error LIKE '%Mail server%'";
    assert_eq!(number(&app.parts.db, kept).await, 2);
    server.answers("250 fine");
    assert_eq!(app.worker.run_due().await.expect("a run"), 0, "nobody tries a dead one again");
    assert!(server.mails.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_claimed_by_an_instance_that_died_is_sent_by_another() {
    let mut server = MailServer::start().await;
    let ground = Ground::lay().await;
    let clock = noon();
    let flags = ["--smtp-url", &server.url];
    let (one, two) = (ground.build(&flags, clock.clone()).await, ground.build(&flags, clock.clone()).await);
    let id = OrderRef::Id(order(&one, with_email("a@mail.example")).await.id);
    advance(&one, &id, Status::Processing).await;
    let claimed = one.parts.jobs.claim(10).await.expect("claimed");
    assert_eq!(claimed.len(), 1);
    assert_eq!(two.worker.run_due().await.expect("a run"), 0, "it is in somebody's hands");
    clock.advance(Duration::from_secs(121));
    assert_eq!(two.worker.run_due().await.expect("a run"), 1);
    assert!(server.next().await.contains("Subject: Your order is being processed"));
    assert_eq!(counts(&one).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_letters_and_send_each_once() {
    let mut server = MailServer::start().await;
    let ground = Ground::lay().await;
    let flags = ["--smtp-url", &server.url];
    let (one, two) = (ground.build(&flags, noon()).await, ground.build(&flags, noon()).await);
    for turn in 0..40 {
        let id = OrderRef::Id(order(&one, with_email(&format!("c{turn}@mail.example"))).await.id);
        advance(&one, &id, Status::Processing).await;
    }
    let (first, second) = tokio::join!(one.worker.run_due(), two.worker.run_due());
    assert_eq!(first.expect("a run") + second.expect("a run"), 40);
    let mut readers = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let mail = server.next().await;
        let to = mail.lines().find(|line| line.starts_with("To: ")).expect("a recipient").to_owned();
        assert!(readers.insert(to.clone()), "{to} got it twice");
    }
    assert!(server.mails.try_recv().is_err());
    assert_eq!(counts(&two).await, (0, 0));
}
