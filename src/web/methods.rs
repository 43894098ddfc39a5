//! What every path says of methods: HEAD is GET without its body, OPTIONS names what there is, anything else is refused.
//!
//! Endpoints are registered by [`endpoint!`], so that what a path answers and what it says it answers are one list.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue, UPGRADE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};

use super::error::{Problem, WRONG_METHOD};
use crate::base::Error;

/// A resource at these paths with a handler for each method: `endpoint!("/track" => get: show, post: look_up)`. What is
/// named `within` is a middleware function around each of them; other methods do not reach it.
macro_rules! endpoint {
    ($paths:expr => $($method:ident: $handler:expr),+ $(,)?) => {
        $crate::web::methods::endpoint!(@ $paths => $($method: actix_web::web::$method().to($handler)),+)
    };
    ($paths:expr, within $around:path => $($method:ident: $handler:expr),+ $(,)?) => {
        $crate::web::methods::endpoint!(@ $paths => $($method:
            actix_web::web::$method().to($handler).wrap(actix_web::middleware::from_fn($around))),+)
    };
    (@ $paths:expr => $($method:ident: $route:expr),+) => {
        actix_web::web::resource($paths)
            $(.route($route))+
            .default_service(actix_web::web::to(|request: actix_web::HttpRequest| async move {
                $crate::web::methods::otherwise(&request, &[$(stringify!($method)),+])
            }))
    };
}
pub(crate) use endpoint;

/// The answer of a known path to another method than these.
#[must_use]
pub fn otherwise(request: &HttpRequest, served: &[&str]) -> HttpResponse {
    let allowed = allowed(served);
    let mut reply = if request.method() == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let message = format!("{} is not possible on this path; {allowed} is", request.method());
        Problem(Error::invalid(WRONG_METHOD, message)).error_response()
    };
    if let Ok(value) = HeaderValue::try_from(allowed) {
        reply.headers_mut().insert(ALLOW, value);
    }
    reply
}

/// The value of `Allow`: what is served, and what every path answers besides.
#[must_use]
pub fn allowed(served: &[&str]) -> String {
    let head = served.contains(&"get").then_some("HEAD");
    let names = served.iter().map(|name| name.to_uppercase()).chain(head.map(str::to_owned));
    names.chain(["OPTIONS".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// Turns HEAD into GET, so that every route of the one answers the other; says whether it was one. The reply then goes
/// out without its body: [`Bodiless`].
pub fn read_head_as_get(request: &mut ServiceRequest) -> bool {
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
        // A connection cannot become a WebSocket by it: that takes a GET.
        request.headers_mut().remove(UPGRADE);
    }
    is_head
}

/// What stands for a body that is not sent: its length is still told.
pub struct Bodiless(pub BodySize);

impl MessageBody for Bodiless {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_serves_is_told_with_what_all_paths_answer() {
        assert_eq!(allowed(&["get", "patch"]), "GET, PATCH, HEAD, OPTIONS");
        assert_eq!(allowed(&["post"]), "POST, OPTIONS");
    }
}
