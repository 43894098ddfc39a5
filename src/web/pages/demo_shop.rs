//! A shop of someone else's for the demo: a page on another origin that embeds the widget, as a merchant would.

use std::net::TcpListener;

use actix_web::http::header;
use actix_web::web::get;
use actix_web::{App, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{Pages, widget};
use crate::base::{Error, Result};

/// Serves the shop on an address of its own until the process ends. `server` and `pass` as for [`reply`].
///
/// # Errors
/// `Internal` when the server fails.
pub async fn serve(pages: Pages, listener: TcpListener, server: String, pass: String) -> Result<()> {
    let shop = HttpServer::new(move || {
        let (pages, server, pass) = (pages.clone(), server.clone(), pass.clone());
        let page = move || std::future::ready(reply(&pages, &server, &pass));
        App::new().route("/", get().to(page))
    });
    let shop = shop.workers(1).disable_signals().listen(listener).map_err(Error::internal)?;
    shop.run().await.map_err(Error::internal)
}

/// Sends the shop's page. `server` is the origin of the tracker (`http://127.0.0.1:8080`), `pass` the credential of the
/// order it shows.
pub fn reply(pages: &Pages, server: &str, pass: &str) -> HttpResponse {
    let style =
        pages.assets.bytes("demo/shop.css").map(|css| String::from_utf8_lossy(css).into_owned()).unwrap_or_default();
    let build = pages.assets.build();
    let integrity = pages.assets.integrity(widget::SOURCE);
    let sockets = server.replacen("http", "ws", 1);
    let hash = BASE64_STANDARD.encode(Sha256::digest(style.as_bytes()));
    // The lines a merchant's own policy needs for the widget: script-src and connect-src of the tracker.
    let csp = format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{hash}'; script-src {server}; connect-src {server} {sockets}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { "Your order · Fern & Field" }
                link rel="icon" href="data:,";
                style { (PreEscaped(&style)) }
                script async crossorigin="anonymous" integrity=[integrity]
                    src={ (server) "/widget/v1/" (build) "/order-tracker.js" } {}
            }
            body {
                header { b { "Fern & Field" } span { "Plants, pots and paper goods" } }
                main {
                    h1 { "Thank you for your order" }
                    p { "This page belongs to a shop on another address. The card below is the embedded tracker." }
                    order-tracker token=(pass) size="full" { p { "Your order status is on its way…" } }
                    h2 { "The small one" }
                    p { "Your parcel: " order-tracker token=(pass) size="mini" { "on its way" } }
                }
            }
        }
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, csp))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "strict-origin-when-cross-origin"))
        .body(page.into_string())
}
