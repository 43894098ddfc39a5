//! `GET /live/poll`: the same rooms by long poll, for where nothing else gets through.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{self, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::outlet::{Bell, Held};
use super::{problem, ws};
use crate::base::Secret;
use crate::live::Worker;
use crate::live::access::Denied;
use crate::live::conn::Kind;
use crate::live::worker::Arrival;

/// What the address carries. The pass is secret and never logged.
#[derive(Deserialize)]
pub struct Watch {
    pass: Option<String>,
    since: Option<i64>,
    wait: Option<u16>,
}

/// Under the 60 s after which proxies cut a silent request.
const MAX_WAIT: u64 = 55;

/// Answers at once when something happened after `since`, else with the next event or after `wait` seconds.
pub async fn poll_order(request: HttpRequest, watch: Query<Watch>, worker: web::Data<Rc<Worker>>) -> HttpResponse {
    let Watch { pass, since, wait } = watch.into_inner();
    let Some(pass) = ws::bearer(request.headers()).or(pass) else {
        return problem::denied(Denied::Unknown);
    };
    let (order, grant) = match worker.live().access().pass(&Secret::new(pass)).await {
        Ok(granted) => granted,
        Err(denied) => return problem::denied(denied),
    };
    let bell = Rc::new(Bell::default());
    let Ok(conn) = worker.open(Kind::Poll, Rc::clone(&bell) as _, Arrival::default()) else {
        return problem::crowded();
    };
    let held = Held { conn, worker: Rc::clone(&worker) };
    let wait = Duration::from_secs(u64::from(wait.unwrap_or(25)).min(MAX_WAIT));
    let since = since.map(|since| since.max(0));
    let answer = worker.answer_poll(&held.conn, order, grant, since, wait, |waker| bell.listen(waker)).await;
    match answer {
        Ok(body) => HttpResponse::Ok()
            .content_type("application/json")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(body),
        Err(problem) => problem::from_problem(&problem),
    }
}
