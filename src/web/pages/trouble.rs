//! The pages for when an order cannot be shown: not found, expired, too many tries, not available.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use maud::{Markup, html};

use super::handlers::Wish;
use super::shell::{Head, reply_private, shell};
use super::{Frame, Pages};
use crate::base::Error;

/// Why an order cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No such order, or a pass that never was.
    NotFound,
    /// The pass was good once.
    Expired,
    /// The pass was taken back.
    Revoked,
    /// No trouble any more: a new link is on its way.
    Renewed,
    /// Too many requests; seconds to wait.
    RateLimited(u64),
    /// Our fault, or a part we need is away.
    Unavailable,
}

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        match error {
            Error::TooMany { retry_after } => Self::RateLimited(*retry_after),
            Error::Unavailable(..) | Error::Internal(_) => Self::Unavailable,
            Error::Gone(gone) if gone.code == "revoked" => Self::Revoked,
            Error::Unauthenticated(_) | Error::Forbidden(_) | Error::Gone(_) => Self::Expired,
            Error::NotFound(_) | Error::Invalid(_) | Error::Conflict(_) | Error::Unprocessable(_) => Self::NotFound,
        }
    }
}

impl Trouble {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Expired | Self::Revoked => StatusCode::GONE,
            Self::Renewed => StatusCode::ACCEPTED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Key of its sentences, and its icon.
    fn face(self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("not_found", "search"),
            Self::Expired => ("expired", "lock"),
            Self::Revoked => ("revoked", "lock"),
            Self::Renewed => ("renewed", "mail"),
            Self::RateLimited(_) => ("rate_limited", "clock"),
            Self::Unavailable => ("unavailable", "refresh"),
        }
    }

    /// Seconds after which to try again, when that is known.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::RateLimited(seconds) => Some(seconds),
            Self::Unavailable => Some(5),
            Self::NotFound | Self::Expired | Self::Revoked | Self::Renewed => None,
        }
    }
}

/// Sends the page of a trouble. `here` is the address to try again.
pub fn reply(pages: &Pages, trouble: Trouble, here: &str, wish: &Wish) -> HttpResponse {
    let frame = pages.frame(wish, None);
    let mut reply = reply_private(trouble.status(), page(&frame, trouble, here));
    if let Some(seconds) = trouble.retry_after() {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    reply
}

fn page(frame: &Frame, trouble: Trouble, here: &str) -> Markup {
    let (key, icon) = trouble.face();
    let (title, text) = (format!("trouble.{key}"), format!("trouble.{key}_text"));
    let seconds = match trouble {
        Trouble::RateLimited(seconds) => frame.lang.number(seconds),
        _ => String::new(),
    };
    let text = frame.lang.fill(&text, &[("n", &seconds)]);
    let main = html! {
        main #main.wrap {
            section.card.msg.tone-neutral aria-labelledby="h" {
                span.tile { (frame.icon(icon)) }
                h1 #h { (frame.t(&title)) }
                p { (text) }
                div.acts { (action(frame, trouble, here)) }
            }
        }
    };
    let head = Head {
        title: frame.t(&title),
        description: &text,
        script: None,
        brand: "Ordercast",
        chip: html! {},
        banner: html! {},
        skip: frame.t("page.skip"),
    };
    shell(frame, &head, &main, &html! {})
}

fn action(frame: &Frame, trouble: Trouble, here: &str) -> Markup {
    html! {
        @match trouble {
            Trouble::NotFound | Trouble::Revoked => a.btn.primary href="/track" { (frame.t("trouble.not_found_act")) },
            Trouble::Expired => form method="post" action={ (here.trim_end_matches('/')) "/renew" } {
                button.btn.primary type="submit" { (frame.icon("mail")) (frame.t("trouble.expired_act")) }
            },
            Trouble::Renewed => {},
            Trouble::RateLimited(_) | Trouble::Unavailable => a.btn href=(here) { (frame.t("trouble.unavailable_act")) },
        }
    }
}
