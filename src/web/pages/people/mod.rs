//! Pages of people who sign in: sign-up, sign-in, a company's papers and their review, what to do next.
//!
//! Every page is a plain document with plain forms and works without scripts. A page that changes something acts only
//! when the browser says that the form came from a page of ours ([`Visit`]): together with cookies that other sites'
//! forms do not carry, that keeps others from acting in a person's name. What is not here: the rules (`accounts`).

mod commission;
mod console;
mod kyc;
mod login;
mod orders;
mod payouts;
mod reset;
mod review;
mod signup;
mod start;
mod steps;
mod wallet;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, REFERRER_POLICY};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use jiff::Timestamp;
use maud::{Markup, html};

use super::handlers::Wish;
use super::shell::{Head, Sort, reply_private, shell};
use super::{Frame, Pages, trouble};
use crate::accounts::sessions::Kind;
use crate::accounts::{Company, Login};
use crate::base::error::Invalid;
use crate::base::{Clock, Error, Result};
use crate::web::PublicUrl;
use crate::web::auth::{cookies, people as signed_in};
use crate::web::methods::endpoint;

/// The routes of these pages.
pub fn routes(routes: &mut ServiceConfig) {
    routes
        .configure(orders::routes)
        .service(endpoint!(["/signup", "/signup/"] => get: signup::get_signup, post: signup::sign_up))
        .service(endpoint!(["/signup/verify", "/signup/verify/"] => get: signup::get_verify, post: signup::verify))
        .service(endpoint!("/signup/resend" => get: signup::get_verify, post: signup::resend))
        .service(endpoint!(["/login", "/login/"] => get: login::get_login, post: login::log_in))
        .service(endpoint!("/logout" => get: login::get_login, post: login::log_out))
        .service(endpoint!(["/forgot", "/forgot/"] => get: reset::get_forgot, post: reset::forgot))
        .service(endpoint!(["/reset", "/reset/"] => get: reset::get_reset, post: reset::reset))
        .service(endpoint!(["/start", "/start/"] => get: start::get_start))
        .service(endpoint!("/start/secret" => get: start::get_start, post: start::show_secret))
        .service(endpoint!("/start/secret/replace" => get: start::get_start, post: start::replace_secret))
        .service(endpoint!(["/kyc", "/kyc/"] => get: kyc::get_kyc, post: kyc::submit))
        .service(endpoint!(["/vendor/wallet", "/vendor/wallet/"] => get: wallet::get_wallet))
        .service(endpoint!("/vendor/wallet/payout" => get: wallet::get_wallet, post: wallet::ask_payout))
        .service(endpoint!(["/admin/payouts", "/admin/payouts/"] => get: payouts::get_payouts))
        .service(endpoint!("/admin/payouts/{id}/{what}" => get: payouts::get_payouts, post: payouts::decide))
        .service(endpoint!(["/admin/commission", "/admin/commission/"] => get: commission::get_rates, post: commission::set_rate))
        .service(endpoint!(["/admin/kyc", "/admin/kyc/"] => get: review::get_queue))
        .service(endpoint!(["/admin/kyc/{id}", "/admin/kyc/{id}/"] => get: review::get_submission))
        .service(endpoint!("/admin/kyc/{id}/approve" => get: review::get_submission, post: review::approve))
        .service(endpoint!("/admin/kyc/{id}/reject" => get: review::get_submission, post: review::reject));
}

/// A request for one of these pages: who asks, if anybody has signed in. A form that came from elsewhere gets no further.
pub(super) struct Visit {
    pub request: HttpRequest,
    pages: Data<Pages>,
    login: Option<Login>,
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let pages = request.app_data::<Data<Pages>>().cloned();
            let pages = pages.ok_or_else(|| actix_web::error::ErrorInternalServerError("no pages are set up"))?;
            let mut visit = Self { request, pages, login: None };
            let is_safe = matches!(*visit.request.method(), Method::GET | Method::HEAD);
            if !is_safe && !cookies::is_from_own_page(&visit.request) {
                return Err(answer(visit.sent_elsewhere()));
            }
            visit.login = match signed_in::login_of(&visit.request).await {
                Ok(login) => Some(login),
                Err(Error::Unauthenticated(_) | Error::Forbidden(_) | Error::Barred(_)) => None,
                Err(error) => return Err(answer(visit.refuse(error))),
            };
            Ok(visit)
        })
    }
}

/// What a page answers: itself, or what is sent to those who may not see it.
type Answered = Result<HttpResponse, actix_web::Error>;

/// A finished answer in the place of an error.
fn answer(reply: HttpResponse) -> actix_web::Error {
    InternalError::from_response("answered already", reply).into()
}

impl Visit {
    pub fn frame(&self) -> Frame<'_> {
        self.pages.frame(&Wish::of(&self.request), None)
    }

    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// A person of a company who has signed in, be it for handing in papers only. Others are sent where they belong.
    pub fn of_company(&self) -> Result<(&Login, &Company), actix_web::Error> {
        let login = self.login().ok_or_else(|| answer(self.to_login()))?;
        let company = login.company.as_ref().filter(|_| !login.person.role.is_staff());
        company.map(|company| (login, company)).ok_or_else(|| answer(go("/admin/kyc")))
    }

    /// A person of an active company; others are sent where they belong.
    pub fn of_merchant(&self) -> Result<(&Login, &Company), actix_web::Error> {
        let (login, company) = self.of_company()?;
        if login.kind == Kind::Onboarding { Err(answer(go("/kyc"))) } else { Ok((login, company)) }
    }

    /// Somebody who runs the platform; to all others there is no such page.
    pub fn of_staff(&self) -> Result<&Login, actix_web::Error> {
        let login = self.login().ok_or_else(|| answer(self.to_login()))?;
        let is_staff = login.person.role.is_staff() && login.kind == Kind::Full;
        is_staff.then_some(login).ok_or_else(|| answer(self.refuse(Error::NotFound("Page"))))
    }

    fn to_login(&self) -> HttpResponse {
        let next = url::form_urlencoded::byte_serialize(self.request.path().as_bytes()).collect::<String>();
        go(&format!("/login?next={next}"))
    }

    /// A page with one narrow column.
    pub fn page(&self, status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
        self.document(status, title, &html! { main #main.wrap.narrow { (body) } })
    }

    /// A page that brings its own `main`.
    pub fn document(&self, status: StatusCode, title: &str, main: &Markup) -> HttpResponse {
        let frame = self.frame();
        let head = Head {
            title,
            description: frame.t("home.text"),
            sort: Sort::Still,
            brand: &self.pages.brand,
            chip: self.chip(&frame),
            banner: html! {},
            skip: frame.t("page.skip_main"),
        };
        let mut reply = reply_private(status, shell(&frame, &head, main, &html! {}));
        // No address of these pages is secret, and without a referrer a browser would not say where a form came from.
        reply.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        reply
    }

    fn chip(&self, frame: &Frame) -> Markup {
        html! {
            @if let Some(login) = self.login() {
                bdi.who.muted { (login.person.email) }
                form method="post" action="/logout" { button.btn.sm type="submit" { (frame.t("account.sign_out")) } }
            }
        }
    }

    /// What could not be done, for reasons that are not the form's.
    pub fn refuse(&self, error: Error) -> HttpResponse {
        trouble::refuse(&self.pages, &self.request, error)
    }

    fn sent_elsewhere(&self) -> HttpResponse {
        let frame = self.frame();
        let body = html! {
            section.card.msg.tone-warning aria-labelledby="h" {
                span.tile { (frame.icon("shield")) }
                h1 #h { (frame.t("account.elsewhere")) }
                p { (frame.t("account.elsewhere_text")) }
                p.acts { a.btn.primary href=(self.request.path()) { (frame.t("account.open_page")) } }
            }
        };
        self.page(StatusCode::FORBIDDEN, frame.t("account.elsewhere"), &body)
    }

    pub fn now(&self) -> Timestamp {
        self.request.app_data::<Data<Clock>>().map_or_else(Timestamp::default, |clock| clock.now())
    }

    /// Where people reach this deployment.
    pub fn home(&self) -> &str {
        self.request.app_data::<Data<PublicUrl>>().map_or("", |home| home.0.as_str())
    }
}

/// Sends the browser on with a GET.
fn go(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to)).insert_header((CACHE_CONTROL, "no-store")).finish()
}

/// The place to go on to after signing in: a path of ours. Anything a browser could read as another site is none.
fn own_path(text: &str) -> Option<&str> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.bytes().all(|byte| byte.is_ascii_graphic());
    let base = url::Url::parse("https://own.invalid").ok()?;
    let leads = base.join(text).ok()?;
    (is_path && !text.contains('\\') && leads.origin() == base.origin()).then_some(text)
}

/// A notice at the head of a page, read aloud when the page opens.
fn notice(frame: &Frame, tone: &str, icon: &str, text: &str) -> Markup {
    html! { p class={ "bn tone-" (tone) } role="status" { (frame.icon(icon)) span { (text) } } }
}

/// What is wrong with a field, in the reader's language where we have it.
fn wrong<'a>(frame: &'a Frame, name: &str, refused: Option<&'a Invalid>) -> Option<&'a str> {
    let refused = refused.filter(|refused| refused.field == Some(name))?;
    let key = match refused.code {
        "bad_company_name" => "account.bad_company",
        "bad_email" => "setup.bad_email",
        "bad_password" => "setup.bad_password",
        "bad_otp" => "account.bad_code",
        _ => return Some(&refused.message),
    };
    Some(frame.t(key))
}

/// A moment in the words of the page; the server cannot know the reader's zone.
fn moment(frame: &Frame, at: Timestamp) -> String {
    let local = frame.reader().local(at);
    format!("{}, {} UTC", frame.lang.date("date.short", local.date()), frame.lang.hhmm(local.time()))
}

/// Bytes in the words of the page.
fn size(frame: &Frame, bytes: u64) -> String {
    let (number, unit) = match bytes {
        0..1024 => (bytes, "B"),
        1024..1_048_576 => (bytes.div_ceil(1024), "kB"),
        _ => (bytes.div_ceil(1_048_576), "MB"),
    };
    format!("{}\u{a0}{unit}", frame.lang.number(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for own in ["/kyc", "/admin/kyc?after=x", "/", "/a//b"] {
            assert_eq!(own_path(own), Some(own));
        }
        for other in [
            "",
            "kyc",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/kyc\r\nSet-Cookie: a=b",
            "/ü",
        ] {
            assert_eq!(own_path(other), None, "{other:?}");
        }
    }
}
