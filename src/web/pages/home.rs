//! The home page `/`: what this is, the look-up form, the way to the documents, and in development a live demo order.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::html;

use super::handlers::Wish;
use super::shell::{self, Head, Sort, shell};
use super::{Pages, lookup};

/// Sends the home page.
pub fn reply(pages: &Pages, wish: &Wish) -> HttpResponse {
    let frame = pages.frame(wish, None);
    let docs = [
        ("/api/v1/docs/redoc/", "list", "home.docs_api"),
        ("/api/v1/docs/swagger/", "hook", "home.docs_try"),
        ("/api/v1/docs/asyncapi.yaml", "cast", "home.docs_live"),
    ];
    let main = html! {
        main #main.wrap {
            section.card.hero.tone-info aria-labelledby="h" {
                div.lead { h1 #h { (frame.t("home.headline")) } p.sub { (frame.t("home.text")) } }
            }
            div.cols {
                section.card.panel aria-labelledby="lu" {
                    h2 #lu { (frame.t("lookup.title")) }
                    p.t2 { (frame.t("lookup.text")) }
                    (lookup::form(&frame, None))
                }
                div.side {
                    @if let Some(demo) = pages.demo.get() {
                        section.card.panel aria-labelledby="de" {
                            h2 #de { (frame.t("home.demo")) }
                            p.t2 { (frame.t("home.demo_text")) }
                            a.btn.primary.wide href=(demo) { (frame.icon("scooter")) (frame.t("home.demo_act")) }
                        }
                    }
                    section.card.panel aria-labelledby="dv" {
                        h2 #dv { (frame.t("home.developers")) }
                        p.t2 { (frame.t("home.developers_text")) }
                        @for (href, icon, key) in docs {
                            a.btn.wide href=(href) { (frame.icon(icon)) (frame.t(key)) }
                        }
                    }
                }
            }
        }
    };
    let head = Head {
        title: frame.t("home.title"),
        description: frame.t("home.text"),
        sort: Sort::Still,
        brand: "Ordercast",
        chip: html! { a.btn.sm href="/login" { (frame.t("account.login")) } },
        banner: html! {},
        skip: frame.t("page.skip_main"),
    };
    shell::reply(StatusCode::OK, shell(&frame, &head, &main, &html! {}))
}
