//! Swagger UI and Redoc, both inside this program: they load nothing from anywhere else.

use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding};
use actix_web::web::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use utoipa_swagger_ui::Config;

use crate::base::{Error, Result};

const DOCUMENT: &str = "/api/v1/docs/openapi.json";

/// Looser than that of our own pages: both readers style themselves as they go.
const SWAGGER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The readers, ready to be sent.
pub struct Readers {
    swagger: Arc<Config<'static>>,
    /// The page of Redoc with its whole program in it.
    pub redoc: Bytes,
    /// What that page may do: run this one program.
    pub redoc_policy: String,
}

/// The readers; made once for all worker threads.
pub fn readers() -> Arc<Readers> {
    static READERS: LazyLock<Arc<Readers>> = LazyLock::new(|| Arc::new(Readers::new()));
    Arc::clone(&READERS)
}

impl Readers {
    fn new() -> Self {
        let redoc = at_home(&aide::redoc::Redoc::new(DOCUMENT).with_title("Ordercast API").html());
        let swagger = Config::from(DOCUMENT).validator_url("none").try_it_out_enabled(true).filter(true);
        Self { swagger: Arc::new(swagger), redoc_policy: redoc_policy(&redoc), redoc: Bytes::from(redoc) }
    }

    /// A file of Swagger UI; its page when the name is empty.
    ///
    /// # Errors
    /// `NotFound` when it has no such file.
    pub fn swagger_file(&self, name: &str) -> Result<HttpResponse> {
        let file = utoipa_swagger_ui::serve(name, Arc::clone(&self.swagger));
        let file = file.map_err(|error| Error::internal(error.to_string()))?.ok_or(Error::NotFound("File"))?;
        let mut reply = HttpResponse::Ok();
        if file.gzpipped {
            reply.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
        }
        reply.insert_header((CONTENT_SECURITY_POLICY, SWAGGER_POLICY)).content_type(file.content_type);
        Ok(reply.body(file.bytes.into_owned()))
    }
}

/// Redoc's page without what it would load from its makers' site, and without the margin browsers give a body.
fn at_home(page: &str) -> String {
    const LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";
    // An image of nothing: a place for it is kept in the page.
    const NOTHING: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";
    page.replacen(LOGO, NOTHING, 1).replacen("</head>", "<style>body{margin:0}</style></head>", 1)
}

/// The script of the page is named by its hash, so that no other can run there. It searches in a worker made of a blob.
fn redoc_policy(page: &str) -> String {
    let script =
        page.split_once("<script>").and_then(|(_, rest)| rest.rsplit_once("</script>")).map(|(script, _)| script);
    let hash = STANDARD.encode(Sha256::digest(script.unwrap_or_default()));
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; img-src 'self' data:; \
         font-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redoc_fills_its_page_and_loads_nothing_of_its_makers() {
        let page = String::from_utf8(readers().redoc.to_vec()).unwrap();
        assert!(!page.contains("cdn.redoc.ly"));
        assert!(page.contains("src:\"data:image/svg+xml,"), "the logo's place is kept");
        assert!(page.split_once("<body>").unwrap().0.contains("<style>body{margin:0}</style>"));
    }
}
