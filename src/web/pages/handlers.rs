//! The pages' endpoints: read what the request says, ask one part, send the page.

use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::trouble::{self, Trouble};
use super::{Pages, home, lookup, track};
use crate::base::Error;
use crate::base::id::OrderId;
use crate::jobs::{Job, Jobs};
use crate::notify::Preferences;
use crate::orders::tracking::Admission;
use crate::orders::{Confirmations, Passes, Timeline};
use crate::web::error::Answer;
use crate::web::track as track_api;

/// What a request says about the language to answer in.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// `?lang=`
    pub asked: Option<String>,
    /// Accept-Language.
    pub accept: Option<String>,
}

impl Wish {
    /// Reads it.
    pub(in crate::web) fn of(req: &HttpRequest) -> Self {
        let query = url::form_urlencoded::parse(req.query_string().as_bytes());
        let accept = req.headers().get(actix_web::http::header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            asked: query.into_iter().find(|(name, _)| name == "lang").map(|(_, lang)| lang.into_owned()),
            accept: accept.map(str::to_owned),
        }
    }
}

/// `GET /`
pub(super) async fn get_home(pages: Data<Pages>, req: HttpRequest) -> HttpResponse {
    home::reply(&pages, &Wish::of(&req))
}

/// `GET /track`
pub(super) async fn get_lookup(pages: Data<Pages>, req: HttpRequest) -> HttpResponse {
    lookup::reply(&pages, lookup::Stage::Ask, &Wish::of(&req))
}

/// `GET /track/{pass}`
pub(super) async fn get_track(
    pages: Data<Pages>,
    passes: Data<Passes>,
    timeline: Data<Timeline>,
    (preferences, confirmations): (Data<Preferences>, Data<Confirmations>),
    req: HttpRequest,
    pass: Path<String>,
) -> HttpResponse {
    let wish = Wish::of(&req);
    let read = async {
        let (order, json) = track_api::tracked(&passes, &timeline, &pass).await?;
        let view = serde_json::from_str(&json).map_err(Error::internal)?;
        Ok((view, preferences.wants_mail(order).await?, confirmations.open(order).await?))
    };
    match read.await {
        Ok((view, wants_mail, held)) => {
            let held = held.as_ref().map(|held| (held, confirmations.get_ref()));
            track::reply(&pages, &track::Shown { view: &view, pass: &pass, wants_mail, held }, &wish)
        }
        Err(error) => trouble::refuse(&pages, &req, error),
    }
}

/// `POST /track/{pass}/renew`: mails a new link for one that has expired.
pub(super) async fn renew_link(
    pages: Data<Pages>,
    passes: Data<Passes>,
    jobs: Data<Jobs>,
    req: HttpRequest,
    pass: Path<String>,
) -> HttpResponse {
    let wish = Wish::of(&req);
    let sent = match passes.admit(&pass).await {
        Ok(Admission::Expired(expired)) => jobs.push(Job::LinkLetter { order: expired.order }).await.map(|()| true),
        Ok(Admission::Welcome(_) | Admission::Revoked(_) | Admission::Unknown) => Ok(false),
        Err(error) => Err(error),
    };
    match sent {
        Ok(true) => trouble::reply(&pages, Trouble::Renewed, req.path(), &wish),
        Ok(false) => trouble::reply(&pages, Trouble::NotFound, req.path(), &wish),
        Err(error) => trouble::refuse(&pages, &req, error),
    }
}

/// `POST /track`: the look-up form.
pub(super) async fn look_up(
    pages: Data<Pages>,
    passes: Data<Passes>,
    jobs: Data<Jobs>,
    req: HttpRequest,
    form: Result<Form<lookup::Lookup>, actix_web::Error>,
) -> HttpResponse {
    let wish = Wish::of(&req);
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let Some(fields) = sent.cleaned() else {
        return lookup::reply(&pages, lookup::Stage::Again(&sent), &wish);
    };
    match passes.look_up(&fields.number, &fields.email).await {
        Ok(orders) => {
            // Not waited for, so that a hit takes as long as a miss.
            actix_web::rt::spawn(send_links(jobs, orders));
            lookup::reply(&pages, lookup::Stage::Sent, &wish)
        }
        Err(error) => trouble::refuse(&pages, &req, error),
    }
}

async fn send_links(jobs: Data<Jobs>, orders: Vec<OrderId>) {
    for order in orders {
        if let Err(error) = jobs.push(Job::LinkLetter { order }).await {
            tracing::error!(order.id = %order, ?error, "a tracking link was not queued");
        }
    }
}

/// Every address that leads nowhere.
pub(in crate::web) async fn nothing_here(pages: Data<Pages>, req: HttpRequest) -> Answer {
    if trouble::wants_page(&req) {
        return Ok(trouble::reply(&pages, Trouble::NoPage, "/", &Wish::of(&req)));
    }
    Err(Error::NotFound("Path").into())
}
