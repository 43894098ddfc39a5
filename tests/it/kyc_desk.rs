//! Forms with documents that come at once, slowly, or from whoever may hand in nothing: memory is for those who may.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::app::applicants::{PDF, hand_in, hand_in_one, onboarding, send_form, sign_up};
use crate::app::caller::Caller;
use crate::app::post_office::PostOffice;

/// Announces a form of five million bytes and sends its first line.
async fn begin(app: &TestApp, shop: &Caller<'_>) -> TcpStream {
    let address = app.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "POST /api/v1/users/kyc HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5000000\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=b0undary\r\n\r\n--b0undary\r\n",
        shop.token().expect("a token")
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    stream
}

async fn status_line(stream: TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).await.expect("a status line");
    line.trim_end().to_owned()
}

async fn open(office: &PostOffice, flags: &[&str]) -> TestApp {
    let mail = office.flag();
    let flags = [&[mail.as_str(), "--rate-guess=0", "--rate-public=0"], flags].concat();
    TestApp::with(&flags, ordercast::base::Clock::System).await
}

#[tokio::test]
async fn what_may_not_be_handed_in_is_refused_before_it_is_read() {
    let mut office = PostOffice::open();
    let app = open(&office, &[]).await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let shop = onboarding(&app, "owner@shop.example").await;
    hand_in_one(&shop).await;
    assert_eq!(status_line(begin(&app, &shop).await).await, "HTTP/1.1 409 Conflict");
}

#[tokio::test]
async fn more_forms_at_once_than_there_is_memory_for_wait_outside() {
    let mut office = PostOffice::open();
    let app = open(&office, &["--kyc-uploads=1"]).await;
    for (email, company) in [("one@shop.example", "One"), ("two@shop.example", "Two")] {
        sign_up(&app, &mut office, email, company).await;
    }
    let (one, two) = (onboarding(&app, "one@shop.example").await, onboarding(&app, "two@shop.example").await);
    let slow = begin(&app, &one).await;
    // A form without anything in it is refused when there is a place to read it.
    let answer = loop {
        let answer = send_form(&two, &[]).await;
        if answer.status != 400 {
            break answer;
        }
    };
    assert_eq!((answer.problem(), answer.header("retry-after")), ((503, "unavailable"), "1"));
    drop(slow);
    let answer = loop {
        let answer = hand_in(&two, &[("registration", Some("a.pdf"), PDF)]).await;
        if answer.status != 503 {
            break answer;
        }
    };
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn a_form_that_does_not_come_to_its_end_is_given_up() {
    let mut office = PostOffice::open();
    let app = open(&office, &["--kyc-uploads=1", "--kyc-upload-seconds=1"]).await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let shop = onboarding(&app, "owner@shop.example").await;
    assert_eq!(status_line(begin(&app, &shop).await).await, "HTTP/1.1 408 Request Timeout");
    hand_in_one(&shop).await;
}
