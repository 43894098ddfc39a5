//! The pages' endpoints: read what the request says, ask one part, send the page.

use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::trouble::{self, Trouble};
use super::view::TrackView;
use super::{Pages, home, lookup, track};
use crate::base::id::OrderId;
use crate::base::{Error, Result};
use crate::jobs::{Job, Jobs};
use crate::orders::tracking::Admission;
use crate::orders::{Passes, Timeline};

/// More events than an order has; the newest are kept when it has more.
const MOST_EVENTS: usize = 5000;

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
    req: HttpRequest,
    pass: Path<String>,
) -> HttpResponse {
    let wish = Wish::of(&req);
    let shown = match passes.admit(&pass).await {
        Ok(Admission::Welcome(admitted)) => view(&timeline, admitted.order).await.map_err(|error| trouble_of(&error)),
        Ok(Admission::Expired(_)) => Err(Trouble::Expired),
        Ok(Admission::Revoked(_) | Admission::Unknown) => Err(Trouble::NotFound),
        Err(error) => Err(trouble_of(&error)),
    };
    match shown {
        Ok(view) => track::reply(&pages, &view, &pass, &wish),
        Err(trouble) => trouble::reply(&pages, trouble, req.path(), &wish),
    }
}

/// The state of an order and its history up to the same position.
async fn view(timeline: &Timeline, order: OrderId) -> Result<TrackView> {
    let snapshot = timeline.snapshot(order).await?;
    let first = snapshot.seq - i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX);
    let events = timeline.events_since(order, first.max(0), MOST_EVENTS).await?;
    // What came in between is left for the live connection, which begins at the snapshot.
    let events = events.iter().filter(|event| event.seq <= snapshot.seq);
    let events = events.map(|event| serde_json::from_str(&event.body));
    Ok(TrackView {
        order: serde_json::from_str(&snapshot.body).map_err(Error::internal)?,
        seq: snapshot.seq,
        events: events.collect::<Result<_, _>>().map_err(Error::internal)?,
    })
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
        Err(error) => trouble::reply(&pages, trouble_of(&error), req.path(), &wish),
    }
}

/// `POST /track`: the look-up form.
pub(super) async fn look_up(
    pages: Data<Pages>,
    passes: Data<Passes>,
    jobs: Data<Jobs>,
    req: HttpRequest,
    form: std::result::Result<Form<lookup::Lookup>, actix_web::Error>,
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
        Err(error) => trouble::reply(&pages, trouble_of(&error), "/track", &wish),
    }
}

async fn send_links(jobs: Data<Jobs>, orders: Vec<OrderId>) {
    for order in orders {
        if let Err(error) = jobs.push(Job::LinkLetter { order }).await {
            tracing::error!(order.id = %order, ?error, "a tracking link was not queued");
        }
    }
}

fn trouble_of(error: &Error) -> Trouble {
    let trouble = Trouble::from(error);
    if trouble == Trouble::Unavailable {
        tracing::error!(?error, "a page could not be shown");
    }
    trouble
}
