//! Mail to customers and to the people who sign in: which event sends which letter to whom.
//!
//! The cast: [`letters`] renders, [`mailer`] delivers, [`Preferences`] keeps what customers want to hear of, [`Notify`]
//! decides and puts them together, [`PeopleMail`] does so for letters that are about no order. Called for queued
//! jobs only, never inside a transaction; each call says whether trying again makes sense. What is not here: the waits
//! between attempts (`jobs`).

pub mod approvals;
pub mod letters;
pub mod mailer;
pub mod people;
pub mod preferences;
mod store;
mod template;

use std::sync::Arc;

pub use approvals::ApprovalMail;
pub use letters::{Letter, LetterInput, Question};
pub use mailer::{Mail, Mailer};
pub use people::PeopleMail;
pub use preferences::Preferences;

use crate::accounts::Companies;
use crate::base::id::{HeldId, JobId, OrderId, PassId};
use crate::base::{Actor, Error, Result};
use crate::jobs::Verdict;
use crate::orders::workflow::{Held, State};
use crate::orders::{Confirmations, EventBody, Order, OrderRef, Passes, Status, Timeline, shipping};

/// Writes to customers. Cheap to clone.
#[derive(Clone)]
pub struct Notify {
    timeline: Timeline,
    companies: Companies,
    passes: Passes,
    preferences: Preferences,
    confirmations: Confirmations,
    mailer: Mailer,
    public_url: Arc<str>,
}

impl Notify {
    /// `public_url` is where customers reach us, without a slash at its end.
    #[must_use]
    pub fn new(
        timeline: Timeline,
        companies: Companies,
        passes: Passes,
        (preferences, confirmations): (Preferences, Confirmations),
        mailer: Mailer,
        public_url: &str,
    ) -> Self {
        Self { timeline, companies, passes, preferences, confirmations, mailer, public_url: public_url.into() }
    }

    /// Tells the customer of the status that event `seq` brought. Done without a mail when no letter tells of it, when
    /// the order has no address, when its customer has switched mail off, and when the order is gone. `job` names the mail, the same for every attempt.
    pub async fn status_letter(&self, job: JobId, order: OrderId, seq: i64) -> Verdict {
        match self.status_at(order, seq).await.map(|status| status.and_then(Letter::of_status)) {
            Ok(Some(letter)) => self.write(job, order, letter, None).await,
            Ok(None) => Verdict::Done,
            Err(error) => Verdict::Retry(error),
        }
    }

    /// Sends the customer a fresh tracking link. `job` as in [`Notify::status_letter`].
    pub async fn link_letter(&self, job: JobId, order: OrderId) -> Verdict {
        self.write(job, order, Letter::TrackingLink, None).await
    }

    /// Asks the customer to confirm a move; done without a mail when nothing waits any more. `job` as in
    /// [`Notify::status_letter`].
    pub async fn confirmation_letter(&self, job: JobId, held: HeldId) -> Verdict {
        match self.confirmations.get(held).await {
            Ok(held) if held.state == State::Waiting => {
                self.write(job, held.order, Letter::Confirmation, Some(&held)).await
            }
            Ok(_) | Err(Error::NotFound(_)) => Verdict::Done,
            Err(error) => Verdict::Retry(error),
        }
    }

    async fn status_at(&self, order: OrderId, seq: i64) -> Result<Option<Status>> {
        let events = self.timeline.events_since(order, seq - 1, 1).await?;
        let event = events.into_iter().find(|event| event.seq == seq);
        let body =
            event.map(|event| serde_json::from_str::<EventBody>(&event.body)).transpose().map_err(Error::internal)?;
        Ok(body.map(|body| body.status))
    }

    async fn write(&self, job: JobId, order: OrderId, letter: Letter, held: Option<&Held>) -> Verdict {
        match self.compose(job, order, letter, held).await {
            Ok(Some(mail)) => self.mailer.send(&mail).await,
            Ok(None) | Err(Error::NotFound(_)) => Verdict::Done,
            Err(error) => Verdict::Retry(error),
        }
    }

    async fn compose(&self, job: JobId, order: OrderId, letter: Letter, held: Option<&Held>) -> Result<Option<Mail>> {
        let order = self.timeline.get_order(&Actor::System("mail"), &OrderRef::Id(order)).await?;
        let Some(to) = order.customer.email.clone() else { return Ok(None) };
        // A link that was asked for is no news of the order: it is sent whatever was chosen.
        let is_news = letter != Letter::TrackingLink;
        if is_news && !self.preferences.wants_mail(order.id).await? {
            return Ok(None);
        }
        let shop = self.companies.get(&order.company.to_string()).await?.name;
        let pass = self.passes.named(PassId(job.0), order.id).await?;
        let from_name = letters::one_line(&shop);
        let track_page = format!("{}/track/{pass}", self.public_url);
        let unsubscribe_url = is_news.then(|| format!("{track_page}/mail"));
        let question = held.map(|held| Question {
            code: self.confirmations.code(held.id).expose().to_owned(),
            status: held.to,
            due_at: held.due_at,
        });
        let page = if held.is_some() { format!("{track_page}/confirm") } else { track_page };
        let input =
            LetterInput { unsubscribe_url: unsubscribe_url.clone(), question, ..letter_input(order, shop, page) };
        let to_name = input.customer_name.as_deref().map(letters::one_line);
        let letter = letters::render(letter, &input);
        Ok(Some(Mail { id: job.0, to, to_name, from_name: Some(from_name), letter, unsubscribe_url }))
    }
}

fn letter_input(order: Order, shop: String, track_page: String) -> LetterInput {
    let carrier = order.carrier.as_deref().map(|carrier| shipping::canonical(carrier).unwrap_or(carrier).to_owned());
    let parcel_page = order.parcel_page();
    LetterInput {
        order_number: order.number,
        shop,
        customer_name: order.customer.name,
        carrier,
        tracking_number: order.tracking_number,
        tracking_url: order.tracking_url.or(parcel_page),
        estimate: order.estimated_delivery,
        reason: order.cancellation_reason,
        track_page,
        locale: order.customer.locale,
        unsubscribe_url: None,
        question: None,
    }
}
