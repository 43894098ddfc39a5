//! Is it alive, is it ready.

use actix_web::HttpResponse;
use actix_web::web::Data;

use crate::orders::Timeline;

/// The process runs.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// It can serve: the database answers. A lost bus is told in metrics only, since updates still arrive by the log.
pub async fn readyz(timeline: Data<Timeline>) -> HttpResponse {
    match timeline.newest().await {
        Ok(_) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "database unavailable"}))
        }
    }
}
