//! Keeping a customer posted: the switch for mail about the order, and where letters send those who want none.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde::Deserialize;

use super::view::OrderView;
use super::{Frame, Pages, trouble};
use crate::notify::Preferences;
use crate::orders::Passes;
use crate::web::{request_id, track as track_api};

/// The card. The mail switch is the button of a form, so that it works without scripts; what this browser can do itself
/// is shown by the script.
pub(super) fn card(frame: &Frame, order: &OrderView, pass: &str, wants_mail: bool) -> Markup {
    let email = order.customer.as_ref().and_then(|customer| customer.email.as_deref());
    html! {
        section #posted.card aria-labelledby="n" hidden[email.is_none()] {
            header { h2 #n { (frame.t("page.keep_posted")) } }
            div.body.tight {
                @if let Some(email) = email { (mail_switch(frame, email, pass, wants_mail)) }
                label #notify.sw hidden {
                    span { (frame.t("page.browser")) small { (frame.t("page.browser_text")) } }
                    input.switch type="checkbox" role="switch";
                }
            }
        }
    }
}

fn mail_switch(frame: &Frame, email: &str, pass: &str, is_on: bool) -> Markup {
    let text = |key: &str| frame.lang.fill(key, &[("email", email)]);
    let (on, off) = (text("page.email_text"), text("page.email_off"));
    html! {
        form #mail.sw method="post" action={ "/track/" (pass) "/mail" } {
            span {
                (frame.t("page.email"))
                small #mail-text data-on=(on) data-off=(off) { (if is_on { &on } else { &off }) }
            }
            input type="hidden" name="mail" value=(if is_on { "off" } else { "on" });
            button.switch type="submit" role="switch" aria-checked=(is_on) aria-label=(frame.t("page.email"))
                aria-describedby="mail-text" {}
        }
    }
}

/// What the switch sends, or a mail program on behalf of its reader (RFC 8058).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    mail: String,
}

/// `GET /track/{pass}/mail`: where letters lead. Opening a link switches nothing off: programs that look at mail open
/// links too.
pub(super) async fn show_choice(pass: Path<String>) -> HttpResponse {
    back_to(&pass)
}

/// `POST /track/{pass}/mail`: switches mail about the order on for `mail=on`, and off for everything else.
pub(super) async fn choose_mail(
    pages: Data<Pages>,
    passes: Data<Passes>,
    preferences: Data<Preferences>,
    req: HttpRequest,
    pass: Path<String>,
    form: Result<Form<Choice>, actix_web::Error>,
) -> HttpResponse {
    let choice = form.map(Form::into_inner).unwrap_or_default();
    let chosen = async {
        let pass = track_api::admitted(&passes, &pass).await?;
        preferences.set_mail(pass.order, choice.mail == "on", pass.id, request_id(&req)).await
    };
    match chosen.await {
        // A mail program follows nowhere (RFC 8058 section 3.1); a browser goes back to the page.
        Ok(()) if choice.mail.is_empty() => HttpResponse::Ok().finish(),
        Ok(()) => back_to(&pass),
        Err(error) => trouble::refuse(&pages, &req, error),
    }
}

/// Sends a browser to the card. Whatever stood in the path stays one part of a path of ours.
fn back_to(pass: &str) -> HttpResponse {
    let pass = percent_encoding::utf8_percent_encode(pass, super::SEGMENT);
    HttpResponse::build(StatusCode::SEE_OTHER)
        .insert_header((LOCATION, format!("/track/{pass}#posted")))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish()
}
