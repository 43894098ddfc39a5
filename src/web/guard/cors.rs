//! Which pages elsewhere may read our replies.

use actix_cors::Cors;

/// Which origins' pages may read our replies: these, or every one for `*`. Never with cookies: callers from elsewhere
/// bring a token or a pass.
pub fn cors(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "idempotency-key",
            "last-event-id",
            "x-api-key",
            "x-request-id",
        ])
        .expose_headers([
            "link",
            "retry-after",
            "x-request-id",
            "idempotency-hit",
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "ratelimit-policy",
        ])
        // Whoever is not listed is served, but a browser keeps the answer from the page: only browsers send Origin
        // truthfully, and our own pages send it too.
        .block_on_origin_mismatch(false)
        .max_age(600);
    if origins.iter().any(|origin| origin == "*") {
        return cors.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::web::get;
    use actix_web::{App, HttpResponse};

    use super::*;

    #[actix_web::test]
    async fn an_origin_that_is_not_listed_is_served_but_may_not_read() {
        for (origin, seen) in [("https://shop.example", "https://shop.example"), ("https://evil.example", "")] {
            let app = App::new().wrap(cors(&["https://shop.example".into()])).route("/", get().to(HttpResponse::Ok));
            let app = init_service(app).await;
            let response = call_service(&app, TestRequest::get().insert_header(("Origin", origin)).to_request()).await;
            assert_eq!(response.status(), 200);
            let allowed = response.headers().get("access-control-allow-origin");
            assert_eq!(allowed.map_or("", |value| value.to_str().unwrap()), seen);
        }
    }
}
