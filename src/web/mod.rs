//! The HTTP edge: requests and sockets in, verbs called, replies out. The route table is here, one line per endpoint.
//!
//! What is here: extractors, shapes of requests and replies, status codes. What is not: rules; a handler calls one verb.

pub mod accounts;
pub mod api;
pub mod approvals;
pub mod audit;
pub mod auth;
pub mod body;
pub mod carriers;
pub mod company;
pub mod client;
pub mod confirmations;
pub mod dialects;
pub mod docs;
pub mod error;
pub mod guard;
pub mod health;
pub mod held;
pub mod idempotency;
pub mod kyc;
pub mod live;
pub mod methods;
pub mod orders;
pub mod packing;
pub mod pages;
pub mod query;
pub mod rate;
pub mod tokens;
pub mod track;
pub mod vendor;
pub mod wallet;
pub mod webhooks;
pub mod workflows;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, FormConfig, PayloadConfig, ServiceConfig, post, resource, to};

use crate::accounts::sessions::Origin;
use crate::accounts::{Admins, Codes, Companies, Kyc, Passwords, People, Sessions, Tokens, WebhookSecrets};
use crate::base::Clock;
use crate::bus::Bus;
use crate::db::Db;
use crate::idempotency::Idempotency;
use crate::jobs::Jobs;
use crate::live::Live;
use crate::notify::Preferences;
use crate::orders::{Approvals, Commissions, Confirmations, Orders, Passes, Timeline, Workflows};
use crate::telemetry::Metrics;
use crate::wallet::{Payouts, Rates, Sellers, Wallets};
use crate::webhooks::Webhooks;
use body::BodyLimit;
use guard::Guard;
use kyc::desk::Desk;
use methods::endpoint;
use pages::Pages;

/// The parts that handlers call. Cheap to clone.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the part of its type")]
pub struct Parts {
    pub db: Db,
    pub bus: Arc<dyn Bus>,
    pub clock: Clock,
    pub admins: Admins,
    pub kyc: Kyc,
    pub desk: Desk,
    pub companies: Companies,
    pub tokens: Tokens,
    pub webhook_secrets: WebhookSecrets,
    pub people: People,
    pub codes: Codes,
    pub webhooks: Webhooks,
    pub passwords: Passwords,
    pub sessions: Sessions,
    pub timeline: Timeline,
    pub orders: Orders,
    pub money: Money,
    pub workflows: Workflows,
    pub approvals: Approvals,
    pub confirmations: Confirmations,
    pub passes: Passes,
    pub preferences: Preferences,
    pub jobs: Jobs,
    pub pages: Pages,
    pub live: Live,
    pub home: PublicUrl,
    pub idempotency: Idempotency,
    pub metrics: Metrics,
    pub guard: Guard,
    pub body_limit: BodyLimit,
}

/// The parts that deal with money. Cheap to clone.
#[derive(Clone)]
#[expect(missing_docs, reason = "each field is the part of its type")]
pub struct Money {
    pub rates: Rates,
    pub commissions: Commissions,
    pub wallets: Wallets,
    pub payouts: Payouts,
    pub sellers: Sellers,
}

impl Parts {
    /// The route table. Called once per worker thread: it also starts the thread's share of the live part.
    pub fn configure(&self, cfg: &mut ServiceConfig) {
        cfg.app_data(Data::new(self.db.clone()))
            .app_data(Data::new(self.clock.clone()))
            .app_data(Data::new(self.companies.clone()))
            .app_data(Data::new(self.tokens.clone()))
            .app_data(Data::new(self.webhook_secrets.clone()))
            .app_data(Data::new(self.webhooks.clone()))
            .app_data(Data::new(self.webhooks.customers().clone()))
            .app_data(Data::new(self.sessions.clone()))
            .app_data(Data::new(self.people.clone()))
            .app_data(Data::new(self.timeline.clone()))
            .app_data(Data::new(self.orders.clone()))
            .app_data(Data::new(self.money.commissions.clone()))
            .app_data(Data::new(self.money.rates.clone()))
            .app_data(Data::new(self.workflows.clone()))
            .app_data(Data::new(self.approvals.clone()))
            .app_data(Data::new(self.confirmations.clone()))
            .app_data(Data::new(self.money.wallets.clone()))
            .app_data(Data::new(self.money.payouts.clone()))
            .app_data(Data::new(self.money.sellers.clone()))
            .app_data(Data::new(self.passes.clone()))
            .app_data(Data::new(self.preferences.clone()))
            .app_data(Data::new(self.jobs.clone()))
            .app_data(Data::new(self.pages.clone()))
            .app_data(Data::new(self.home.clone()))
            .app_data(Data::new(self.idempotency.clone()))
            .app_data(Data::new(self.admins.clone()))
            .app_data(Data::new(self.kyc.clone()))
            .app_data(Data::new(self.desk.clone()))
            .app_data(Data::new(self.guard.clone()))
            .app_data(Data::new(self.body_limit))
            .app_data(FormConfig::default().limit(self.body_limit.0))
            .app_data(PayloadConfig::new(self.body_limit.0))
            .app_data(Data::new(self.clone()));
        let update_order = resource(["/api/update-order", "/api/update-order/"])
            .route(post().to(dialects::order_update::update_order))
            .default_service(to(dialects::order_update::only_post))
            .wrap(from_fn(idempotency::carry_out_once));
        cfg.service(update_order)
            .service(endpoint!("/healthz" => get: health::healthz))
            .service(endpoint!("/readyz" => get: health::readyz))
            .service(endpoint!("/metrics" => get: health::metrics))
            .configure(vendor_orders)
            .configure(api::configure)
            .configure(docs::configure)
            .configure(pages::routes)
            .configure(|cfg| live::configure(&self.live, cfg))
            .default_service(to(pages::nothing_here));
    }
}

/// The paths of reference/003.
fn vendor_orders(cfg: &mut ServiceConfig) {
    use dialects::vendor_fulfilment::{get_fulfilment_order, list_fulfilment_orders, set_fulfilment_status};
    cfg.service(endpoint!(["/api/vendor/orders", "/api/vendor/orders/"] => get: list_fulfilment_orders))
        .service(endpoint!(["/api/vendor/orders/{id}", "/api/vendor/orders/{id}/"] => get: get_fulfilment_order))
        .service(endpoint!(["/api/vendor/orders/{id}/status", "/api/vendor/orders/{id}/status/"],
            within idempotency::carry_out_once => post: set_fulfilment_status));
}

/// Where customers reach this deployment, without a slash at its end: the base of every link we make.
#[derive(Clone, Debug)]
pub struct PublicUrl(pub String);

impl PublicUrl {
    /// The customer's page of a tracking pass.
    #[must_use]
    pub fn track(&self, pass: &str) -> String {
        format!("{}/track/{pass}", self.0)
    }
}

/// Where a sign-in is asked for.
#[must_use]
pub fn origin(request: &HttpRequest) -> Origin {
    let agent = request.headers().get("User-Agent").and_then(|agent| agent.to_str().ok());
    Origin { user_agent: agent.map(str::to_owned), request_id: request_id(request) }
}

/// The request's identifier, for the audit trail.
#[must_use]
pub fn request_id(request: &HttpRequest) -> Option<String> {
    Some(request.headers().get("X-Request-Id")?.to_str().ok()?.to_owned())
}
