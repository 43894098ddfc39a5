//! The look-up page `/track`: order number and e-mail in, the same answer out whether they match an order or not.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Field};
use super::handlers::Wish;
use super::shell::{Head, Sort, reply_private, shell};
use super::{Frame, Pages};

/// What the form sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Lookup {
    /// The order's number.
    pub number: String,
    /// The address it was ordered with.
    pub email: String,
}

impl Lookup {
    /// The fields without the spaces people leave around them, or `None` when one of them cannot be right.
    #[must_use]
    pub fn cleaned(&self) -> Option<Self> {
        let (number, email) = (self.number.trim(), self.email.trim());
        let good = !number.is_empty() && number.len() <= 100 && is_address(email);
        good.then(|| Self { number: number.to_owned(), email: email.to_owned() })
    }
}

/// Something, an `@`, something: the rest is for the mail server to judge.
fn is_address(email: &str) -> bool {
    email.len() <= 254 && email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub enum Stage<'a> {
    /// The empty form.
    Ask,
    /// The form as it was sent, with what is missing marked.
    Again(&'a Lookup),
    /// The one answer for hit and miss.
    Sent,
}

/// Sends the look-up page.
pub fn reply(pages: &Pages, stage: Stage, wish: &Wish) -> HttpResponse {
    let frame = pages.frame(wish, None);
    let status = match stage {
        Stage::Ask => StatusCode::OK,
        Stage::Again(_) => StatusCode::BAD_REQUEST,
        Stage::Sent => StatusCode::ACCEPTED,
    };
    let main = html! { main #main.wrap.narrow { (body(&frame, stage)) } };
    let head = Head {
        title: frame.t("lookup.title"),
        description: frame.t("lookup.text"),
        sort: Sort::Still,
        brand: &frame.pages.brand,
        chip: html! {},
        banner: html! {},
        skip: frame.t("page.skip_main"),
    };
    reply_private(status, shell(&frame, &head, &main, &html! {}))
}

fn body(frame: &Frame, stage: Stage) -> Markup {
    html! {
        @match stage {
            Stage::Sent => section.card.msg.tone-success aria-labelledby="h" {
                span.tile { (frame.icon("mail")) }
                h1 #h { (frame.t("lookup.sent")) }
                p role="status" { (frame.t("lookup.sent_text")) }
                p.acts { a.btn href="/track" { (frame.t("lookup.again")) } }
            },
            Stage::Ask | Stage::Again(_) => section.card.panel aria-labelledby="h" {
                h1 #h { (frame.t("lookup.title")) }
                p.t2 { (frame.t("lookup.text")) }
                (form(frame, match stage { Stage::Again(sent) => Some(sent), _ => None }))
            },
        }
    }
}

/// The form; `sent` is what came and was not enough.
pub(super) fn form(frame: &Frame, sent: Option<&Lookup>) -> Markup {
    let number_bad = sent.is_some_and(|sent| sent.number.trim().is_empty() || sent.number.len() > 100);
    let email_bad = sent.is_some_and(|sent| !is_address(sent.email.trim()));
    let number = Field {
        name: "number",
        kind: "text",
        label: frame.t("lookup.number"),
        hint: Some(frame.t("lookup.number_hint")),
        value: sent.map(|sent| sent.number.as_str()),
        autocomplete: "off",
        most: 100,
        wrong: number_bad.then(|| frame.t("lookup.number_missing")),
        ..Field::default()
    };
    let email = Field {
        name: "email",
        kind: "email",
        label: frame.t("lookup.email"),
        hint: None,
        value: sent.map(|sent| sent.email.as_str()),
        autocomplete: "email",
        most: 254,
        wrong: email_bad.then(|| frame.t("lookup.email_missing")),
        ..Field::default()
    };
    html! {
        form.form method="post" action="/track" {
            (form::fields(frame, &[number, email]))
            button.btn.primary.wide type="submit" { (frame.icon("mail")) (frame.t("lookup.send")) }
        }
    }
}
