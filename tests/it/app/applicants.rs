//! Shops on their way in: from sign-up to papers, and who decides about them.

use ordercast::accounts::Role;
use ordercast::accounts::people::register::SignUp;
use ordercast::base::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use super::TestApp;
use super::caller::{Answer, Caller, send};
use super::people::{self, PASSWORD, code, signed_in};
use super::post_office::PostOffice;

/// A small document that is a whole PDF.
pub const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n";

/// Signs a shop up and proves its address by the code in the mail; its company waits for approval from then on.
pub async fn sign_up(app: &TestApp, office: &mut PostOffice, email: &str, company: &str) {
    let new = SignUp { company_name: company.into(), email: email.into(), password: Secret::new(PASSWORD) };
    app.parts.people.register(new, None).await.expect("a sign-up");
    let mail = office.next().await;
    assert_eq!(mail.to, email);
    app.parts.people.verify(email, &code(&mail), None).await.expect("a good code");
}

/// The access token of a sign-in that is good for handing in papers only.
pub async fn onboarding<'a>(app: &'a TestApp, email: &str) -> Caller<'a> {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = Caller::bearing(app, None).post("/api/v1/users/kyc/token/", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    Caller::bearing(app, answer.body["access"].as_str())
}

/// Somebody who runs the platform and has signed in.
pub async fn admin<'a>(app: &'a TestApp, email: &str) -> Caller<'a> {
    people::staff(app, Role::Admin, email).await;
    signed_in(app, email).await.0
}

/// One part of a form: its name, its file name if it is a file, its bytes.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// Details that hold to the rules.
pub const DETAILS: [Part; 4] = [
    ("legal_name", None, b"Juniper & Co. Ltd"),
    ("registration_number", None, b"HRB 20931"),
    ("country", None, b"DE"),
    ("address", None, b"1 Long Road\r\nBerlin"),
];

/// A form as a browser sends it.
pub fn form(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, bytes) in parts {
        body.extend_from_slice(b"--b0undary\r\nContent-Disposition: form-data; name=\"");
        body.extend_from_slice(name.as_bytes());
        if let Some(file) = file {
            body.extend_from_slice(format!("\"; filename=\"{file}\"\r\nContent-Type: text/html").as_bytes());
        } else {
            body.push(b'"');
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0undary--\r\n");
    body
}

/// Sends details with these files.
pub async fn hand_in(shop: &Caller<'_>, files: &[Part<'_>]) -> Answer {
    send_form(shop, &[&DETAILS, files].concat()).await
}

/// Sends a form.
pub async fn send_form(shop: &Caller<'_>, parts: &[Part<'_>]) -> Answer {
    let request = shop.request(Method::POST, "/api/v1/users/kyc/").body(form(parts));
    send(request.header("content-type", "multipart/form-data; boundary=b0undary")).await
}

/// Hands in one document; the identifier of the submission.
pub async fn hand_in_one(shop: &Caller<'_>) -> String {
    let answer = hand_in(shop, &[("registration", Some("certificate.pdf"), PDF)]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    text(&answer.body["id"])
}

/// A JSON text.
pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
