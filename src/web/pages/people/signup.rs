//! `/signup` and `/signup/verify`: a company signs up, and its first person proves the address by a mailed code.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::steps::{self, Step};
use super::{Visit, go, notice, wrong};
use crate::accounts::people::register::SignUp;
use crate::accounts::sessions::Kind;
use crate::accounts::{People, Sessions};
use crate::base::error::Invalid;
use crate::base::{Error, Secret};
use crate::web::auth::cookies;
use crate::web::pages::Frame;
use crate::web::pages::form::{self, Field};
use crate::web::{PublicUrl, origin, request_id};

/// Seconds between two codes.
const COOLDOWN: u64 = 60;

/// What the first form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignUpForm {
    company_name: String,
    email: String,
    password: String,
}

/// What the second form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Proof {
    email: String,
    otp: String,
}

/// `GET /signup`
pub(super) async fn get_signup(visit: Visit) -> HttpResponse {
    match visit.login() {
        Some(_) => go("/start"),
        None => ask(&visit, StatusCode::OK, &SignUpForm::default(), None),
    }
}

/// `POST /signup`: the answer is the same whether the address was free or not.
pub(super) async fn sign_up(
    visit: Visit,
    people: Data<People>,
    form: Result<Form<SignUpForm>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let new = SignUp {
        company_name: sent.company_name.clone(),
        email: sent.email.clone(),
        password: Secret::new(sent.password.clone()),
    };
    match people.register(new, request_id(&visit.request)).await {
        Ok(done) => ask_code(&visit, StatusCode::CREATED, &done.email, None, None),
        Err(Error::Invalid(refused)) => ask(&visit, StatusCode::BAD_REQUEST, &sent, Some(&refused)),
        Err(error) => visit.refuse(error),
    }
}

/// `GET /signup/verify`
pub(super) async fn get_verify(visit: Visit) -> HttpResponse {
    ask_code(&visit, StatusCode::OK, "", None, None)
}

/// `POST /signup/verify`: who has proved an address goes on to the papers.
pub(super) async fn verify(
    visit: Visit,
    people: Data<People>,
    sessions: Data<Sessions>,
    home: Data<PublicUrl>,
    form: Result<Form<Proof>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let account = match people.verify(&sent.email, sent.otp.trim(), request_id(&visit.request)).await {
        Ok(account) => account,
        Err(Error::Invalid(refused)) => {
            return ask_code(&visit, StatusCode::BAD_REQUEST, &sent.email, None, Some(&refused));
        }
        Err(error) => return visit.refuse(error),
    };
    match sessions.open(account, Kind::Onboarding, origin(&visit.request)).await {
        Ok(opened) => {
            let mut reply = go("/kyc");
            super::login::set(&mut reply, cookies::signed_in(&opened.pair, &home, visit.now()));
            reply
        }
        Err(error) => visit.refuse(error),
    }
}

/// `POST /signup/resend`
pub(super) async fn resend(
    visit: Visit,
    people: Data<People>,
    form: Result<Form<Proof>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    people.request_code(&sent.email);
    let frame = visit.frame();
    let said = notice(&frame, "info", "mail", frame.t("account.resent"));
    ask_code(&visit, StatusCode::ACCEPTED, &sent.email, Some(&said), None)
}

fn ask(visit: &Visit, status: StatusCode, sent: &SignUpForm, refused: Option<&Invalid>) -> HttpResponse {
    let frame = visit.frame();
    let fields = [
        Field {
            name: "company_name",
            kind: "text",
            label: frame.t("account.company"),
            hint: Some(frame.t("account.company_hint")),
            value: Some(&sent.company_name),
            autocomplete: "organization",
            most: 100,
            wrong: wrong(&frame, "company_name", refused),
            ..Field::default()
        },
        email(&frame, &sent.email, "email", refused),
        Field {
            name: "password",
            kind: "password",
            label: frame.t("account.password"),
            hint: Some(frame.t("setup.password_hint")),
            autocomplete: "new-password",
            most: 128,
            wrong: wrong(&frame, "password", refused),
            ..Field::default()
        },
    ];
    let body = html! {
        section.card.panel.hero.tone-transit aria-labelledby="h" {
            (steps::line(&frame, Step::Account))
            h1 #h { (frame.t("account.signup")) }
            p.t2 { (frame.t("account.signup_text")) }
            form.form method="post" action="/signup" {
                (form::fields(&frame, &fields))
                button.btn.primary.wide type="submit" { (frame.t("account.create")) }
            }
            p.aside { (frame.t("account.have")) " " a href="/login" { (frame.t("account.login")) } }
        }
    };
    visit.page(status, frame.t("account.signup"), &body)
}

/// An address as several of these forms ask for it.
pub(super) fn email<'a>(
    frame: &'a Frame,
    value: &'a str,
    autocomplete: &'static str,
    refused: Option<&'a Invalid>,
) -> Field<'a> {
    Field {
        name: "email",
        kind: "email",
        label: frame.t("account.email"),
        value: Some(value),
        autocomplete,
        most: 254,
        wrong: wrong(frame, "email", refused),
        ..Field::default()
    }
}

/// The field of a mailed code.
pub(super) fn code<'a>(frame: &'a Frame, refused: Option<&'a Invalid>) -> Field<'a> {
    Field {
        name: "otp",
        kind: "code",
        label: frame.t("account.code"),
        hint: Some(frame.t("account.code_hint")),
        wrong: wrong(frame, "otp", refused),
        ..Field::default()
    }
}

/// The page that asks for the code; also where a sign-in leads whose address is not proven.
pub(super) fn ask_code(
    visit: &Visit,
    status: StatusCode,
    address: &str,
    said: Option<&Markup>,
    refused: Option<&Invalid>,
) -> HttpResponse {
    let frame = visit.frame();
    let text = if status == StatusCode::OK { "account.code_hint" } else { "account.verify_text" };
    let wait = frame.lang.fill("account.resend_wait", &[("n", &frame.lang.number(COOLDOWN))]);
    let body = html! {
        @if let Some(said) = said { (said) }
        section.card.panel.hero.tone-transit aria-labelledby="h" {
            (steps::line(&frame, Step::Email))
            h1 #h { (frame.t("account.verify")) }
            p.t2 { (frame.t(text)) }
            form.form method="post" action="/signup/verify" {
                (form::fields(&frame, &[email(&frame, address, "email", refused), code(&frame, refused)]))
                button.btn.primary.wide type="submit" { (frame.t("account.confirm")) }
            }
            form.form.again method="post" action="/signup/resend" {
                p #wait.hint { (wait) }
                @if !address.is_empty() {
                    input type="hidden" name="email" value=(address);
                    button.btn.wide type="submit" aria-describedby="wait" data-cooldown=(COOLDOWN) { (frame.icon("mail")) span { (frame.t("account.resend")) } }
                }
            }
        }
    };
    visit.page(status, frame.t("account.verify"), &body)
}
