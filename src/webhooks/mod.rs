//! Webhooks that merchants' systems send in: proven, kept, and made into orders.
//!
//! The cast: [`sign`] says whether a signature is right; [`inbox`] keeps every body before anything is made of it;
//! [`own`], [`shopify`] and [`woocommerce`] read bodies into [`news`]; [`statuses`] knows each company's own words;
//! `inbound` takes the news through the one door of `orders`; `privacy` deletes what was kept of a customer.
//! [`Webhooks`] puts them together. What survives a crash: a body that was answered is kept, and what has no verdict is
//! run again by whichever instance looks first; making the same of a body twice is a repeat. What is not here: HTTP.

mod inbound;
pub mod inbox;
pub mod news;
pub mod own;
mod privacy;
pub mod shopify;
pub mod sign;
pub mod statuses;
pub mod woocommerce;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use self::inbound::{Inbound, read};
use self::inbox::{Booking, Entry, NewEntry, Sameness};
pub use self::inbox::{Inbox, Verdict};
use self::news::{News, Reading};
pub use self::privacy::Forgotten;
use self::sign::Stamp;
pub use self::statuses::Statuses;
use crate::accounts::webhook_secrets::Signing;
use crate::accounts::{Source, WebhookSecrets};
use crate::base::id::{CompanyId, InboxId};
use crate::base::page::{Cursor, Page};
use crate::base::{Actor, Asker, Clock, Error, Result, Secret};
use crate::db::Db;
use crate::orders::{Customers, Order, Orders, Timeline, customers};

/// Takes webhooks in. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    db: Db,
    clock: Clock,
    secrets: WebhookSecrets,
    customers: Customers,
    inbound: Inbound,
    keep_days: u32,
}

/// Who says to have sent a webhook; its signature must prove it.
#[derive(Clone, Debug)]
pub enum Sender {
    /// The company of the person with this e-mail address (reference/001).
    Account(String),
    /// The company of this slug or identifier.
    Company(String),
}

/// How a webhook is signed.
#[derive(Clone, Debug)]
pub enum Proof {
    /// With the secret itself, or `sha256=` and an HMAC in hexadecimal digits.
    Plain(Secret),
    /// By Standard Webhooks 1.0.
    Standard(Stamp),
    /// With an HMAC in base64, as platforms do.
    Platform(String),
}

/// A webhook as it came.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who says to have sent it.
    pub sender: Sender,
    /// How it is signed; `None` is never right.
    pub proof: Option<Proof>,
    /// What kind of system has sent it.
    pub source: Source,
    /// What the sender calls its kind.
    pub topic: Option<String>,
    /// What the sender calls this delivery; the same twice is a repeat.
    pub id: Option<String>,
    /// Headers to be kept: no secret, no signature.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What became of a webhook.
#[derive(Debug)]
pub struct Received {
    /// Where it is kept.
    pub id: InboxId,
    /// What was made of it.
    pub verdict: Verdict,
    /// Whether it made a new order, just now.
    pub is_new: bool,
    /// The order as it stands now.
    pub order: Option<Order>,
    /// Why nothing was made of it.
    pub refusal: Option<Error>,
}

/// Two bodies without a name are the same order when the second comes within this time: a sender tries again in it, a
/// customer does not order the same again.
const SAME_CONTENT_WITHIN: i64 = 3600;
/// How often making something of a body is tried before a person must look.
const MOST_RUNS: i32 = 10;
/// Bodies run again in one go.
pub const RERUN_AT_ONCE: usize = 200;

impl Webhooks {
    /// `keep_days` is how long bodies are kept; 0 keeps them.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        secrets: WebhookSecrets,
        orders: Orders,
        timeline: Timeline,
        keep_days: u32,
    ) -> Self {
        let inbox = Inbox::new(db.clone(), clock.clone());
        let statuses = Statuses::new(db.clone(), clock.clone());
        let inbound = Inbound { orders, timeline, statuses, inbox };
        let customers = Customers::new(db.clone(), clock.clone());
        Self { db, clock, secrets, customers, inbound, keep_days }
    }

    /// The inbox.
    #[must_use]
    pub fn inbox(&self) -> &Inbox {
        &self.inbound.inbox
    }

    /// The companies' words for statuses.
    #[must_use]
    pub fn statuses(&self) -> &Statuses {
        &self.inbound.statuses
    }

    /// The customers' numbers.
    #[must_use]
    pub fn customers(&self) -> &Customers {
        &self.customers
    }

    /// Proves, keeps and takes in a webhook.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not proven, whatever the reason; `Unavailable` when it is to be sent again.
    pub async fn receive(&self, delivery: Delivery) -> Result<Received> {
        let company = self.prove(&delivery).await?;
        let reading = read(delivery.source, delivery.topic.as_deref(), &delivery.body);
        let new = self.entry_of(company, delivery, reading.as_ref().ok());
        let (entry, is_new) = self.inbound.inbox.keep(new).await?;
        if is_new || entry.verdict.is_open() {
            return self.run(&entry, reading, entry.runs > 0).await;
        }
        let order = match entry.order {
            Some(id) => self.order(company, id).await?,
            None => None,
        };
        Ok(Received { id: entry.id, verdict: entry.verdict, is_new: false, order, refusal: None })
    }

    /// Makes anew of a kept body what can be made of it now; of a company's, or of any. The trail tells who asked.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Gone` when its content was deleted.
    pub async fn rerun(&self, asker: &Asker, company: Option<CompanyId>, id: InboxId) -> Result<Received> {
        let received = self.run_anew(company, id).await?;
        self.inbound.inbox.note_rerun(asker, id, received.verdict).await?;
        Ok(received)
    }

    async fn run_anew(&self, company: Option<CompanyId>, id: InboxId) -> Result<Received> {
        let (entry, body) = self.inbound.inbox.get(company, id).await?;
        if entry.verdict == Verdict::Purged {
            return Err(Error::gone(
                "purged",
                "The content of this webhook was deleted with a customer's personal data.",
            ));
        }
        let reading = read(entry.source, entry.topic.as_deref(), &body);
        self.run(&entry, reading, true).await
    }

    /// Runs the bodies that the filter means again, in the order they came: at most [`RERUN_AT_ONCE`]. Returns their
    /// verdicts and where to go on.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach; what was run is booked.
    pub async fn rerun_all(
        &self,
        asker: &Asker,
        filter: inbox::Filter,
        after: Option<Cursor>,
    ) -> Result<Page<(InboxId, Verdict)>> {
        let page = self.inbound.inbox.list_ascending(filter, after, RERUN_AT_ONCE).await?;
        let mut data = Vec::with_capacity(page.data.len());
        for id in page.data {
            match self.rerun(asker, None, id).await {
                Ok(received) => data.push((id, received.verdict)),
                Err(Error::Gone(_)) => data.push((id, Verdict::Purged)),
                // Swept away between the list and now.
                Err(Error::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Page { data, next: page.next })
    }

    /// Runs bodies that a crash left without a verdict; says how many. Called now and then.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn heal(&self) -> Result<usize> {
        let forgotten = self.inbound.inbox.forgotten(100).await?;
        for id in &forgotten {
            match self.run_anew(None, *id).await {
                Ok(_) | Err(Error::NotFound(_) | Error::Gone(_)) => {}
                Err(error @ Error::Unavailable(..)) => return Err(error),
                Err(error) => tracing::error!(inbox.id = %id, %error, "a webhook could not be taken in"),
            }
        }
        Ok(forgotten.len())
    }

    /// Deletes bodies that have been kept long enough; says how many.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn sweep(&self) -> Result<usize> {
        if self.keep_days == 0 {
            return Ok(0);
        }
        let kept = SignedDuration::from_hours(24 * i64::from(self.keep_days));
        let moment = self.clock.now().checked_sub(kept).map_err(Error::internal)?;
        self.inbound.inbox.delete_before(moment).await
    }

    /// Deletes the personal data of a customer; of a company's, or of any. Twice is harmless.
    ///
    /// # Errors
    /// `NotFound` when there is no such customer.
    pub async fn forget(
        &self,
        by: Actor,
        company: Option<CompanyId>,
        customer: i64,
        request_id: Option<String>,
    ) -> Result<Forgotten> {
        privacy::purge(&self.db, &self.clock, &self.customers, by, company, customer, request_id).await
    }

    /// Every reason against a webhook looks the same.
    async fn prove(&self, delivery: &Delivery) -> Result<CompanyId> {
        let secrets = match &delivery.sender {
            Sender::Account(email) => self.secrets.of_account(email).await?,
            Sender::Company(name) => self.secrets.of_company(name, delivery.source).await?,
        };
        let now = self.clock.now();
        let is_right = |signing: &&Signing| is_proven(delivery, &signing.secret, now);
        let refuse = || Error::Unauthenticated("Invalid webhook signature".into());
        let signing = secrets.iter().find(is_right).ok_or_else(refuse)?;
        self.secrets.note_use(signing).await?;
        Ok(signing.company)
    }

    fn entry_of(&self, company: CompanyId, delivery: Delivery, reading: Option<&Reading>) -> NewEntry {
        let news = match reading {
            Some(Reading::News(news)) => Some(news),
            _ => None,
        };
        let subject = news.and_then(|news| news.subject.clone()).filter(|subject| is_storable(subject));
        let sameness = sameness(&delivery, news.is_some(), subject.is_some(), self.clock.now());
        NewEntry {
            company,
            source: delivery.source,
            topic: delivery.topic,
            subject,
            occurred_at: news.and_then(|news| news.occurred_at),
            // Pairs of texts are always JSON.
            headers: serde_json::to_string(&delivery.headers).unwrap_or_else(|_| "[]".into()),
            contact: news.and_then(|news| news.contact.as_deref()).and_then(customers::contact),
            body: delivery.body,
            sameness,
        }
    }

    async fn run(&self, entry: &Entry, reading: Result<Reading>, is_rerun: bool) -> Result<Received> {
        self.inbound.inbox.begin(entry.id).await?;
        let order_of = |news: &News| news.details.external_id.clone().filter(|_| news.may_create);
        let about = match &reading {
            Ok(Reading::News(news)) => order_of(news),
            _ => None,
        };
        let made = match self.inbound.process(entry, reading, is_rerun).await {
            Err(error @ Error::Internal(_)) if entry.runs >= MOST_RUNS => {
                let result = serde_json::json!({"notes": ["it failed again and again"]});
                self.inbound.inbox.book(entry.id, Booking { verdict: Verdict::Failed, result, order: None }).await?;
                return Err(error);
            }
            made => made?,
        };
        if let Some(about) = about.filter(|_| made.order.is_some()) {
            self.wake(entry, about).await?;
        }
        self.inbound.inbox.book(entry.id, made.booking()).await?;
        let order = match made.order {
            // Whatever waited for it has moved it on.
            Some(order) => self.order(entry.company, order.id).await?.or(Some(order)),
            None => None,
        };
        if made.verdict == Verdict::Waiting && !is_rerun {
            // The order may have come between our look and our booking, and have found nobody waiting.
            return Box::pin(self.run_anew(None, entry.id)).await;
        }
        Ok(Received { id: entry.id, verdict: made.verdict, is_new: made.is_new, order, refusal: made.refusal })
    }

    /// Runs what waited for an order.
    async fn wake(&self, entry: &Entry, order: String) -> Result<()> {
        for id in self.inbound.inbox.waiting(entry.company, entry.source, order).await? {
            Box::pin(self.run_anew(None, id)).await?;
        }
        Ok(())
    }

    async fn order(&self, company: CompanyId, id: crate::base::id::OrderId) -> Result<Option<Order>> {
        let actor = Actor::Webhook { company, source: Source::Ordercast.code() };
        match self.inbound.timeline.get_order(&actor, &crate::orders::OrderRef::Id(id)).await {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    }
}

/// Texts that go into columns of their own: no control characters, not endless.
fn is_storable(text: &str) -> bool {
    text.len() <= 512 && !text.chars().any(char::is_control)
}

fn is_proven(delivery: &Delivery, secret: &Secret, now: Timestamp) -> bool {
    match &delivery.proof {
        Some(Proof::Plain(given)) => sign::verify_plain(secret, &delivery.body, given),
        Some(Proof::Standard(stamp)) => stamp.verify(secret, &delivery.body, now),
        Some(Proof::Platform(given)) => sign::verify_base64(secret, &delivery.body, given),
        None => false,
    }
}

/// What tells a repeat: the sender's identifier. Without one the content does, until something else is sent about the same
/// subject; of what names no subject, for an hour; of what cannot be read, for as long as it is kept.
fn sameness(delivery: &Delivery, is_news: bool, has_subject: bool, now: Timestamp) -> Sameness {
    let content = || {
        let bytes = Sha256::digest(&delivery.body);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    match &delivery.id {
        // WooCommerce gives one identifier to all it sends in a second, Shopify to all that one event causes.
        Some(id) if delivery.source != Source::Ordercast => {
            let topic = delivery.topic.as_deref().unwrap_or_default();
            Sameness::Key(format!("{topic}:{id}:{}", &content()[..32]))
        }
        Some(id) => Sameness::Key(format!("id:{id}")),
        None if has_subject => Sameness::Newest(format!("content:{}", content())),
        None if is_news => {
            let (hour, content) = (now.as_second().div_euclid(SAME_CONTENT_WITHIN), content());
            let of = |hour: i64| format!("content:{content}:{hour}");
            Sameness::Lately { key: of(hour), earlier: of(hour - 1) }
        }
        None => Sameness::Key(format!("content:{}", content())),
    }
}
