//! What a body makes of an order: a new one, a change, or nothing. Everything goes through the door of `orders`.
//!
//! Platforms deliver late, twice and in any order. So: later news about the same thing outweighs earlier news, whichever
//! came first; a status never goes back; and making the same again of the same body changes nothing.

use serde_json::{Value, json};

use super::inbox::{Booking, Entry, Inbox, Verdict};
use super::news::{News, Reading};
use super::statuses::{Resolved, Statuses};
use super::{own, shopify, woocommerce};
use crate::accounts::Source;
use crate::base::id::CompanyId;
use crate::base::{Actor, Error, Result};
use crate::orders::status::{Move, Rules, judge};
use crate::orders::{Advanced, Change, NewOrder, Order, OrderRef, Orders, Status, Timeline};

/// Makes orders and changes of news. Cheap to clone.
#[derive(Clone)]
pub(super) struct Inbound {
    pub orders: Orders,
    pub timeline: Timeline,
    pub statuses: Statuses,
    pub inbox: Inbox,
}

/// What was made of a body.
#[derive(Debug)]
pub(super) struct Made {
    pub verdict: Verdict,
    /// The order as it stands now.
    pub order: Option<Order>,
    /// Why nothing was made of it.
    pub refusal: Option<Error>,
    /// Whether the order is new.
    pub is_new: bool,
    status: Resolved,
    notes: Vec<&'static str>,
}

/// How often a change is thought through anew when the order moves meanwhile.
const TRIES: usize = 5;

/// Reads a body.
///
/// # Errors
/// `Invalid` that says what is wrong and where.
pub(super) fn read(source: Source, topic: Option<&str>, body: &[u8]) -> Result<Reading> {
    match source {
        Source::Ordercast => own::read(body),
        Source::Shopify => shopify::read(topic.unwrap_or_default(), body),
        Source::Woocommerce => woocommerce::read(topic.unwrap_or_default(), body),
    }
}

/// What the words of a source usually mean.
fn usual(source: Source) -> fn(&str) -> Option<Status> {
    match source {
        Source::Ordercast => |word| word.parse().ok(),
        Source::Shopify => shopify::usual,
        Source::Woocommerce => woocommerce::usual,
    }
}

impl Made {
    fn new(verdict: Verdict, order: Option<Order>) -> Self {
        Self {
            verdict,
            order,
            refusal: None,
            is_new: verdict == Verdict::Created,
            status: Resolved::default(),
            notes: Vec::new(),
        }
    }

    fn refused(verdict: Verdict, error: Error) -> Self {
        Self { refusal: Some(error), ..Self::new(verdict, None) }
    }

    /// What is booked of it.
    pub fn booking(&self) -> Booking {
        let problem = self.refusal.as_ref().map(|error| {
            let code = match error {
                Error::Invalid(invalid) => invalid.code,
                Error::Conflict(conflict) => conflict.code,
                _ => "refused",
            };
            json!({"code": code, "detail": error.to_string()})
        });
        let mut result = serde_json::Map::new();
        let mut tell = |name: &str, value: Value| {
            if !value.is_null() && value != json!([]) {
                result.insert(name.to_owned(), value);
            }
        };
        tell("number", json!(self.order.as_ref().map(|order| &order.number)));
        tell("seq", json!(self.order.as_ref().map(|order| order.seq)));
        tell("status", json!(self.status.status));
        tell("unmapped", json!(self.status.unmapped));
        tell("notes", json!(self.notes));
        tell("problem", json!(problem));
        Booking {
            verdict: self.verdict,
            result: Value::Object(result),
            order: self.order.as_ref().map(|order| order.id),
        }
    }
}

impl Inbound {
    /// Makes of a kept body what can be made of it. `is_rerun` says that it was tried before.
    ///
    /// # Errors
    /// `Unavailable` or `Internal`: it is to be tried again. What the body itself is to blame for is in the answer.
    pub async fn process(&self, entry: &Entry, reading: Result<Reading>, is_rerun: bool) -> Result<Made> {
        let made = match reading {
            Err(error @ Error::Invalid(_)) => Ok(Made::refused(Verdict::Unreadable, error)),
            Err(error) => Err(error),
            Ok(Reading::Ignored(why)) => Ok(Made { notes: vec![why], ..Made::new(Verdict::Ignored, None) }),
            Ok(Reading::News(news)) => self.take(entry, *news, is_rerun).await,
        };
        match made {
            Err(error @ (Error::Invalid(_) | Error::Conflict(_))) => Ok(Made::refused(Verdict::Refused, error)),
            made => made,
        }
    }

    async fn take(&self, entry: &Entry, mut news: News, is_rerun: bool) -> Result<Made> {
        // Before anything is looked for or made: a new order is completed in a second step, which must not be refused.
        news.check()?;
        let later = self.inbox.later(entry).await?;
        if later.by_clock {
            return Ok(Made::new(Verdict::Stale, self.find(entry.company, &news).await?));
        }
        let mut notes = Vec::new();
        if is_rerun && later.by_arrival && news.occurred_at.is_none() {
            // Nothing says which details are newer; what came later was taken later.
            notes.push("only the status was taken, for later news have come");
            news = News { details: Default::default(), change: Change::default(), ..news };
        }
        let status = self.statuses.resolve(entry.company, entry.source, &news.words, usual(entry.source)).await?;
        let mut made = Err(Error::internal("not tried"));
        for _ in 0..TRIES {
            made = self.try_once(entry, &news, status.status, &mut notes).await;
            match &made {
                // Somebody else made or moved the order between our look and our writing.
                Err(Error::Conflict(_)) => {}
                Err(Error::Invalid(invalid)) if is_late(entry.source, invalid.code) => {}
                _ => break,
            }
        }
        let mut made = made?;
        if !status.unmapped.is_empty()
            && matches!(made.verdict, Verdict::Created | Verdict::Updated | Verdict::Unchanged)
        {
            made.verdict = Verdict::Unmapped;
        }
        Ok(Made { status, notes, ..made })
    }

    async fn try_once(
        &self,
        entry: &Entry,
        news: &News,
        status: Option<Status>,
        notes: &mut Vec<&'static str>,
    ) -> Result<Made> {
        let actor = Actor::Webhook { company: entry.company, source: entry.source.code() };
        let Some(order) = self.find(entry.company, news).await? else {
            if !news.may_create {
                return Ok(Made::new(Verdict::Waiting, None));
            }
            return self.create(actor, entry, news, status).await;
        };
        let change = change(entry.source, &order, news, status, notes);
        let advanced = self.orders.advance(actor, OrderRef::Id(order.id), change, None).await?;
        Ok(made_of(Verdict::Updated, advanced))
    }

    async fn find(&self, company: CompanyId, news: &News) -> Result<Option<Order>> {
        if let Some(id) = news.own_id {
            let actor = Actor::Webhook { company, source: Source::Ordercast.code() };
            match self.timeline.get_order(&actor, &OrderRef::Id(id)).await {
                Err(Error::NotFound(_)) => {}
                found => return found.map(Some),
            }
        }
        let number = news.number.clone().filter(|number| number.parse::<OrderRef>().is_ok());
        self.timeline.find_named(company, number, news.details.external_id.clone()).await
    }

    async fn create(&self, actor: Actor, entry: &Entry, news: &News, status: Option<Status>) -> Result<Made> {
        let details = &news.details;
        // An order without any name is called by the body that brought it: making it twice is then a repeat.
        let nameless = news.number.is_none() && details.external_id.is_none();
        let new = NewOrder {
            company: entry.company,
            number: news.number.clone(),
            external_id: details.external_id.clone().or_else(|| nameless.then(|| format!("inbox:{}", entry.id))),
            status,
            customer: details.customer.clone(),
            address: details.address.clone(),
            item_summary: details.item_summary.clone(),
            items: details.items.clone().unwrap_or_default(),
            total: details.total.clone(),
            carrier: news.change.carrier.clone(),
            tracking_number: news.change.tracking_number.clone(),
            estimated_delivery: news.change.estimated_delivery,
            notes: news.change.notes.clone().or_else(|| news.first_note.clone()),
            ..NewOrder::default()
        };
        let created = self.orders.create(actor.clone(), new, None).await?;
        let is_new = created.event.is_some();
        // What a new order cannot carry: the carrier's own page and words, and why it was cancelled.
        let order = &created.order;
        let change = Change { notes: None, ..change(entry.source, order, news, None, &mut Vec::new()) };
        let cancellation_reason = news
            .change
            .cancellation_reason
            .clone()
            .filter(|_| matches!(order.status, Status::Cancelled | Status::Returned));
        let change = Change { cancellation_reason, details: None, ..change };
        let id = OrderRef::Id(order.id);
        let complete = self.orders.advance(actor, id, change, None).await?;
        let verdict = if is_new { Verdict::Created } else { Verdict::Unchanged };
        Ok(Made::new(verdict, Some(complete.order)))
    }
}

/// A platform that is late is not to blame; a merchant's own system is told.
fn is_late(source: Source, code: &str) -> bool {
    source != Source::Ordercast && code == "transition_refused"
}

fn made_of(verdict: Verdict, advanced: Advanced) -> Made {
    let verdict = if advanced.event.is_some() { verdict } else { Verdict::Unchanged };
    Made::new(verdict, Some(advanced.order))
}

/// What news change about an order.
fn change(source: Source, order: &Order, news: &News, status: Option<Status>, notes: &mut Vec<&'static str>) -> Change {
    let status = status.map(|status| match status {
        // Money for something that never left: nothing can have come back.
        Status::Returned if source != Source::Ordercast && order.status < Status::Shipped => Status::Cancelled,
        status => status,
    });
    let refused = |status: &Status| matches!(judge(Rules::Token, order.status, *status), Move::Refused { .. });
    let is_late = source != Source::Ordercast && status.as_ref().is_some_and(refused);
    if is_late && !notes.contains(&LATE) {
        notes.push(LATE);
    }
    let status = status.filter(|_| !is_late);
    let has_ended = matches!(status, Some(Status::Cancelled | Status::Returned));
    let mut details = news.details.clone();
    details.external_id = details.external_id.filter(|_| order.external_id.is_none() && news.own_id != Some(order.id));
    Change {
        status,
        cancellation_reason: news.change.cancellation_reason.clone().filter(|_| has_ended),
        details: (details != Default::default()).then(|| Box::new(details)),
        ..news.change.clone()
    }
}

const LATE: &str = "the order has gone further already; its status was left alone";
