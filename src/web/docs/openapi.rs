//! The OpenAPI document: what the handlers say about themselves, and what all of them have in common.

use std::sync::{Arc, LazyLock};

use actix_web::web::Bytes;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Schema, ServerBuilder,
};

use super::transports;
use crate::accounts::Scope;
use crate::web::{api, dialects};

/// The document in both notations.
pub struct Document {
    /// As `application/yaml`.
    pub yaml: Bytes,
    /// As `application/json`.
    pub json: Bytes,
}

const DESCRIPTION: &str = "\
Tells a shop's customers, live, where their order is. Money is in minor units; times are RFC 3339; what is not known is \
absent. An order is named by its UUID or its number.

**Errors** are RFC 9457 problem details with a stable `code` and the `request_id`. **Lists** come in pages: send `next` back, or follow the \
`Link` header. **Retries**: give an unsafe request an `Idempotency-Key`; the same key with the same body gets the first \
reply again (`Idempotency-Hit: true`), with another body 422, and 409 while the first is under way. **Limits** are told \
in `RateLimit-*` headers.

The live protocol is described in [asyncapi.yaml](/api/v1/docs/asyncapi.yaml).";

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        dialects::order_update::update_order,
        dialects::vendor_fulfilment::list_fulfilment_orders,
        dialects::vendor_fulfilment::get_fulfilment_order,
        dialects::vendor_fulfilment::set_fulfilment_status
    ),
    components(responses(api::BadRequest, api::Unauthorized, api::Forbidden, api::NotFound, api::Moved)),
    tags(
        (name = "Orders", description = "For merchants' systems"),
        (name = "Tracking passes", description = "Links that let a customer see one order"),
        (name = "Customers", description = "Without an account"),
        (name = "Live", description = "Updates as they happen"),
        (name = "Vendors", description = "A company's people and their orders, step by step"),
        (name = "Workflows", description = "A company's own steps, second persons, and what customers object to"),
        (name = "Carriers", description = "Advice about tracking numbers"),
        (name = "KYC", description = "A company hands in its papers; staff decide"),
        (name = "Accounts", description = "People: signing up and in, profiles, colleagues"),
        (name = "Platform", description = "For those who run the platform"),
        (name = "Wallet", description = "What a vendor has earned: balances, movements, statements, payouts"),
        (name = "Commissions", description = "What the platform keeps: rates, and orders' commissions with their arithmetic"),
        (name = "Tokens", description = "API tokens and what they may do"),
        (name = "Audit", description = "Who changed what, when, from what to what"),
        (name = "Order Update API", description = "One endpoint that moves an order, with errors as plain text in `error`"),
        (name = "Order fulfilment", description = "Vendors move their orders; errors as `{\"success\": false, \"message\": …}`"),
        (name = "Order reception", description = "Orders as a flat list, with their customers"),
        (name = "Webhooks received", description = "What merchants' systems send in: reception, secrets, inbox, status words"),
        (name = "Health", description = "For operators"),
    )
)]
struct Frame;

/// The document; made once for all worker threads.
pub fn document() -> Arc<Document> {
    static DOCUMENT: LazyLock<Arc<Document>> = LazyLock::new(|| {
        let api = describe();
        // Both notations are written from plain values; a failure would leave an empty document, which a test would see.
        let yaml = api.to_yaml().unwrap_or_default();
        let json = api.to_json().unwrap_or_default();
        Arc::new(Document { yaml: Bytes::from(yaml), json: Bytes::from(json) })
    });
    Arc::clone(&DOCUMENT)
}

/// The whole description.
#[must_use]
pub fn describe() -> OpenApi {
    let mut document = Frame::openapi();
    document.merge(api::Described::openapi());
    document.merge(transports::Described::openapi());
    document.info = InfoBuilder::new()
        .title("Ordercast API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .build();
    document.servers = Some(vec![ServerBuilder::new().url("/").description(Some("This deployment")).build()]);
    let components = document.components.get_or_insert_default();
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
    for (name, description) in SHARED {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        components.responses.insert(name.to_owned(), RefOr::T(response));
    }
    for item in document.paths.paths.values_mut() {
        operations(item).flat_map(|operation| operation.parameters.iter_mut().flatten()).for_each(add_pattern);
        operations(item).for_each(add_people);
    }
    document.paths.paths.iter_mut().filter(|(path, _)| path.starts_with("/api/v1/")).for_each(|(_, item)| {
        operations(item).for_each(add_shared_replies);
    });
    document
}

/// Replies that any operation may give, by their names in the document.
const SHARED: [(&str, &str); 6] = [
    ("TooLarge", "`body_too_large`: the body is over the limit."),
    ("WrongType", "`unsupported_media_type`: the body is of another type."),
    ("KeyUnderWay", "`idempotency_under_way`: the first request with this key is not answered yet."),
    ("KeyReused", "`unprocessable`: the Idempotency-Key was used for another request."),
    ("RateLimited", "`rate_limited`: too many requests; `Retry-After` says when to come back."),
    ("Unavailable", "`unavailable`: nothing was changed; try again after `Retry-After` seconds."),
];

fn schemes() -> [(&'static str, SecurityScheme); 10] {
    let http = |description: String| {
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build())
    };
    let scopes = Scope::ALL.map(|(_, code, meaning)| format!("- `{code}`: {meaning}")).join("\n");
    [
        ("bearer", http(format!("An API token. Scopes:\n{scopes}"))),
        ("person", http("A person's access token: `access` of a login.".into())),
        ("onboarding", http("The access token of a person whose company waits for approval.".into())),
        (
            "cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "oc_access",
                "A browser that has signed in. Requests that change something count only when `Origin` or \
                 `Sec-Fetch-Site` says that they come from a page of this site.",
            ))),
        ),
        ("pass", http("A customer's tracking pass.".into())),
        ("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")))),
        ("webhook", signature("X-Webhook-Signature", "The company's webhook secret, or an HMAC made with it.")),
        ("shopify", signature("X-Shopify-Hmac-Sha256", "Made by Shopify.")),
        ("woocommerce", signature("X-WC-Webhook-Signature", "Made by WooCommerce.")),
        (
            "query_token",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
                "token",
                "For systems that can send no header; addresses end up in logs, so prefer one.",
            ))),
        ),
    ]
}

fn signature(header: &str, meaning: &str) -> SecurityScheme {
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(header, meaning)))
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// What an order may be called: 1 to 64 characters, none of them a control character, no blank at either end.
const ORDER_NAME: &str = r"^[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]([^\x00-\x1f\x7f-\x9f]{0,62}[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?$";

/// What an idempotency key may be; blanks around it are no part of it, as in every header.
const IDEMPOTENCY_KEY: &str = r"^[\t -~]{0,127}[!-~][\t -~]{0,127}$";

/// Says what a parameter that many operations have may look like.
fn add_pattern(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let pattern = match parameter.name.as_str() {
        "id" if parameter.description.as_deref().is_some_and(|text| text.starts_with("UUID or number")) => ORDER_NAME,
        "Idempotency-Key" => IDEMPOTENCY_KEY,
        _ => return,
    };
    if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
        schema.pattern = Some(pattern.to_owned());
    }
}

/// Where a system's token is good, a person is too, who may be allowed more or less; and a person may be a browser.
fn add_people(operation: &mut Operation) {
    let Some(security) = &mut operation.security else { return };
    let missing =
        |security: &[SecurityRequirement], name| !security.contains(&SecurityRequirement::new(name, NO_SCOPES));
    let has_token = security.iter().any(|way| serde_json::to_value(way).is_ok_and(|way| way.get("bearer").is_some()));
    if has_token && missing(security, "person") {
        security.push(SecurityRequirement::new("person", NO_SCOPES));
    }
    if !missing(security, "person") && missing(security, "cookie") {
        security.push(SecurityRequirement::new("cookie", NO_SCOPES));
    }
}

const NO_SCOPES: [&str; 0] = [];

fn add_shared_replies(operation: &mut Operation) {
    let mut shared = vec![("429", "RateLimited"), ("503", "Unavailable")];
    if operation.request_body.is_some() {
        shared.extend([("413", "TooLarge"), ("415", "WrongType")]);
    }
    let has_key = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name == "Idempotency-Key",
        RefOr::Ref(_) => false,
    });
    if has_key {
        shared.extend([("409", "KeyUnderWay"), ("422", "KeyReused")]);
    }
    for (status, name) in shared {
        let reply = RefOr::Ref(Ref::from_response_name(name));
        operation.responses.responses.entry(status.to_owned()).or_insert(reply);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;

    fn json() -> Value {
        serde_json::from_slice(&document().json).unwrap()
    }

    #[test]
    fn the_document_describes_exactly_what_the_table_serves() {
        let document = json();
        for (method, path, operation) in api::TABLE {
            let id = &document["paths"][path][method]["operationId"];
            assert_eq!(id, &json!(operation), "{method} {path}");
        }
        let served: HashSet<(&str, &str)> = api::TABLE.iter().map(|(method, path, _)| (*method, *path)).collect();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                let is_served = served.contains(&(method.as_str(), path.as_str()));
                assert!(is_served || !path.starts_with("/api/v1/"), "{method} {path} is described and not served");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = json();
        let mut found = 0;
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        found += 1;
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    open.extend(fields.values());
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn every_operation_says_who_may_and_how_it_fails() {
        let document = json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for (method, path, _) in api::TABLE {
            let operation = &document["paths"][path][method];
            assert!(operation["security"].is_array(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            for status in ["429", "503"] {
                assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
            }
        }
    }
}
