//! The pages for when an order cannot be shown: not found, expired, too many tries, not available.

use actix_web::http::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use maud::{Markup, html};

use super::handlers::Wish;
use super::shell::{Head, Sort, reply_private, shell};
use super::{Frame, Pages};
use crate::base::Error;
use crate::web::error::Problem;

/// Why an order cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No such order, or a pass that never was.
    NotFound,
    /// An address that leads nowhere.
    NoPage,
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
            Error::Unauthenticated(_) | Error::Forbidden(_) | Error::Barred(_) | Error::Gone(_) => Self::Expired,
            Error::NotFound(_)
            | Error::Invalid(_)
            | Error::InvalidFields(_)
            | Error::Conflict(_)
            | Error::Unprocessable(_) => Self::NotFound,
        }
    }
}

impl Trouble {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NoPage => StatusCode::NOT_FOUND,
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
            Self::NoPage => ("no_page", "search"),
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
            Self::NotFound | Self::NoPage | Self::Expired | Self::Revoked | Self::Renewed => None,
        }
    }
}

/// Where pages are.
const PAGES: [&str; 10] =
    ["/track", "/setup/", "/signup", "/login", "/logout", "/forgot", "/reset", "/start", "/kyc", "/admin/"];

/// Whether whoever asks is to get a page: a browser, by what it accepts; and on the addresses of pages everybody who does
/// not ask for something else. The API never answers with pages.
#[must_use]
pub fn wants_page(request: &HttpRequest) -> bool {
    let (path, accept) = (request.path(), request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()));
    let accept = accept.unwrap_or("*/*");
    let is_page = path == "/" || PAGES.iter().any(|start| path.starts_with(start));
    !path.starts_with("/api/") && (accept.contains("text/html") || is_page && accept.contains("*/*"))
}

/// The answer to a request that failed, as a page or as problem details.
pub(super) fn refuse(pages: &Pages, request: &HttpRequest, error: Error) -> HttpResponse {
    if !wants_page(request) {
        return Problem(error).error_response();
    }
    let trouble = Trouble::from(&error);
    if trouble == Trouble::Unavailable {
        tracing::error!(?error, "a page could not be shown");
    }
    // Where a look-up or a choice was sent to there is nothing to see: the way back is the form.
    let is_of_track = request.method() == Method::POST && request.path().starts_with("/track");
    let here = if is_of_track { "/track" } else { request.path() };
    reply(pages, trouble, here, &Wish::of(request))
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
        sort: Sort::Still,
        brand: &frame.pages.brand,
        chip: html! {},
        banner: html! {},
        skip: frame.t("page.skip_main"),
    };
    shell(frame, &head, &main, &html! {})
}

fn action(frame: &Frame, trouble: Trouble, here: &str) -> Markup {
    html! {
        @match trouble {
            Trouble::NoPage => {
                a.btn.primary href="/track" { (frame.t("trouble.not_found_act")) }
                a.btn href="/" { (frame.t("trouble.no_page_act")) }
            },
            Trouble::NotFound | Trouble::Revoked => a.btn.primary href="/track" { (frame.t("trouble.not_found_act")) },
            Trouble::Expired => form method="post" action={ (here.trim_end_matches('/')) "/renew" } {
                button.btn.primary type="submit" { (frame.icon("mail")) (frame.t("trouble.expired_act")) }
            },
            Trouble::Renewed => {},
            Trouble::RateLimited(_) | Trouble::Unavailable => a.btn href=(here) { (frame.t("trouble.unavailable_act")) },
        }
    }
}
