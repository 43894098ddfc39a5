//! The embedded files of the pages: served under an address that names their content, so browsers keep them for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::Pages;

/// What a file under an address that names its content is told to caches.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// What the evergreen widget is told to caches: at most an hour old, a day while it is fetched anew.
const EVERGREEN: &str = "public, max-age=3600, stale-while-revalidate=86400";

#[derive(RustEmbed)]
#[folder = "static/public"]
struct Public;

/// One file, in memory.
#[derive(Clone, Debug)]
struct File {
    bytes: Bytes,
    mime: String,
    etag: String,
}

/// All embedded files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Assets {
    build: Arc<str>,
    files: Arc<BTreeMap<String, File>>,
}

impl Assets {
    /// Takes the embedded files into memory; `widget` completes the source of the widget (it gets its tables from us).
    ///
    /// The build is the first 10 hex digits of a SHA-256 over all names and contents.
    #[must_use]
    pub fn load(widget: impl Fn(&str) -> String) -> Self {
        let mut files = BTreeMap::new();
        for name in Public::iter() {
            let Some(file) = Public::get(&name) else { continue };
            let mime = file.metadata.mimetype().to_owned();
            let bytes = match name.as_ref() {
                super::widget::SOURCE => Bytes::from(widget(&String::from_utf8_lossy(&file.data))),
                _ => Bytes::from(file.data.into_owned()),
            };
            files.insert(name.into_owned(), File::new(bytes, &mime));
        }
        let mut all = Sha256::new();
        for (name, file) in &files {
            all.update(name.as_bytes());
            all.update([0]);
            all.update(&file.bytes);
        }
        let build = hex(&all.finalize()[..5]);
        Self { build: build.into(), files: Arc::new(files) }
    }

    /// The name of this set of files, a part of their addresses.
    #[must_use]
    pub fn build(&self) -> &str {
        &self.build
    }

    /// The address of a file: `/assets/{build}/css/base.css`.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("/assets/{}/{name}", self.build)
    }

    /// The bytes of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|file| file.bytes.as_ref())
    }

    /// The integrity value of a file for `<script integrity>` (W3C Subresource Integrity).
    #[must_use]
    pub fn integrity(&self, name: &str) -> Option<String> {
        Some(format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(self.bytes(name)?))))
    }
}

/// The text of one embedded file, as it lies in the tree; empty when there is none.
pub(super) fn text(name: &str) -> String {
    Public::get(name).map(|file| String::from_utf8_lossy(&file.data).into_owned()).unwrap_or_default()
}

/// The embedded files of a folder, as they lie in the tree.
pub(super) fn folder(prefix: &str) -> impl Iterator<Item = Vec<u8>> {
    let names: Vec<_> = Public::iter().filter(|name| name.starts_with(prefix)).collect();
    names.into_iter().filter_map(|name| Public::get(&name).map(|file| file.data.into_owned()))
}

impl File {
    fn new(bytes: Bytes, mime: &str) -> Self {
        let mime = match mime {
            "text/javascript" | "text/css" | "text/plain" | "application/javascript" => {
                format!("{mime}; charset=utf-8")
            }
            _ => mime.to_owned(),
        };
        let etag = format!("\"{}\"", hex(&Sha256::digest(&bytes)[..10]));
        Self { bytes, mime, etag }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
    })
}

/// Answers with bytes under a caching rule, or 304 when the browser has them already.
pub(super) fn answer(req: &HttpRequest, etag: &str, mime: &str, cache: &str, bytes: Bytes) -> HttpResponse {
    let known = req.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| known.split(',').any(|tag| matches_etag(tag, etag)));
    let mut reply: HttpResponseBuilder = if same { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    reply
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::ETAG, etag))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if same {
        return reply.finish();
    }
    reply.insert_header((header::CONTENT_TYPE, mime)).body(bytes)
}

/// Weak comparison (RFC 9110 section 8.8.3.2): a compressing layer turns our tags into weak ones.
fn matches_etag(given: &str, ours: &str) -> bool {
    let given = given.trim();
    given == "*" || given.strip_prefix("W/").unwrap_or(given) == ours
}

/// `GET /assets/{build}/{path}`.
///
/// Another build's address (a page kept open over a deploy, or the other half of a rolling one) gets today's file, which
/// must then not be kept.
pub(super) async fn get_asset(pages: Data<Pages>, req: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (build, name) = path.into_inner();
    let Some(file) = pages.assets.files.get(&name).filter(|_| name != super::widget::SOURCE) else {
        return HttpResponse::NotFound().finish();
    };
    let cache = if build == pages.assets.build() { IMMUTABLE } else { "no-cache" };
    answer(&req, &file.etag, &file.mime, cache, file.bytes.clone())
}

/// `GET /widget/v1/order-tracker.js`: the widget, always the newest of version 1.
pub(super) async fn get_widget(pages: Data<Pages>, req: HttpRequest) -> HttpResponse {
    widget(&pages, &req, EVERGREEN)
}

/// `GET /widget/v1/{build}/order-tracker.js`: the widget, exactly that build, for `<script integrity>`.
pub(super) async fn get_widget_build(pages: Data<Pages>, req: HttpRequest, build: Path<String>) -> HttpResponse {
    if *build != *pages.assets.build {
        return HttpResponse::NotFound().finish();
    }
    widget(&pages, &req, IMMUTABLE)
}

fn widget(pages: &Pages, req: &HttpRequest, cache: &str) -> HttpResponse {
    let Some(file) = pages.assets.files.get(super::widget::SOURCE) else {
        return HttpResponse::NotFound().finish();
    };
    foreign(answer(req, &file.etag, &file.mime, cache, file.bytes.clone()))
}

/// `GET /widget/v1/locales/{lang}.json`: the widget's words in another language.
pub(super) async fn get_widget_words(pages: Data<Pages>, req: HttpRequest, lang: Path<String>) -> HttpResponse {
    let Some(lang) = pages.langs.find(&lang) else {
        return HttpResponse::NotFound().finish();
    };
    let words = Bytes::from(super::widget::words(lang));
    let etag = format!("\"{}\"", hex(&Sha256::digest(&words)[..10]));
    foreign(answer(&req, &etag, "application/json", EVERGREEN, words))
}

/// Lets pages of other origins use the answer.
fn foreign(mut reply: HttpResponse) -> HttpResponse {
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    headers.insert(header::CROSS_ORIGIN_RESOURCE_POLICY, header::HeaderValue::from_static("cross-origin"));
    reply
}
