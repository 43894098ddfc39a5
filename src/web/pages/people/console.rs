//! The console's shell: the menu at the side, who is signed in, the bar with the heading; merchants and staff have one each.
//!
//! The menu is a popover where the window is narrow, so that it opens and closes without a script.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, REFERRER_POLICY};
use actix_web::web::Data;
use maud::{Markup, html};

use super::Visit;
use crate::accounts::{Kyc, Login};
use crate::web::pages::Frame;
use crate::web::pages::shell::{Head, Sort, document, reply_private, theme_switch};

/// A page of the menu.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Orders,
    Wallet,
    Start,
    Papers,
    Review,
    Commission,
    Payouts,
}

impl Place {
    /// Its address, the key of its name, its symbol.
    fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Orders => ("/vendor/orders", "vendor.orders", "list"),
            Self::Wallet => ("/vendor/wallet", "wallet.title", "wallet"),
            Self::Start => ("/start", "account.start", "hook"),
            Self::Papers => ("/kyc", "account.papers", "store"),
            Self::Review => ("/admin/kyc", "review.title", "shield"),
            Self::Commission => ("/admin/commission", "rate.title", "receipt"),
            Self::Payouts => ("/admin/payouts", "payout.title", "wallet"),
        }
    }
}

/// A part of the menu: the key of its heading, and its pages.
type Group = (Option<&'static str>, &'static [Place]);

const OF_MERCHANTS: [Group; 2] =
    [(None, &[Place::Orders, Place::Wallet]), (Some("console.set_up"), &[Place::Start, Place::Papers])];
const OF_STAFF: [Group; 1] = [(Some("console.merchants"), &[Place::Review, Place::Commission, Place::Payouts])];

/// The top of a page: its heading with what stands around it.
pub(super) struct Bar<'a> {
    /// The heading, and the title of the document.
    pub title: &'a str,
    /// The page one level up: its address and its name.
    pub back: Option<(&'a str, &'a str)>,
    /// What stands beside the heading.
    pub beside: Markup,
    /// What can be done with the whole page.
    pub acts: Markup,
}

impl<'a> Bar<'a> {
    /// A heading and nothing else.
    pub(super) fn of(title: &'a str) -> Self {
        Self { title, back: None, beside: html! {}, acts: html! {} }
    }
}

impl Visit {
    /// A page of the console; `place` is the page of the menu it belongs to.
    pub(super) async fn console(&self, status: StatusCode, place: Place, bar: &Bar<'_>, body: &Markup) -> HttpResponse {
        let frame = self.frame();
        let head = Head {
            title: &format!("{} · {}", bar.title, self.pages.brand),
            description: frame.t("home.text"),
            sort: Sort::Console,
            brand: &self.pages.brand,
            chip: html! {},
            banner: html! {},
            skip: frame.t("page.skip_main"),
        };
        let waiting = self.waiting().await;
        let body = html! {
            div.app {
                (self.menu(&frame, place, waiting))
                main #main.page { (heading(&frame, bar)) (body) }
            }
        };
        let mut reply = reply_private(status, document(&frame, &head, &body));
        reply.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        reply
    }

    /// How many papers wait for staff. The number is an extra: a page is not refused for want of it.
    async fn waiting(&self) -> u64 {
        let is_staff = self.login().is_some_and(|login| login.person.role.is_staff());
        let Some(kyc) = self.request.app_data::<Data<Kyc>>().filter(|_| is_staff) else { return 0 };
        kyc.waiting().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the waiting papers could not be counted");
            0
        })
    }

    fn menu(&self, frame: &Frame, place: Place, waiting: u64) -> Markup {
        let is_staff = self.login().is_some_and(|login| login.person.role.is_staff());
        let groups: &[Group] = if is_staff { &OF_STAFF } else { &OF_MERCHANTS };
        html! {
            nav #menu.nav popover aria-label=(frame.t("console.nav")) {
                a.logo href="/" { span.mark { (frame.icon("cast")) } bdi { (self.pages.brand) } }
                @for (heading, places) in groups {
                    @if let Some(heading) = heading { h2 { (frame.t(heading)) } }
                    @for known in *places {
                        @let (address, name, icon) = known.facts();
                        a.l href=(address) aria-current=[(*known == place).then_some("page")] {
                            (frame.icon(icon)) (frame.t(name))
                            @if *known == Place::Review && waiting > 0 { span.cnt.num { (frame.lang.number(waiting)) } }
                        }
                    }
                }
                h2 { (frame.t("home.developers")) }
                a.l href="/api/v1/docs/redoc/" { (frame.icon("receipt")) (frame.t("home.docs_api")) }
                a.l href="/api/v1/docs/swagger/" { (frame.icon("link")) (frame.t("home.docs_try")) }
                @if let Some(login) = self.login() { (me(frame, login)) }
            }
        }
    }
}

/// Who is signed in, and the way out.
fn me(frame: &Frame, login: &Login) -> Markup {
    let name = login.person.name.as_str();
    let initials: String =
        name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric())).take(2).collect();
    html! {
        div.me {
            span.av aria-hidden="true" { (initials.to_uppercase()) }
            span { bdi { (name) } small { bdi { @match &login.company {
                Some(company) if !login.person.role.is_staff() => (company.name),
                _ => (frame.t("console.staff")),
            } } } }
            (theme_switch(frame))
            form method="post" action="/logout" { button.btn.sm.wide type="submit" { (frame.t("account.sign_out")) } }
        }
    }
}

fn heading(frame: &Frame, bar: &Bar) -> Markup {
    html! {
        div.bar {
            button.btn.icon.only-s type="button" popovertarget="menu" aria-label=(frame.t("console.menu")) { (frame.icon("menu")) }
            @if let Some((address, name)) = bar.back {
                a.btn.ghost.icon.back href=(address) aria-label=(name) title=(name) { (frame.icon("left")) }
            }
            h1 #h { bdi { (bar.title) } }
            (bar.beside)
            span.gap {}
            (bar.acts)
        }
    }
}
