//! The outside of every page: document, head, top bar, foot, and the security headers it is sent with.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Frame;

/// Only our own files, no inline script or style, no framing, no string ever turned into markup.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                   trusted-types 'none'";

/// What kind of page it is: which styles and which script it comes with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// The tracking page, which its own script keeps up to date.
    Live,
    /// A page that stays as it was sent, perhaps with a form.
    Still,
    /// A page of the console.
    Console,
}

impl Sort {
    fn styles(self) -> &'static [&'static str] {
        let all = &["css/tokens.css", "css/base.css", "css/track.css", "css/form.css", "css/console.css"];
        match self {
            Self::Live => &all[..3],
            Self::Still => &all[..4],
            Self::Console => all,
        }
    }

    /// The script, and what it imports.
    fn script(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Live => ("js/track.js", &LIVE),
            Self::Still => ("js/page.js", &STILL[1..]),
            Self::Console => ("js/console.js", &STILL),
        }
    }
}

/// What differs in the head from page to page.
pub(super) struct Head<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub sort: Sort,
    /// The name in the top bar, with the letter of its mark.
    pub brand: &'a str,
    /// What stands at the end of the top bar before the theme switch, and what hangs below the bar.
    pub chip: Markup,
    pub banner: Markup,
    /// Where the skip link leads, in words.
    pub skip: &'a str,
}

/// A whole document around `main` (which brings its own `<main id="main">`).
pub(super) fn shell(frame: &Frame, head: &Head, main: &Markup, tail: &Markup) -> Markup {
    let body = html! {
        header.top { div.wrap { (brand(head.brand)) (head.chip) (theme_switch(frame)) } (head.banner) }
        (main)
        footer.foot { div.wrap { span { bdi { (head.brand) } } span.end { (frame.t("page.foot")) } } }
        (tail)
    };
    document(frame, head, &body)
}

/// A whole document: the head of every page, the way past what comes before `main`, and the rest of the body.
pub(super) fn document(frame: &Frame, head: &Head, body: &Markup) -> Markup {
    let (script, modules) = head.sort.script();
    html! {
        (DOCTYPE)
        html lang=(frame.lang.lang) dir=(frame.lang.dir) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { (head.title) }
                meta name="description" content=(head.description);
                meta name="theme-color" content="#ffffff" media="(prefers-color-scheme:light)";
                meta name="theme-color" content="#14181f" media="(prefers-color-scheme:dark)";
                link #favicon rel="icon" href=(favicon(head.brand));
                @for style in head.sort.styles() { link rel="stylesheet" href=(frame.asset(style)); }
                // Small and first, so that a chosen theme is there before the first paint.
                script src=(frame.asset("js/theme.js")) {}
                @for module in modules { link rel="modulepreload" href=(frame.asset(module)); }
                script type="module" src=(frame.asset(script)) {}
            }
            body { a.skip href="#main" { (head.skip) } (body) }
        }
    }
}

/// What `js/track.js` imports, told early so that all of it arrives in one round trip.
const LIVE: [&str; 10] = [
    "js/dom.js",
    "js/i18n.js",
    "js/time.js",
    "js/words.js",
    "js/live.js",
    "js/tabs.js",
    "js/api.js",
    "js/toast.js",
    "js/posted.js",
    "js/look.js",
];
/// `js/page.js`, which `js/console.js` imports, and what it imports itself.
const STILL: [&str; 3] = ["js/page.js", "js/dom.js", "js/look.js"];

fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "O".to_owned(), |c| c.to_uppercase().collect())
}

fn brand(name: &str) -> Markup {
    html! { span.brand { span.mark aria-hidden="true" { (initial(name)) } bdi { (name) } } }
}

fn favicon(name: &str) -> String {
    let letter = initial(name);
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='9' fill='#1f4d3a'/>\
         <text x='16' y='23' font-family='Georgia,serif' font-size='19' font-weight='600' text-anchor='middle' \
         fill='#f3efe2'>{letter}</text></svg>"
    );
    format!("data:image/svg+xml,{}", percent_encoding::utf8_percent_encode(&svg, percent_encoding::NON_ALPHANUMERIC))
}

/// Hidden until the script that works it is there.
pub(super) fn theme_switch(frame: &Frame) -> Markup {
    html! {
        button #theme.btn.ghost.icon type="button" hidden
            data-auto=(frame.t("page.theme_auto")) data-light=(frame.t("page.theme_light")) data-dark=(frame.t("page.theme_dark")) {
            (frame.icon("moon"))
        }
    }
}

/// Values for a script, as a data block. `<` is written `\u003c`, so no text of ours can close the element.
pub(super) fn data_block(id: &str, values: &serde_json::Value) -> Markup {
    let json = values.to_string().replace('<', "\\u003c");
    html! { script id=(id) type="application/json" { (PreEscaped(json)) } }
}

/// Sends a page: never stored (it is one person's and of one moment), and with the headers every own page has.
pub fn reply(status: StatusCode, page: Markup) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CSP))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"))
        .body(page.into_string())
}

/// As [`reply`], and kept out of search engines: what stands behind a tracking address is private.
pub(super) fn reply_private(status: StatusCode, page: Markup) -> HttpResponse {
    let mut reply = reply(status, page);
    let noindex = header::HeaderValue::from_static("noindex, nofollow");
    reply.headers_mut().insert(header::HeaderName::from_static("x-robots-tag"), noindex);
    reply
}
