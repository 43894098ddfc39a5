//! The pages of people who sign in, as a browser without scripts gets them.

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::app::TestApp;
use crate::app::applicants::{DETAILS, PDF, Part, admin, form, sign_up};
use crate::app::people::{PASSWORD, code};
use crate::app::post_office::PostOffice;

/// A browser of one person: keeps the cookies it was sent, follows no redirect, says where its forms come from.
pub struct Reader<'a> {
    app: &'a TestApp,
    http: Client,
    cookies: Vec<String>,
}

/// A page.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub text: String,
}

impl<'a> Reader<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let http = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { app, http, cookies: vec![] }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        let request = self.http.get(format!("{}{path}", self.app.url));
        self.send(request).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.app.url)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.header("origin", &self.app.url)).await
    }

    async fn hand_in(&mut self, parts: &[Part<'_>]) -> Page {
        let request = self.http.post(format!("{}/kyc", self.app.url)).body(form(parts));
        let request = request.header("content-type", "multipart/form-data; boundary=b0undary");
        self.send(request.header("origin", &self.app.url)).await
    }

    async fn send(&mut self, request: RequestBuilder) -> Page {
        let request = request.header("accept", "text/html").header("cookie", self.cookies.join("; "));
        let answer = request.send().await.expect("an answer");
        self.keep(&answer);
        let location = answer.headers().get("location").map_or("", |value| value.to_str().expect("text")).to_owned();
        Page { status: answer.status().as_u16(), location, text: answer.text().await.expect("text") }
    }

    fn keep(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("text");
            for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(cookie.contains(part), "{part} is not in {cookie}");
            }
            let (pair, _) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            self.cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
            if !value.is_empty() {
                self.cookies.push(pair.to_owned());
            }
        }
    }

    pub async fn log_in(&mut self, email: &str, next: &str) -> Page {
        self.post("/login", &[("email", email), ("password", PASSWORD), ("next", next)]).await
    }
}

async fn start() -> (TestApp, PostOffice) {
    let office = PostOffice::open();
    (TestApp::with(&[&office.flag(), "--rate-guess=0"], ordercast::base::Clock::System).await, office)
}

/// The secret is shown once, and replaced while the one before still works.
async fn see_secrets(shop: &mut Reader<'_>) {
    let page = shop.get("/start").await.text;
    assert!(page.contains("X-Customer-Email: owner@shop.example") && !page.contains("whsec_"), "{page}");
    let shown = shop.post("/start/secret", &[]).await;
    assert!(shown.status == 200 && shown.text.contains("whsec_"), "{}", shown.text);
    assert_eq!(shop.post("/start/secret", &[]).await.location, "/start");
    let first = &shown.text[shown.text.find("whsec_").expect("a secret")..][..50];
    let last = |text: &str| text[text.rfind('…').expect("an end") + '…'.len_utf8()..][..4].to_owned();
    let page = shop.get("/start").await.text;
    assert!(page.contains("Active") && page.contains("Never") && !page.contains(first), "{page}");
    let replaced = shop.post("/start/secret/replace", &[]).await;
    assert!(replaced.status == 200 && replaced.text.contains("whsec_") && !replaced.text.contains(first));
    assert!(replaced.text.contains("Until ") && last(&replaced.text) == last(&page), "the first one has a day left");
    let papers = shop.get("/kyc").await.text;
    assert!(papers.contains("Approved") && papers.contains("HRB 20931"), "{papers}");
}

#[tokio::test]
async fn a_shop_gets_from_sign_up_to_its_secret_by_plain_forms() {
    let (app, mut office) = start().await;
    let mut shop = Reader::new(&app);
    let fields = [("company_name", "Juniper & Co."), ("email", "Owner@Shop.example"), ("password", PASSWORD)];
    let asked = shop.post("/signup", &fields).await;
    assert_eq!(asked.status, 201);
    assert!(
        asked.text.contains(r#"action="/signup/verify""#) && asked.text.contains("owner@shop.example"),
        "{}",
        asked.text
    );
    let mail = office.next().await;
    let wrong = shop.post("/signup/verify", &[("email", "owner@shop.example"), ("otp", "x")]).await;
    assert_eq!((wrong.status, shop.cookies.len()), (400, 0));
    assert!(wrong.text.contains("This code is wrong or has run out."), "{}", wrong.text);
    let proven = shop.post("/signup/verify", &[("email", "owner@shop.example"), ("otp", &code(&mail))]).await;
    assert_eq!((proven.status, proven.location.as_str(), shop.cookies.len()), (303, "/kyc", 2));

    let empty = shop.hand_in(&[("country", None, b"DE"), ("registration", Some("a.pdf"), b"MZ")]).await;
    assert_eq!(empty.status, 400);
    for part in [
        "Enter the name in the register",
        "This is not a PDF, PNG or JPEG file",
        r##"<a href="#legal_name">"##,
        r#"aria-invalid="true" autofocus"#,
    ] {
        assert!(empty.text.contains(part), "{part} is not in {}", empty.text);
    }
    assert!(empty.text.contains(r#"<option value="DE" selected>"#), "{}", empty.text);
    let sent = shop.hand_in(&[&DETAILS[..], &[("registration", Some("a.pdf"), PDF)]].concat()).await;
    assert_eq!((sent.status, sent.location.as_str()), (303, "/kyc"));
    assert!(shop.get("/kyc").await.text.contains("We are looking at your details"));
    office.next().await;

    admin(&app, "rina@host.example").await;
    let mut staff = Reader::new(&app);
    assert_eq!(staff.log_in("rina@host.example", "/admin/kyc").await.location, "/admin/kyc");
    let queue = staff.get("/admin/kyc").await.text;
    let at = queue.find("/admin/kyc/").expect("a row") + "/admin/kyc/".len();
    let id = &queue[at..at + 36];
    let detail = staff.get(&format!("/admin/kyc/{id}")).await.text;
    assert!(detail.contains("Approve Juniper &amp; Co.?") && detail.contains("/documents/"), "{detail}");
    let no_reason = staff.post(&format!("/admin/kyc/{id}/reject"), &[("reason", " ")]).await;
    assert!(no_reason.status == 400 && no_reason.text.contains("Say why"), "{}", no_reason.text);
    let approved = staff.post(&format!("/admin/kyc/{id}/approve"), &[]).await;
    assert_eq!((approved.status, approved.location), (303, format!("/admin/kyc?done={id}")));
    assert!(staff.get(&format!("/admin/kyc?done={id}")).await.text.contains("Juniper &amp; Co. is approved."));
    let late = staff.post(&format!("/admin/kyc/{id}/approve"), &[]).await;
    assert!(late.status == 409 && late.text.contains("Somebody else has decided"), "{}", late.text);

    assert!(shop.get("/kyc").await.text.contains("Sign in to go on"));
    assert_eq!(shop.get("/start").await.location, "/kyc");
    assert_eq!(shop.log_in("owner@shop.example", "").await.location, "/start");
    see_secrets(&mut shop).await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_told_of_beside_its_field() {
    let mut office = PostOffice::open();
    let flags = [&office.flag(), "--rate-guess=0", "--kyc-document-size=1024"];
    let app = TestApp::with(&flags, ordercast::base::Clock::System).await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let mut shop = Reader::new(&app);
    shop.log_in("owner@shop.example", "").await;
    for bytes in [2000, 2_000_000] {
        let file: Part = ("registration", Some("a.pdf"), &vec![b' '; bytes]);
        let page = shop.hand_in(&[&DETAILS[..], &[file]].concat()).await;
        assert_eq!(page.status, 400, "{bytes}");
        assert!(page.text.contains("This file is too large. It may have at most 1\u{a0}kB."), "{}", page.text);
    }
}

#[tokio::test]
async fn a_sign_out_ends_the_session_for_whoever_kept_its_cookies() {
    let (app, mut office) = start().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let mut shop = Reader::new(&app);
    assert_eq!(shop.log_in("owner@shop.example", "/start").await.location, "/kyc");
    let kept = shop.cookies.clone();
    let out = shop.post("/logout", &[]).await;
    assert_eq!((out.location.as_str(), shop.cookies.len()), ("/login?said=bye", 0));
    assert!(shop.get("/login?said=bye").await.text.contains("You are signed out."));
    shop.cookies = kept.clone();
    assert_eq!(shop.get("/kyc").await.location, "/login?next=%2Fkyc");
    // Nor does the longer-lived of the two open anything by itself.
    shop.cookies = kept.into_iter().filter(|cookie| cookie.starts_with("oc_session=")).collect();
    assert_eq!(shop.get("/kyc").await.location, "/login?next=%2Fkyc");
    assert!(shop.cookies.is_empty(), "the dead cookie is taken away");
}

#[tokio::test]
async fn forms_from_elsewhere_are_refused_and_change_nothing() {
    let (app, mut office) = start().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let mut shop = Reader::new(&app);
    shop.log_in("owner@shop.example", "").await;
    for path in [
        "/login",
        "/logout",
        "/signup",
        "/signup/verify",
        "/signup/resend",
        "/forgot",
        "/reset",
        "/kyc",
        "/start/secret",
        "/start/secret/replace",
        "/admin/kyc/x/approve",
    ] {
        for origin in [Some("https://evil.example"), Some("null"), None] {
            let request = shop.http.post(format!("{}{path}", app.url)).body("email=owner%40shop.example");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let request = origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
            let answer = shop.send(request).await;
            assert_eq!(answer.status, 403, "{path} {origin:?}");
            assert!(answer.text.contains("This form was not sent from here"), "{path}");
        }
    }
    assert_eq!(shop.get("/kyc").await.status, 200, "still signed in");
    let page = shop.http.get(format!("{}/login", app.url)).send().await.expect("an answer");
    assert_eq!(page.headers()["referrer-policy"], "same-origin", "or browsers would call every origin null");
}

#[tokio::test]
async fn a_sign_in_leads_to_places_of_ours_only() {
    let (app, mut office) = start().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    admin(&app, "rina@host.example").await;
    for (next, leads) in [
        ("/admin/kyc?after=x", "/admin/kyc?after=x"),
        ("https://evil.example/", "/admin/kyc"),
        ("//evil.example", "/admin/kyc"),
        ("/\\evil.example", "/admin/kyc"),
        ("javascript:alert(1)", "/admin/kyc"),
        ("", "/admin/kyc"),
    ] {
        assert_eq!(Reader::new(&app).log_in("rina@host.example", next).await.location, leads, "{next:?}");
    }
    let mut stranger = Reader::new(&app);
    assert_eq!(stranger.get("/admin/kyc").await.location, "/login?next=%2Fadmin%2Fkyc");
    assert!(!stranger.get("/login?next=//evil.example").await.text.contains("evil.example"));
    assert_eq!(stranger.log_in("owner@shop.example", "/admin/kyc").await.location, "/kyc");
    assert_eq!(stranger.get("/admin/kyc").await.status, 404);
}

#[tokio::test]
async fn who_may_not_sign_in_hears_why_only_after_the_right_password() {
    let (app, mut office) = start().await;
    let mut shop = Reader::new(&app);
    let fields = [("company_name", "Juniper"), ("email", "owner@shop.example"), ("password", PASSWORD)];
    assert_eq!(shop.post("/signup", &fields).await.status, 201);
    office.next().await;
    let wrong = shop.post("/login", &[("email", "owner@shop.example"), ("password", "not it at all")]).await;
    let nobody = shop.post("/login", &[("email", "nobody@shop.example"), ("password", "not it at all")]).await;
    assert_eq!((wrong.status, nobody.status), (401, 401));
    assert_eq!(wrong.text.replace("owner@", "nobody@"), nobody.text);
    assert!(wrong.text.contains("Email address or password is wrong.") && !wrong.text.contains("not it at all"));
    let early = shop.log_in("owner@shop.example", "").await;
    assert_eq!(early.status, 403);
    assert!(
        early.text.contains("Confirm your address first") && early.text.contains(r#"action="/signup/verify""#),
        "{}",
        early.text
    );
    let bad = shop.post("/signup", &[("company_name", ""), ("email", "owner"), ("password", "short")]).await;
    assert!(bad.status == 400 && bad.text.contains("Enter the name of your company"), "{}", bad.text);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_mailed_code() {
    let (app, mut office) = start().await;
    sign_up(&app, &mut office, "owner@shop.example", "Juniper").await;
    let mut shop = Reader::new(&app);
    let known = shop.post("/forgot", &[("email", "owner@shop.example")]).await;
    let unknown = shop.post("/forgot", &[("email", "nobody@shop.example")]).await;
    assert_eq!((known.status, known.text.replace("owner@", "nobody@")), (202, unknown.text));
    let otp = code(&office.next().await);
    let new = "another four words entirely";
    let fields = |otp, password| [("email", "owner@shop.example"), ("otp", otp), ("password", password)];
    assert!(shop.post("/reset", &fields("000000x", new)).await.text.contains("This code is wrong or has run out."));
    assert!(shop.post("/reset", &fields(&otp, "short")).await.text.contains("Choose a password of 8 to 128"));
    assert_eq!(shop.post("/reset", &fields(&otp, new)).await.location, "/login?said=reset");
    assert_eq!(shop.post("/login", &[("email", "owner@shop.example"), ("password", PASSWORD)]).await.status, 401);
    let entered = shop.post("/login", &[("email", "owner@shop.example"), ("password", new)]).await;
    assert_eq!(entered.location, "/kyc");
}

#[tokio::test]
async fn these_pages_speak_the_language_of_their_reader() {
    let (app, _) = start().await;
    for (lang, words) in [("de", "Anmelden"), ("ar", "تسجيل الدخول"), ("hi", "साइन इन करें"), ("bn", "সাইন ইন")]
    {
        let page = Reader::new(&app).get(&format!("/login?lang={lang}")).await.text;
        assert!(page.contains(words) && page.contains(&format!(r#"<html lang="{lang}""#)), "{page}");
    }
}
