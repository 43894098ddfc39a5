//! `/setup/{link}`: the one-time page on which an operator becomes the first admin.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Field};
use super::handlers::Wish;
use super::shell::{Head, Sort, reply_private, shell};
use super::{Frame, Pages, trouble};
use crate::accounts::sessions::Kind;
use crate::accounts::{Admins, Sessions};
use crate::base::error::Invalid;
use crate::base::{Clock, Error, Secret};
use crate::web::auth::cookies;
use crate::web::{PublicUrl, origin, request_id};

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SetUp {
    name: String,
    email: String,
    password: String,
}

/// What the page shows.
enum Stage<'a> {
    /// The form, empty.
    Ask,
    /// The form as it was sent, with what is wrong.
    Again(&'a SetUp, &'a Invalid),
    /// It is done.
    Done,
}

/// `GET /setup/{link}`
pub(super) async fn get_setup(
    pages: Data<Pages>,
    admins: Data<Admins>,
    req: HttpRequest,
    link: Path<String>,
) -> HttpResponse {
    let wish = Wish::of(&req);
    match admins.check_link(&Secret::new(link.into_inner())).await {
        Ok(()) => reply(&pages, StatusCode::OK, &Stage::Ask, &wish),
        Err(error) => refuse(&pages, &req, error, &wish),
    }
}

/// `POST /setup/{link}`
pub(super) async fn set_up_admin(
    (pages, admins, sessions): (Data<Pages>, Data<Admins>, Data<Sessions>),
    (home, clock): (Data<PublicUrl>, Data<Clock>),
    req: HttpRequest,
    link: Path<String>,
    form: Result<Form<SetUp>, actix_web::Error>,
) -> HttpResponse {
    let (wish, sent) = (Wish::of(&req), form.map(Form::into_inner).unwrap_or_default());
    let link = Secret::new(link.into_inner());
    let password = Secret::new(sent.password.clone());
    match admins.set_up(&link, &sent.email, &sent.name, password, request_id(&req)).await {
        Ok(admin) => {
            let mut done = reply(&pages, StatusCode::CREATED, &Stage::Done, &wish);
            // The admin is made either way, and can sign in by hand.
            match sessions.open(admin.id, Kind::Full, origin(&req)).await {
                Ok(opened) => cookies::give(&mut done, &cookies::signed_in(&opened.pair, &home, clock.now())),
                Err(error) => tracing::warn!(%error, "the new admin could not be signed in"),
            }
            done
        }
        Err(Error::Invalid(invalid)) => reply(&pages, StatusCode::BAD_REQUEST, &Stage::Again(&sent, &invalid), &wish),
        Err(error) => refuse(&pages, &req, error, &wish),
    }
}

fn refuse(pages: &Pages, req: &HttpRequest, error: Error, wish: &Wish) -> HttpResponse {
    match error {
        Error::NotFound(_) | Error::Conflict(_) => {
            let frame = pages.frame(wish, None);
            page(
                &frame,
                StatusCode::NOT_FOUND,
                "setup.gone",
                &html! {
                    section.card.msg aria-labelledby="h" {
                        span.tile { (frame.icon("lock")) }
                        h1 #h { (frame.t("setup.gone")) }
                        p { (frame.t("setup.gone_text")) }
                    }
                },
            )
        }
        error => trouble::refuse(pages, req, error),
    }
}

fn reply(pages: &Pages, status: StatusCode, stage: &Stage<'_>, wish: &Wish) -> HttpResponse {
    let frame = pages.frame(wish, None);
    let body = match stage {
        Stage::Ask => ask(&frame, &SetUp::default(), None),
        Stage::Again(sent, invalid) => ask(&frame, sent, Some(invalid)),
        Stage::Done => html! {
            section.card.msg.tone-success aria-labelledby="h" {
                span.tile { (frame.icon("check")) }
                h1 #h { (frame.t("setup.done")) }
                p role="status" { (frame.t("setup.done_text")) }
            }
        },
    };
    page(&frame, status, "setup.title", &body)
}

fn page(frame: &Frame, status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    let head = Head {
        title: frame.t(title),
        description: frame.t("setup.text"),
        sort: Sort::Still,
        brand: "Ordercast",
        chip: html! {},
        banner: html! {},
        skip: frame.t("page.skip_main"),
    };
    let main = html! { main #main.wrap.narrow { (body) } };
    reply_private(status, shell(frame, &head, &main, &html! {}))
}

/// The form posts to its own address, so that the link stands in no attribute.
fn ask(frame: &Frame, sent: &SetUp, invalid: Option<&Invalid>) -> Markup {
    let field = |name: &'static str, kind, hint, value, autocomplete, most| Field {
        name,
        kind,
        label: frame.t(match name {
            "name" => "setup.name",
            "email" => "setup.email",
            _ => "setup.password",
        }),
        hint,
        value,
        autocomplete,
        most,
        wrong: invalid.filter(|invalid| invalid.field == Some(name)).map(|invalid| wrong(frame, invalid)),
        ..Field::default()
    };
    html! {
        section.card.panel aria-labelledby="h" {
            h1 #h { (frame.t("setup.title")) }
            p.t2 { (frame.t("setup.text")) }
            form.form method="post" {
                (form::fields(frame, &[
                    field("name", "text", None, Some(&sent.name), "name", 100),
                    field("email", "email", None, Some(&sent.email), "username", 254),
                    field("password", "password", Some(frame.t("setup.password_hint")), None, "new-password", 128),
                ]))
                button.btn.primary.wide type="submit" { (frame.t("setup.send")) }
            }
        }
    }
}

/// What is wrong, in the reader's language where we have it.
fn wrong<'a>(frame: &'a Frame, invalid: &'a Invalid) -> &'a str {
    let key = match invalid.code {
        "bad_name" => "setup.bad_name",
        "bad_email" => "setup.bad_email",
        "bad_password" => "setup.bad_password",
        _ => return &invalid.message,
    };
    frame.t(key)
}
