//! A company's papers over HTTP: handed in, looked through, decided on once, and what is refused.

use futures_util::future::join_all;
use ordercast::base::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::applicants::{PDF, Part, admin, hand_in, hand_in_one, onboarding, send_form, sign_up, text};
use crate::app::caller::{Caller, send};
use crate::app::people::{signed_in, with_mail};
use crate::app::post_office::PostOffice;

#[tokio::test]
async fn papers_are_handed_in_looked_through_and_approved() {
    let (app, mut office, clock) = with_mail().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let (shop, staff) = (onboarding(&app, "owner@shop.example").await, admin(&app, "rina@host.example").await);
    assert_eq!(shop.get("/api/v1/users/kyc").await.body, json!({"state": "not_submitted", "submissions": []}));

    let id = hand_in_one(&shop).await;
    let received = office.next().await;
    assert_eq!(received.header("Subject"), Some("We have your business details"));
    clock.advance(std::time::Duration::from_secs(600));
    let queue = staff.get("/api/v1/admin/kyc/").await.body;
    assert_eq!((&queue["data"][0]["id"], &queue["next"]), (&json!(id), &Value::Null));
    assert_eq!(
        (&queue["data"][0]["waiting_seconds"], &queue["data"][0]["company"]["name"]),
        (&json!(600), &json!("Juniper"))
    );

    let document = text(&queue["data"][0]["documents"][0]["id"]);
    let path = format!("/api/v1/admin/kyc/{id}/documents/{document}");
    let answer = staff.request(Method::GET, &path).send().await.expect("an answer");
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert_eq!(
        (header("content-type"), header("x-content-type-options")),
        ("application/pdf".into(), "nosniff".into())
    );
    assert_eq!(
        header("content-disposition"),
        "attachment; filename=\"certificate.pdf\"; filename*=UTF-8''certificate%2Epdf"
    );
    assert_eq!(
        (header("content-security-policy"), header("cache-control")),
        ("default-src 'none'; sandbox".into(), "no-store".into())
    );
    assert_eq!(answer.bytes().await.expect("bytes"), PDF);

    let approved = staff.post(&format!("/api/v1/admin/kyc/{id}/approve"), &json!({})).await;
    assert_eq!(
        (approved.status, &approved.body["state"], &approved.body["decided_by"]),
        (200, &json!("approved"), &json!("Rina"))
    );
    let letter = office.next().await;
    assert_eq!(letter.header("Subject"), Some("Juniper is approved"));
    let again = staff.post(&format!("/api/v1/admin/kyc/{id}/reject"), &json!({"reason": "late"})).await;
    assert_eq!(again.problem(), (409, "kyc_decided"));
    assert_eq!(shop.get("/api/v1/users/kyc").await.body["state"], "approved");

    // A sign-in for papers stays one; the secret is for those who have signed in since, and for one of them.
    assert_eq!(shop.post("/api/v1/users/kyc/secret", &json!({})).await.status, 401);
    let owner = signed_in(&app, "owner@shop.example").await.0;
    let shown = owner.post("/api/v1/users/kyc/secret/", &json!({})).await;
    let secret = text(&shown.body["secret"]);
    assert!(secret.starts_with("whsec_") && !letter.text.contains(&secret), "{letter:?}");
    assert_eq!(owner.post("/api/v1/users/kyc/secret", &json!({})).await.problem(), (410, "already_shown"));
    assert_eq!(hand_in(&owner, &[("other", Some("a"), PDF)]).await.problem(), (409, "kyc_not_needed"));
    let trail = ordercast::audit::history(&app.parts.db, "kyc", id).await.expect("a trail");
    let actions: Vec<_> = trail.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["kyc.submitted", "kyc.document_read", "kyc.approved"]);
}

#[tokio::test]
async fn rejected_papers_are_handed_in_again_and_all_of_them_are_kept() {
    let (app, mut office, clock) = with_mail().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let (shop, staff) = (onboarding(&app, "owner@shop.example").await, admin(&app, "rina@host.example").await);
    let first = hand_in_one(&shop).await;
    assert_eq!(hand_in(&shop, &[("other", Some("a"), PDF)]).await.problem(), (409, "kyc_under_review"));
    office.next().await;
    let reject = format!("/api/v1/admin/kyc/{first}/reject");
    for bad in [json!({"reason": " "}), json!({"reason": "x".repeat(1001)}), json!({"reason": "a\u{0}b"})] {
        assert_eq!(staff.post(&reject, &bad).await.problem(), (400, "bad_reason"));
    }
    assert_eq!(staff.post(&reject, &json!({"reason": "The certificate <has> run out."})).await.status, 200);
    let letter = office.next().await;
    assert!(letter.text.contains("The certificate <has> run out."), "{}", letter.text);
    assert!(letter.text.contains("The certificate &lt;has&gt; run out."), "{}", letter.text);

    clock.advance(std::time::Duration::from_secs(60));
    let second = hand_in_one(&shop).await;
    let status = shop.get("/api/v1/users/kyc/").await.body;
    assert_eq!(status["state"], "submitted");
    let told: Vec<_> = status["submissions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (text(&one["id"]), &one["reason"]))
        .collect();
    assert_eq!(told, [(second.clone(), &Value::Null), (first.clone(), &json!("The certificate <has> run out."))]);
    let detail = staff.get(&format!("/api/v1/admin/kyc/{second}")).await.body;
    assert_eq!(detail["history"][0]["id"], json!(first));
    let rejected = staff.get("/api/v1/admin/kyc?state=rejected").await.body;
    assert_eq!(rejected["data"][0]["id"], json!(first));
    assert_eq!(staff.get("/api/v1/admin/kyc?state=lost").await.problem(), (400, "unknown_state"));
}

#[tokio::test]
async fn the_queue_is_in_the_order_of_waiting_page_by_page() {
    let (app, mut office, clock) = with_mail().await;
    let staff = admin(&app, "rina@host.example").await;
    let mut handed_in = Vec::new();
    for n in 0..3 {
        let email = format!("owner{n}@shop.example");
        sign_up(&app, &mut office, &email, &format!("Shop {n}")).await;
        handed_in.push(hand_in_one(&onboarding(&app, &email).await).await);
        office.next().await;
        clock.advance(std::time::Duration::from_secs(1));
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/admin/kyc?limit=2".to_owned();
    for _ in 0..2 {
        let page = staff.get(&path).await;
        seen.extend(page.body["data"].as_array().expect("a list").iter().map(|one| text(&one["id"])));
        if let Some(next) = page.body["next"].as_str() {
            assert!(page.header("link").contains(next), "{page:?}");
            path = format!("/api/v1/admin/kyc?limit=2&after={next}");
        }
    }
    assert_eq!(seen, handed_in);
}

#[tokio::test]
async fn of_those_who_decide_at_once_one_wins() {
    let (app, mut office, _) = with_mail().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let (shop, staff) = (onboarding(&app, "owner@shop.example").await, admin(&app, "rina@host.example").await);
    // Of forms sent at once, one comes in.
    let sent = join_all((0..4).map(|_| hand_in(&shop, &[("registration", Some("a.pdf"), PDF)]))).await;
    let mut statuses: Vec<_> = sent.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409]);
    let id = text(&staff.get("/api/v1/admin/kyc").await.body["data"][0]["id"]);
    let decide = |n: usize| {
        let (verb, body) =
            if n.is_multiple_of(2) { ("approve", json!({})) } else { ("reject", json!({"reason": "no"})) };
        let (staff, path) = (&staff, format!("/api/v1/admin/kyc/{id}/{verb}"));
        async move { staff.post(&path, &body).await }
    };
    let decided = join_all((0..6).map(decide)).await;
    let winners: Vec<_> = decided.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1, "{decided:?}");
    assert_eq!(decided.iter().filter(|answer| answer.status == 409).count(), 5, "{decided:?}");
    let stands = shop.get("/api/v1/users/kyc").await.body;
    assert_eq!(stands["state"], winners[0].body["state"]);
    let company = app.parts.companies.get("juniper").await.expect("the company");
    let secrets = app.parts.webhook_secrets.list(company.id).await.expect("secrets").len();
    assert_eq!(secrets, usize::from(stands["state"] == "approved"));
}

#[tokio::test]
async fn what_is_no_document_is_refused_and_no_name_leads_anywhere() {
    let office = PostOffice::open();
    let mut office = office;
    let flags = [&office.flag(), "--rate-guess=0", "--rate-public=0", "--kyc-document-size=4096", "--kyc-documents=2"];
    let app = TestApp::with(&flags, Clock::System).await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let shop = onboarding(&app, "owner@shop.example").await;
    let whole = [PDF, b"PK\x05\x06<script>alert(1)</script>"].concat();
    let page = [b"<html><script>alert(1)</script>".as_slice(), PDF].concat();
    let large = [PDF, &[b' '; 4096]].concat();
    let cases: [(&str, &[u8], &str); 7] = [
        ("certificate.pdf", b"MZ\x90\x00 a program", "document_type"),
        ("certificate.pdf", b"", "document_type"),
        ("certificate.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "document_type"),
        ("both.pdf", &whole, "document_type"),
        ("page.pdf", &page, "document_type"),
        ("picture.png", b"\x89PNG\r\n\x1a\nnot really", "document_type"),
        ("large.pdf", &large, "document_too_large"),
    ];
    for (name, bytes, code) in cases {
        let answer = hand_in(&shop, &[("registration", Some(name), bytes)]).await;
        assert_eq!(answer.problem(), (400, code), "{name}");
        assert_eq!(answer.body["errors"][0]["field"], "registration", "{answer:?}");
    }
    let file: Part = ("other", Some("a.pdf"), PDF);
    assert_eq!(hand_in(&shop, &[file, file, file]).await.problem(), (400, "too_many_documents"));
    // A field where nothing was chosen is none.
    assert_eq!(hand_in(&shop, &[("identity", Some(""), b"")]).await.problem(), (400, "document_missing"));
    let all = send_form(&shop, &[("country", None, b"XX"), ("website", None, b"javascript:alert(1)")]).await;
    let fields: Vec<_> = all.body["errors"].as_array().expect("errors").iter().map(|one| text(&one["field"])).collect();
    assert_eq!(fields, ["legal_name", "registration_number", "country", "address", "website", "registration"]);
    assert_eq!(send_form(&shop, &[("role", None, b"admin")]).await.problem(), (400, "unknown_field"));
    assert_eq!(send_form(&shop, &[("address", None, &[b'a'; 5000])]).await.problem(), (400, "bad_form"));
    let plain = shop.post("/api/v1/users/kyc", &json!({})).await;
    assert_eq!(plain.problem(), (415, "unsupported_media_type"));
    let broken = shop.request(Method::POST, "/api/v1/users/kyc").body("--b0undary\r\nContent-Disp");
    let broken = send(broken.header("content-type", "multipart/form-data; boundary=b0undary")).await;
    assert_eq!(broken.problem(), (400, "bad_form"));
    let flood = shop.request(Method::POST, "/api/v1/users/kyc").body(vec![b'a'; 4 << 20]);
    let flood = send(flood.header("content-type", "multipart/form-data; boundary=b0undary")).await;
    assert_eq!(flood.problem(), (413, "body_too_large"));

    let names = ["../../../etc/cron.d/evil", "..\\..\\evil.exe"];
    let files = names.map(|name| -> Part { ("other", Some(name), PDF) });
    let taken = hand_in(&shop, &files).await;
    assert_eq!(taken.status, 201, "{taken:?}");
    let kept: Vec<_> =
        taken.body["documents"].as_array().expect("documents").iter().map(|one| text(&one["name"])).collect();
    assert_eq!(kept, ["evil.pdf", "evil_exe.pdf"]);
    for name in
        ["%2e%2e%2f%2e%2e%2fevil", "....//....//evil", "/etc/passwd", "C:\\evil", "..", ".", "a/../../evil\u{0}"]
    {
        let answer = hand_in(&shop, &[("registration", Some(name), PDF)]).await;
        assert!(matches!(answer.problem(), (400 | 409, _)), "{name}: {answer:?}");
    }
    // Papers are kept in the database: no name becomes a file, here or above.
    let above = app.folder().parent().expect("a folder above");
    let evil: Vec<_> = files_in(above).into_iter().filter(|path| path.to_string_lossy().contains("evil")).collect();
    assert_eq!(evil, Vec::<std::path::PathBuf>::new());
    assert!(files_in(above).iter().any(|path| path.starts_with(app.folder())), "files are looked at");
}

/// Every file below a folder.
fn files_in(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        // Folders of other tests come and go meanwhile.
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

#[tokio::test]
async fn papers_are_for_the_company_and_the_staff_alone() {
    let (app, mut office, _) = with_mail().await;
    for (email, company) in [("one@shop.example", "One"), ("two@shop.example", "Two")] {
        sign_up(&app, &mut office, email, company).await;
    }
    let staff = admin(&app, "rina@host.example").await;
    let (one, two) = (onboarding(&app, "one@shop.example").await, onboarding(&app, "two@shop.example").await);
    let id = hand_in_one(&one).await;
    office.next().await;
    let document = text(&staff.get(&format!("/api/v1/admin/kyc/{id}")).await.body["documents"][0]["id"]);
    assert_eq!(two.get("/api/v1/users/kyc").await.body["submissions"], json!([]));
    let system = Caller::with(&app, "admin").await;
    let other = hand_in_one(&two).await;
    let paths = [
        (Method::GET, "/api/v1/admin/kyc".to_owned()),
        (Method::GET, format!("/api/v1/admin/kyc/{id}")),
        (Method::GET, format!("/api/v1/admin/kyc/{id}/documents/{document}")),
        (Method::POST, format!("/api/v1/admin/kyc/{id}/approve")),
        (Method::POST, format!("/api/v1/admin/kyc/{id}/reject")),
    ];
    for (method, path) in &paths {
        for caller in [&one, &two, &system, &Caller::bearing(&app, None)] {
            let answer = caller.send(method.clone(), path, &json!({"reason": "x"})).await;
            assert!(matches!(answer.status, 401 | 403), "{method} {path}: {answer:?}");
        }
    }
    let owner = {
        assert_eq!(staff.post(&format!("/api/v1/admin/kyc/{other}/approve"), &json!({})).await.status, 200);
        signed_in(&app, "two@shop.example").await.0
    };
    for (method, path) in &paths {
        assert_eq!(owner.send(method.clone(), path, &json!({"reason": "x"})).await.status, 403, "{method} {path}");
    }
    // A document opens under its own submission only, and nonsense is no submission.
    for path in
        [format!("{other}/documents/{document}"), format!("{id}/documents/nope"), "nope".into(), "../kyc/x".into()]
    {
        assert_eq!(staff.get(&format!("/api/v1/admin/kyc/{path}")).await.problem(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_sign_in_for_papers_takes_a_right_password_and_opens_nothing_else() {
    let (app, mut office, _) = with_mail().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let nobody = Caller::bearing(&app, None);
    for (email, password) in [("owner@shop.example", "wrong password"), ("nobody@shop.example", "wrong password")] {
        let answer = nobody.post("/api/v1/users/kyc/token", &json!({"email": email, "password": password})).await;
        assert_eq!(answer.problem(), (401, "unauthenticated"));
        assert_eq!(answer.body["detail"], "No active account found with the given credentials");
    }
    let shop = onboarding(&app, "owner@shop.example").await;
    for path in ["/api/v1/orders", "/api/v1/tokens", "/api/v1/admin/kyc"] {
        assert_eq!(shop.get(path).await.status, 401, "{path}");
    }
}

/// Sends a form of so many bytes to its end before it reads anything, as browsers do; the first line of the reply.
fn send_to_the_end(url: &str, access: &str, bytes: usize) -> String {
    use std::io::{Read as _, Write as _};
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("connected");
    let head = format!(
        "POST /api/v1/users/kyc/ HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {access}\r\n\
         Content-Type: multipart/form-data; boundary=b0undary\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("the head is taken");
    stream.write_all(&vec![b' '; bytes]).expect("the whole form is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_form_far_too_large_is_taken_to_its_end_so_that_its_refusal_arrives() {
    let mut office = PostOffice::open();
    let flags = [&office.flag(), "--rate-guess=0", "--kyc-document-size=1024"];
    let app = TestApp::with(&flags, Clock::System).await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let access = onboarding(&app, "owner@shop.example").await.token().expect("a token").to_owned();
    let url = app.url.clone();
    let sent = tokio::task::spawn_blocking(move || send_to_the_end(&url, &access, 20_000_000));
    assert_eq!(sent.await.expect("sent"), "HTTP/1.1 413 Payload Too Large");
}
