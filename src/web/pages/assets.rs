//! The embedded files of the pages: served under an address that names their content, so browsers keep them for ever.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::Pages;
use crate::web::packing::takes_gzip;

/// What a file under an address that names its content is told to caches.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// What the evergreen widget is told to caches: at most an hour old, a day while it is fetched anew.
const EVERGREEN: &str = "public, max-age=3600, stale-while-revalidate=86400";

#[derive(RustEmbed)]
#[folder = "static/public"]
struct Public;

/// One file, in memory, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct File {
    bytes: Bytes,
    /// The same in gzip, packed once and as tight as it goes.
    packed: Bytes,
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
            let text = || String::from_utf8_lossy(&file.data);
            let bytes = match name.as_ref() {
                super::widget::SOURCE => Bytes::from(lean(&widget(&text()))),
                name if name.ends_with(".js") => Bytes::from(lean(&text())),
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

/// A script without its indentation and its lines of comment: a quarter less over the wire. Our scripts keep to the
/// form this needs: a comment stands on lines of its own, and no text that is shown spans lines.
fn lean(script: &str) -> String {
    let comment = |line: &str| ["//", "/**", "* ", "*/"].iter().any(|mark| line.starts_with(mark));
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty() && !comment(line));
    lines.collect::<Vec<_>>().join("\n")
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
    pub(super) fn new(bytes: Bytes, mime: &str) -> Self {
        let mime = match mime {
            "text/javascript" | "text/css" | "text/plain" | "application/javascript" => {
                format!("{mime}; charset=utf-8")
            }
            _ => mime.to_owned(),
        };
        // Weak, because packed and unpacked share it.
        let etag = format!("W/\"{}\"", hex(&Sha256::digest(&bytes)[..10]));
        Self { packed: gzip(&bytes), bytes, mime, etag }
    }
}

/// The bytes in gzip; empty when they cannot be packed, and then they are sent as they are.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let packed = packer.write_all(bytes).and_then(|()| packer.finish());
    packed.map(Bytes::from).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").map_or_else(|_| String::new(), |()| text)
    })
}

/// Answers with a file under a caching rule, or 304 when the browser has it already.
pub(super) fn answer(req: &HttpRequest, file: &File, cache: &str) -> HttpResponse {
    let text = |name| req.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = text(header::IF_NONE_MATCH).split(',').any(|tag| matches_etag(tag, &file.etag));
    let mut reply = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    reply
        .insert_header((header::CACHE_CONTROL, cache))
        .insert_header((header::ETAG, file.etag.as_str()))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if known {
        return reply.finish();
    }
    reply.insert_header((header::CONTENT_TYPE, file.mime.as_str()));
    let packs = (1..file.bytes.len()).contains(&file.packed.len()) && takes_gzip(req.headers());
    if packs {
        return reply.insert_header((header::CONTENT_ENCODING, "gzip")).body(file.packed.clone());
    }
    reply.body(file.bytes.clone())
}

/// Weak comparison (RFC 9110 section 8.8.3.2).
fn matches_etag(given: &str, ours: &str) -> bool {
    let (given, bare) = (given.trim(), |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned());
    given == "*" || bare(given) == bare(ours)
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
    answer(&req, file, cache)
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
    foreign(answer(req, file, cache))
}

/// `GET /widget/v1/locales/{lang}.json`: the widget's words in another language.
pub(super) async fn get_widget_words(pages: Data<Pages>, req: HttpRequest, lang: Path<String>) -> HttpResponse {
    let Some(lang) = pages.langs.find(&lang) else {
        return HttpResponse::NotFound().finish();
    };
    let words = File::new(super::widget::words(lang).into(), "application/json");
    foreign(answer(&req, &words, EVERGREEN))
}

/// Lets pages of other origins use the answer.
fn foreign(mut reply: HttpResponse) -> HttpResponse {
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, header::HeaderValue::from_static("*"));
    headers.insert(header::CROSS_ORIGIN_RESOURCE_POLICY, header::HeaderValue::from_static("cross-origin"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_lose_comments_and_indentation_and_nothing_else() {
        let script = "// why\n/** what\n * more\n */\nconst a = `\n  *{margin:0}`;\n\n  go(); // here\n";
        assert_eq!(lean(script), "const a = `\n*{margin:0}`;\ngo(); // here");
    }

    #[test]
    fn the_build_names_the_content() {
        let (one, same) = (Assets::load(str::to_owned), Assets::load(str::to_owned));
        let other = Assets::load(|source| format!("{source};"));
        assert_eq!(one.build(), same.build());
        assert_ne!(one.build(), other.build());
        assert_eq!(one.build().len(), 10);
    }

    #[test]
    fn what_a_page_loads_keeps_to_its_budget() {
        let langs = super::super::lang::Langs::read(folder("locales/")).unwrap();
        let assets = Assets::load(|source| super::super::widget::complete(source, langs.english()));
        let packed = |prefix: &str| -> usize {
            // The tracking page has no form and no console.
            let other = ["css/form.css", "css/console.css", "js/console.js"];
            let files =
                assets.files.iter().filter(|(name, _)| name.starts_with(prefix) && !other.contains(&name.as_str()));
            files.map(|(_, file)| file.packed.len()).sum()
        };
        for (prefix, kilobytes) in [("widget/order-tracker.js", 8), ("js/", 15), ("css/", 8), ("icons.svg", 4)] {
            let size = packed(prefix);
            assert!((500..=kilobytes * 1024).contains(&size), "{prefix}: {size} bytes over the wire");
        }
    }

    #[test]
    fn a_tag_matches_however_a_cache_gives_it_back() {
        assert!(matches_etag("\"a\"", "W/\"a\"") && matches_etag("*", "W/\"a\""));
        assert!(!matches_etag("\"b\"", "W/\"a\""));
    }
}
