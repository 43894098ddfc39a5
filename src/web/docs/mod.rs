//! The API's description: OpenAPI made from the code, AsyncAPI for the live protocol, and two readers that need no internet.
//!
//! What is here: [`openapi`] (the document), [`readers`] (Swagger UI and Redoc), [`transports`] (what the document says of
//! endpoints outside the canonical table). The AsyncAPI document is written by hand: `static/docs/asyncapi.yaml`.

pub mod openapi;
mod readers;
mod transports;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType, LOCATION};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use self::openapi::Document;
use self::readers::Readers;
use super::error::Answer;
use super::methods::endpoint;

/// The live protocol's description.
pub const ASYNCAPI: &str = include_str!("../../../static/docs/asyncapi.yaml");

/// The media type of RFC 9512.
const YAML: &str = "application/yaml";

/// Registers the documents and their readers. `/api/v1/docs` is the OpenAPI document itself.
pub fn configure(cfg: &mut ServiceConfig) {
    cfg.app_data(Data::from(openapi::document()))
        .app_data(Data::from(readers::readers()))
        .service(endpoint!(["/api/v1/docs", "/api/v1/docs/", "/api/v1/docs/openapi.yaml"] => get: get_openapi_yaml))
        .service(endpoint!("/api/v1/docs/openapi.json" => get: get_openapi_json))
        .service(endpoint!("/api/v1/docs/asyncapi.yaml" => get: get_asyncapi))
        .service(endpoint!(["/api/v1/docs/redoc", "/api/v1/docs/redoc/"] => get: open_redoc))
        // The page names its files relative to itself, so only the address with the slash can show it.
        .service(endpoint!(["/docs", "/docs/", "/api/v1/docs/swagger"] => get: go_to_swagger))
        .service(endpoint!("/api/v1/docs/swagger/{file:.*}" => get: open_swagger));
}

async fn get_openapi_yaml(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().content_type(YAML).body(document.yaml.clone())
}

async fn get_openapi_json(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(document.json.clone())
}

async fn get_asyncapi() -> HttpResponse {
    HttpResponse::Ok().content_type(YAML).body(ASYNCAPI)
}

async fn go_to_swagger(request: HttpRequest) -> HttpResponse {
    let query = request.query_string();
    let question = if query.is_empty() { "" } else { "?" };
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, format!("/api/v1/docs/swagger/{question}{query}")))
        .finish()
}

async fn open_redoc(readers: Data<Readers>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, readers.redoc_policy.as_str()))
        .body(readers.redoc.clone())
}

async fn open_swagger(file: Path<String>, readers: Data<Readers>) -> Answer {
    Ok(readers.swagger_file(&file)?)
}
