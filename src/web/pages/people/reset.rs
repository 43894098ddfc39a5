//! `/forgot` and `/reset`: a new password by a mailed code.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::html;
use serde::Deserialize;

use super::{Visit, go, signup, wrong};
use crate::accounts::People;
use crate::base::error::Invalid;
use crate::base::{Error, Secret};
use crate::web::pages::form::{self, Field};
use crate::web::request_id;

/// What the forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reset {
    email: String,
    otp: String,
    password: String,
}

/// `GET /forgot`
pub(super) async fn get_forgot(visit: Visit) -> HttpResponse {
    let frame = visit.frame();
    let body = html! {
        section.card.panel.hero.tone-info aria-labelledby="h" {
            span.tile { (frame.icon("key")) }
            h1 #h { (frame.t("account.forgot")) }
            p.t2 { (frame.t("account.forgot_text")) }
            form.form method="post" action="/forgot" {
                (form::fields(&frame, &[signup::email(&frame, "", "username", None)]))
                button.btn.primary.wide type="submit" { (frame.icon("mail")) (frame.t("account.send_code")) }
            }
            p.aside { a href="/login" { (frame.t("account.login")) } }
        }
    };
    visit.page(StatusCode::OK, frame.t("account.forgot"), &body)
}

/// `POST /forgot`: the answer is the same for every address.
pub(super) async fn forgot(
    visit: Visit,
    people: Data<People>,
    form: Result<Form<Reset>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    people.forgot_password(&sent.email);
    ask(&visit, StatusCode::ACCEPTED, &sent, None)
}

/// `GET /reset`
pub(super) async fn get_reset(visit: Visit) -> HttpResponse {
    ask(&visit, StatusCode::OK, &Reset::default(), None)
}

/// `POST /reset`
pub(super) async fn reset(
    visit: Visit,
    people: Data<People>,
    form: Result<Form<Reset>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let (password, request_id) = (Secret::new(sent.password.clone()), request_id(&visit.request));
    match people.reset_password(&sent.email, sent.otp.trim(), password, request_id).await {
        Ok(_) => go("/login?said=reset"),
        Err(Error::Invalid(refused)) => ask(&visit, StatusCode::BAD_REQUEST, &sent, Some(&refused)),
        Err(error) => visit.refuse(error),
    }
}

fn ask(visit: &Visit, status: StatusCode, sent: &Reset, refused: Option<&Invalid>) -> HttpResponse {
    let frame = visit.frame();
    let password = Field {
        name: "password",
        kind: "password",
        label: frame.t("account.new_password"),
        hint: Some(frame.t("setup.password_hint")),
        autocomplete: "new-password",
        most: 128,
        wrong: wrong(&frame, "password", refused),
        ..Field::default()
    };
    let fields = [signup::email(&frame, &sent.email, "username", refused), signup::code(&frame, refused), password];
    let body = html! {
        section.card.panel.hero.tone-info aria-labelledby="h" {
            span.tile { (frame.icon("mail")) }
            h1 #h { (frame.t("account.reset")) }
            p.t2 { (frame.t("account.reset_text")) }
            form.form method="post" action="/reset" {
                (form::fields(&frame, &fields))
                button.btn.primary.wide type="submit" { (frame.t("account.save")) }
            }
            p.aside { a href="/forgot" { (frame.t("account.resend")) } }
        }
    };
    visit.page(status, frame.t("account.reset"), &body)
}
