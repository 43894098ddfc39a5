//! `/login` and `/logout`: a browser's session, opened by a password and ended by a button.

use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use maud::{Markup, html};
use serde::Deserialize;

use super::{Visit, go, notice, own_path, signup};
use crate::accounts::sessions::{Entrance, Kind};
use crate::accounts::{Login, Sessions};
use crate::base::{Error, Secret};
use crate::web::auth::{cookies, query_value};
use crate::web::pages::form::{self, Field};
use crate::web::{PublicUrl, origin, request_id};

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LogIn {
    email: String,
    password: String,
    next: String,
}

/// `GET /login`
pub(super) async fn get_login(visit: Visit) -> HttpResponse {
    let asked = |name| query_value(visit.request.query_string(), name).map(|value| value.expose().to_owned());
    let next = asked("next").filter(|next| own_path(next).is_some()).unwrap_or_default();
    // Who may only hand in papers signs in again once the company is approved.
    if let Some(login) = visit.login().filter(|login| login.kind == Kind::Full) {
        return go(if next.is_empty() { home_of(login) } else { &next });
    }
    let frame = visit.frame();
    let said = asked("said").and_then(|said| match said.as_str() {
        "bye" => Some(notice(&frame, "info", "check", frame.t("account.bye"))),
        "reset" => Some(notice(&frame, "success", "check", frame.t("account.reset_done"))),
        _ => None,
    });
    ask(&visit, StatusCode::OK, &LogIn { next, ..LogIn::default() }, said.as_ref(), None)
}

/// `POST /login`
pub(super) async fn log_in(
    visit: Visit,
    sessions: Data<Sessions>,
    home: Data<PublicUrl>,
    form: Result<Form<LogIn>, actix_web::Error>,
) -> HttpResponse {
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let origin = origin(&visit.request);
    let frame = visit.frame();
    match sessions.log_in(&sent.email, Secret::new(sent.password.clone()), Entrance::Either, origin).await {
        Ok(opened) => {
            let next = own_path(&sent.next).filter(|_| opened.login.kind == Kind::Full);
            let mut reply = go(next.unwrap_or_else(|| home_of(&opened.login)));
            set(&mut reply, cookies::signed_in(&opened.pair, &home, visit.now()));
            reply
        }
        Err(Error::Unauthenticated(_)) => {
            ask(&visit, StatusCode::UNAUTHORIZED, &sent, None, Some(frame.t("account.wrong")))
        }
        Err(Error::Barred(barred)) if barred.code == "account_not_verified" => {
            let said = notice(&frame, "warning", "mail", frame.t("account.unverified"));
            signup::ask_code(&visit, StatusCode::FORBIDDEN, &sent.email, Some(&said), None)
        }
        Err(Error::Barred(_)) => {
            let said = notice(&frame, "danger", "lock", frame.t("account.suspended"));
            ask(&visit, StatusCode::FORBIDDEN, &sent, Some(&said), None)
        }
        Err(error) => visit.refuse(error),
    }
}

/// `POST /logout`
pub(super) async fn log_out(visit: Visit, sessions: Data<Sessions>, home: Data<PublicUrl>) -> HttpResponse {
    if let Some(login) = visit.login() {
        match sessions.end(login.person.clone(), login.id, request_id(&visit.request)).await {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return visit.refuse(error),
        }
    }
    let mut reply = go("/login?said=bye");
    set(&mut reply, cookies::signed_out(&home));
    reply
}

/// Puts a sign-in's cookies on a reply.
pub(super) fn set(reply: &mut HttpResponse, cookies: [Cookie<'static>; 2]) {
    for cookie in cookies {
        if let Err(error) = reply.add_cookie(&cookie) {
            tracing::error!(%error, "a cookie could not be set");
        }
    }
}

/// Where somebody belongs who is not on the way to somewhere else.
fn home_of(login: &Login) -> &'static str {
    match login.kind {
        Kind::Onboarding => "/kyc",
        Kind::Full if login.person.role.is_staff() => "/admin/kyc",
        Kind::Full => "/start",
    }
}

fn ask(visit: &Visit, status: StatusCode, sent: &LogIn, said: Option<&Markup>, wrong: Option<&str>) -> HttpResponse {
    let frame = visit.frame();
    let password = Field {
        name: "password",
        kind: "password",
        label: frame.t("account.password"),
        autocomplete: "current-password",
        most: 128,
        wrong,
        ..Field::default()
    };
    let body = html! {
        @if let Some(said) = said { (said) }
        section.card.panel.hero.tone-info aria-labelledby="h" {
            span.tile { (frame.icon("lock")) }
            h1 #h { (frame.t("account.login")) }
            p.t2 { (frame.t("account.login_text")) }
            form.form method="post" action="/login" {
                (form::fields(&frame, &[signup::email(&frame, &sent.email, "username", None), password]))
                @if !sent.next.is_empty() { input type="hidden" name="next" value=(sent.next); }
                button.btn.primary.wide type="submit" { (frame.t("account.login")) }
            }
            p.aside { a href="/forgot" { (frame.t("account.forgot")) } a href="/signup" { (frame.t("account.signup")) } }
        }
    };
    visit.page(status, frame.t("account.login"), &body)
}
