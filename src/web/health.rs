//! Is it alive, is it ready, and what does it count.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;

use super::Parts;
use crate::base::{Error, Result};
use crate::orders::Timeline;
use crate::telemetry::{StateLabel, TransportLabel};
use crate::web::error::Problem;

/// The process runs.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

/// How long the database may take to answer before it counts as away: whoever asks has a time-out too.
const PATIENCE: Duration = Duration::from_secs(5);

/// It can serve: the database answers. A lost bus is told in metrics only, since updates still arrive by the log.
pub async fn readyz(timeline: Data<Timeline>) -> HttpResponse {
    let newest = tokio::time::timeout(PATIENCE, timeline.newest()).await;
    match newest.unwrap_or_else(|late| Err(Error::unavailable("The database", late))) {
        Ok(_) => HttpResponse::Ok().json(serde_json::json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            HttpResponse::ServiceUnavailable().json(serde_json::json!({"status": "database unavailable"}))
        }
    }
}

/// Everything Prometheus wants to know, in the OpenMetrics text format.
pub async fn metrics(parts: Data<Parts>) -> Result<HttpResponse, Problem> {
    gather(&parts).await;
    let text = parts.metrics.encode()?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, kind)).body(text))
}

/// Reads what is not counted as it happens.
async fn gather(parts: &Parts) {
    let (metrics, stats) = (&parts.metrics, parts.live.stats());
    let connections = |transport, value| {
        metrics.live_connections.get_or_create(&TransportLabel { transport }).set(value);
    };
    connections("websocket", stats.websockets.load(Ordering::Relaxed));
    connections("sse", stats.streams.load(Ordering::Relaxed));
    connections("poll", stats.polls.load(Ordering::Relaxed));
    let counted = [
        (&metrics.deliveries, &stats.deliveries),
        (&metrics.behind, &stats.behind),
        (&metrics.closed, &stats.closed),
        (&metrics.holes, &stats.holes),
    ];
    for (counter, count) in counted {
        counter.inner().store(count.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    metrics.bus_up.set(i64::from(parts.bus.is_up()));
    let (used, all) = parts.db.load();
    let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.db_pool.get_or_create(&StateLabel { state: "used" }).set(gauge(used));
    metrics.db_pool.get_or_create(&StateLabel { state: "max" }).set(gauge(all));
    match parts.jobs.counts().await {
        Ok(counts) => {
            metrics.jobs.get_or_create(&StateLabel { state: "queued" }).set(counts.queued);
            metrics.jobs.get_or_create(&StateLabel { state: "dead" }).set(counts.dead);
        }
        Err(error) => tracing::warn!(%error, "jobs could not be counted"),
    }
}
