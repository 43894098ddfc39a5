//! The faces customers see: tracking page, look-up, home, the demo shop, the pages of people who sign in, and the
//! embedded files they are made of.
//!
//! Every page is complete as the server sends it and works without scripts; scripts then keep it up to date. What a page
//! says comes from the language files, how a status looks from one table. What is not here: the rules of orders and
//! the live transports.

mod assets;
mod confirm;
pub mod demo_shop;
mod form;
mod handlers;
pub mod home;
pub mod lang;
pub mod looks;
pub mod lookup;
mod people;
mod posted;
mod setup;
mod shell;
mod timeline;
pub mod track;
pub mod trouble;
#[cfg(test)]
mod twin;
pub mod view;
mod widget;
pub mod words;

use std::sync::{Arc, OnceLock};

use actix_web::web::ServiceConfig;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::methods::endpoint;
use crate::base::{Clock, Result};
use assets::Assets;

pub use handlers::Wish;
pub(super) use handlers::nothing_here;
use lang::{Lang, Langs};
use words::Reader;

/// What is written as it is in one part of a path; everything else becomes `%XX` (RFC 3986 section 2.3).
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What every page is made with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    assets: Assets,
    langs: Langs,
    clock: Clock,
    demo: Arc<OnceLock<String>>,
    brand: Arc<str>,
    support_url: Option<Arc<str>>,
}

impl Pages {
    /// Takes the embedded files and languages into memory. `brand` is whose pages they are where no order tells it;
    /// `support_url` is where customers get help: a `https:`, `http:` or `mailto:` address.
    ///
    /// # Errors
    /// `Internal` when a language file is broken: a fault of the build, met at start.
    pub fn new(clock: Clock, brand: &str, support_url: Option<String>) -> Result<Self> {
        let langs = Langs::read(assets::folder("locales/"))?;
        let assets = Assets::load(|source| widget::complete(source, langs.english()));
        Ok(Self {
            assets,
            langs,
            clock,
            demo: Arc::default(),
            brand: brand.into(),
            support_url: support_url.map(Arc::from),
        })
    }

    /// Shows the way to a demo order on the home page; the first address given stays.
    pub fn show_demo(&self, address: String) {
        self.demo.get_or_init(|| address);
    }

    /// The frame of a page for a reader; `order` is the language of the order on it.
    fn frame(&self, wish: &Wish, order: Option<&str>) -> Frame<'_> {
        let lang = self.langs.pick(wish.asked.as_deref(), order, wish.accept.as_deref());
        Frame { pages: self, lang, zone: TimeZone::UTC }
    }
}

/// The files and the language a page is written with.
pub struct Frame<'a> {
    pages: &'a Pages,
    lang: Arc<Lang>,
    /// The server cannot know the reader's zone: times are in UTC until a script runs.
    zone: TimeZone,
}

impl Frame<'_> {
    fn t<'a>(&'a self, key: &'a str) -> &'a str {
        self.lang.t(key)
    }

    /// The address of an embedded file.
    fn asset(&self, name: &str) -> String {
        self.pages.assets.url(name)
    }

    /// A symbol; what it means must stand beside it as text.
    fn icon(&self, name: &str) -> Markup {
        html! { svg.i aria-hidden="true" { use href={ (self.asset("icons.svg")) "#" (name) } {} } }
    }

    /// Whom the page is for.
    fn reader(&self) -> Reader<'_> {
        Reader { lang: &self.lang, now: self.pages.clock.now(), zone: &self.zone }
    }
}

/// The routes of the pages and of the embedded files.
pub fn routes(routes: &mut ServiceConfig) {
    routes
        .configure(people::routes)
        .service(endpoint!("/" => get: handlers::get_home))
        .service(endpoint!(["/track", "/track/"] => get: handlers::get_lookup, post: handlers::look_up))
        .service(endpoint!(["/track/{pass}", "/track/{pass}/"] => get: handlers::get_track))
        .service(endpoint!("/track/{pass}/confirm" => get: confirm::get_question, post: confirm::answer_question))
        .service(endpoint!("/track/{pass}/renew" => post: handlers::renew_link))
        .service(endpoint!("/track/{pass}/mail" => get: posted::show_choice, post: posted::choose_mail))
        .service(endpoint!("/setup/{link}" => get: setup::get_setup, post: setup::set_up_admin))
        .service(endpoint!("/assets/{build}/{path:.*}" => get: assets::get_asset))
        .service(endpoint!("/widget/v1/order-tracker.js" => get: assets::get_widget))
        .service(endpoint!("/widget/v1/locales/{lang}.json" => get: assets::get_widget_words))
        .service(endpoint!("/widget/v1/{build}/order-tracker.js" => get: assets::get_widget_build));
}
