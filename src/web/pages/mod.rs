//! The faces customers see: tracking page, look-up, home, the demo shop, and the embedded files they are made of.
//!
//! Every page is complete as the server sends it and works without scripts; scripts then keep it up to date. What a page
//! says comes from the language files, how a status looks from one table. What is not here: the rules of orders and
//! the live transports.

mod assets;
pub mod demo_shop;
pub mod home;
pub mod lang;
pub mod looks;
pub mod lookup;
mod shell;
mod timeline;
pub mod track;
pub mod trouble;
pub mod view;
mod widget;
pub mod words;

use std::sync::Arc;

use actix_web::web::{ServiceConfig, get};
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::base::{Clock, Result};
use assets::Assets;
use lang::{Lang, Langs};
use words::Reader;

pub use shell::reply;

/// What every page is made with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pages {
    assets: Assets,
    langs: Langs,
    clock: Clock,
    demo: Option<Arc<str>>,
}

impl Pages {
    /// Takes the embedded files and languages into memory. `demo` is the address of a tracking page to show on the home
    /// page while developing.
    ///
    /// # Errors
    /// `Internal` when a language file is broken: a fault of the build, met at start.
    pub fn new(clock: Clock, demo: Option<String>) -> Result<Self> {
        let langs = Langs::read(assets::folder("locales/"))?;
        let assets = Assets::load(|source| widget::complete(source, langs.english()));
        Ok(Self { assets, langs, clock, demo: demo.map(Into::into) })
    }

    /// The frame of a page for a reader: asked language, the order's, the browser's (an Accept-Language header).
    fn frame(&self, asked: Option<&str>, order: Option<&str>, accept: Option<&str>) -> Frame<'_> {
        Frame { pages: self, lang: self.langs.pick(asked, order, accept), zone: TimeZone::UTC }
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

/// The routes of the embedded files.
pub fn files(routes: &mut ServiceConfig) {
    routes
        .route("/assets/{build}/{path:.*}", get().to(assets::get_asset))
        .route("/widget/v1/order-tracker.js", get().to(assets::get_widget))
        .route("/widget/v1/locales/{lang}.json", get().to(assets::get_widget_words))
        .route("/widget/v1/{build}/order-tracker.js", get().to(assets::get_widget_build));
}
