//! Secrets a company's systems sign their webhooks with: made by us or by the platform, replaced, taken back.
//!
//! They are sealed and not hashed: a signature can only be checked with the secret itself. One that is replaced works
//! for a day more, so that a merchant can change its systems one after the other.

mod store;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use serde::{Deserialize, Serialize};

use crate::accounts::companies::Named;
use crate::accounts::people::fields::fold;
use crate::audit::{self, Record};
use crate::base::id::{CompanyId, WebhookSecretId};
use crate::base::{Asker, Clock, Error, Keys, Result, Secret};
use crate::db::types::At;
use crate::db::{Conn, Db};
use store::Row;

/// What kind of system sends orders in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The merchant's own, in our format.
    Ordercast,
    /// A Shopify shop.
    Shopify,
    /// A WooCommerce shop.
    Woocommerce,
}

impl Source {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ordercast, Self::Shopify, Self::Woocommerce];

    /// The code: `shopify`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ordercast => "ordercast",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Source {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|source| source.code() == text).ok_or_else(|| {
            Error::invalid_field("source", "unknown_source", "source must be ordercast, shopify or woocommerce")
        })
    }
}

/// A secret as it is known to people; the text itself is shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSecret {
    /// Its identifier.
    pub id: WebhookSecretId,
    /// Whose it is.
    pub company: CompanyId,
    /// What signs with it.
    pub source: Source,
    /// The last four characters of its text.
    pub last_four: String,
    /// When it was made or set.
    pub created_at: Timestamp,
    /// When it ends, once it has been replaced.
    pub expires_at: Option<Timestamp>,
    /// When a webhook last came signed with it, to about a minute.
    pub last_used_at: Option<Timestamp>,
    /// When the merchant was shown it; it is once.
    pub shown_at: Option<Timestamp>,
}

/// A secret a webhook may be signed with right now.
#[derive(Clone, Debug)]
pub struct Signing {
    /// Its identifier.
    pub id: WebhookSecretId,
    /// The company that signs.
    pub company: CompanyId,
    /// The text.
    pub secret: Secret,
    last_used_at: Option<Timestamp>,
}

/// Makes, lists and replaces webhook secrets. Cheap to clone.
#[derive(Clone)]
pub struct WebhookSecrets {
    db: Db,
    clock: Clock,
    keys: Keys,
}

/// How long a replaced secret goes on working.
const GRACE: SignedDuration = SignedDuration::from_hours(24);
/// Most secrets of a company and source that work at a time: each is tried on every webhook.
const MOST: usize = 5;
/// `last_used_at` is written at most this often: it is for people.
const LAST_USED_STEP: SignedDuration = SignedDuration::from_secs(60);

impl WebhookSecrets {
    /// The secrets in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock, keys: Keys) -> Self {
        Self { db, clock, keys }
    }

    /// Makes a company's first secret in the transaction that lets the company in. The merchant sees it by
    /// [`WebhookSecrets::reveal`].
    ///
    /// # Errors
    /// `Unavailable` or `Internal`; the transaction must not be committed.
    pub async fn mint(&self, conn: &mut Conn, company: CompanyId) -> Result<()> {
        let row = self.row(company, Source::Ordercast, &generate(), None)?;
        store::insert(conn, &row).await
    }

    /// Shows a company the secret it was given and has not seen yet: once.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn reveal(&self, by: impl Into<Asker>, company: CompanyId) -> Result<Option<Secret>> {
        let (by, now) = (by.into(), self.clock.now());
        let shown = self.db.transact(move |conn| {
            Box::pin(async move {
                let Some(row) = store::show_unseen(conn, company, now).await? else { return Ok(None) };
                let known = row.known()?;
                audit::record(conn, vec![record(by, &known, "webhook_secret.shown", now)?]).await?;
                Ok(Some(row))
            })
        });
        shown.await?.map(|row| self.unseal(&row)).transpose()
    }

    /// Makes a new secret of our own in place of the present one, which works for a day more. Its text is returned this
    /// once.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn rotate(&self, by: impl Into<Asker>, company: CompanyId) -> Result<(WebhookSecret, Secret)> {
        let secret = generate();
        let known = self.replace(by.into(), company, Source::Ordercast, &secret, "webhook_secret.rotated").await?;
        Ok((known, secret))
    }

    /// Takes the secret a platform has made; the one before it works for a day more.
    ///
    /// # Errors
    /// `Invalid` when the text cannot be one.
    pub async fn set(
        &self,
        by: impl Into<Asker>,
        company: CompanyId,
        source: Source,
        secret: &Secret,
    ) -> Result<WebhookSecret> {
        let fits = (8..=255).contains(&secret.expose().len()) && secret.expose().bytes().all(|b| b.is_ascii_graphic());
        if source == Source::Ordercast || !fits {
            let message = "secret must be the platform's signing secret: 8 to 255 visible ASCII characters";
            return Err(Error::invalid_field("secret", "bad_secret", message));
        }
        self.replace(by.into(), company, source, secret, "webhook_secret.set").await
    }

    /// The company's secrets that work, newest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, company: CompanyId) -> Result<Vec<WebhookSecret>> {
        let now = self.clock.now();
        let rows = self.db.read(move |conn| Box::pin(store::list_live(conn, company, None, now))).await?;
        rows.iter().map(Row::known).collect()
    }

    /// Ends a secret at once.
    ///
    /// # Errors
    /// `NotFound` when the company has no such secret that works.
    pub async fn revoke(&self, by: impl Into<Asker>, company: CompanyId, id: WebhookSecretId) -> Result<()> {
        let (by, now) = (by.into(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let live = store::list_live(conn, company, None, now).await?;
                    let row = live.into_iter().find(|row| row.id == id).ok_or(Error::NotFound("Webhook secret"))?;
                    store::expire(conn, vec![id], now).await?;
                    audit::record(conn, vec![record(by, &row.known()?, "webhook_secret.revoked", now)?]).await
                })
            })
            .await
    }

    /// The secrets with which the company of this person may sign; none when the person or the company is not active.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn of_account(&self, email: &str) -> Result<Vec<Signing>> {
        let (email, now) = (fold(email), self.clock.now());
        let rows = self.db.read(move |conn| Box::pin(async move { store::list_of_account(conn, &email, now).await }));
        self.signing(rows.await?)
    }

    /// The secrets with which this active company, named by slug or identifier, may sign.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn of_company(&self, name: &str, source: Source) -> Result<Vec<Signing>> {
        let (Some(named), now) = (Named::read(name), self.clock.now()) else { return Ok(Vec::new()) };
        let rows = self.db.read(move |conn| Box::pin(store::list_of_company(conn, named, source, now)));
        self.signing(rows.await?)
    }

    /// Notes that a webhook came signed with it.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn note_use(&self, signing: &Signing) -> Result<()> {
        let (id, now) = (signing.id, self.clock.now());
        if signing.last_used_at.is_some_and(|at| now.duration_since(at) < LAST_USED_STEP) {
            return Ok(());
        }
        self.db.transact(move |conn| Box::pin(store::mark_used(conn, id, now))).await
    }

    async fn replace(
        &self,
        by: Asker,
        company: CompanyId,
        source: Source,
        secret: &Secret,
        action: &'static str,
    ) -> Result<WebhookSecret> {
        let now = self.clock.now();
        let row = self.row(company, source, secret, Some(now))?;
        let known = row.known()?;
        let record = record(by, &known, action, now)?;
        let grace = now.checked_add(GRACE).map_err(Error::internal)?;
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    store::lock_company(conn, company).await?;
                    let live = store::list_live(conn, company, Some(source), now).await?;
                    let (kept, ended) = live.split_at(live.len().min(MOST - 1));
                    let lasting = kept.iter().filter(|row| row.expires_at.is_none()).map(|row| row.id).collect();
                    store::expire(conn, lasting, grace).await?;
                    store::expire(conn, ended.iter().map(|row| row.id).collect(), now).await?;
                    store::insert(conn, &row).await?;
                    audit::record(conn, vec![record]).await
                })
            })
            .await?;
        Ok(known)
    }

    fn row(&self, company: CompanyId, source: Source, secret: &Secret, shown: Option<Timestamp>) -> Result<Row> {
        Ok(Row {
            id: WebhookSecretId::new(),
            company_id: company,
            source: source.code().to_owned(),
            sealed: self.keys.seal(&purpose(company), secret.expose().as_bytes())?,
            last_four: secret.last_four(),
            created_at: At(self.clock.now()),
            expires_at: None,
            last_used_at: None,
            shown_at: shown.map(At),
        })
    }

    fn unseal(&self, row: &Row) -> Result<Secret> {
        let text =
            self.keys.unseal(&purpose(row.company_id), &row.sealed).and_then(|text| String::from_utf8(text).ok());
        text.map(Secret::new).ok_or_else(|| Error::internal("a webhook secret was sealed with a key that is not set"))
    }

    fn signing(&self, rows: Vec<Row>) -> Result<Vec<Signing>> {
        let signing = |row: Row| {
            let last_used_at = row.last_used_at.map(|at| at.0);
            Ok(Signing { secret: self.unseal(&row)?, id: row.id, company: row.company_id, last_used_at })
        };
        rows.into_iter().map(signing).collect()
    }
}

/// A sealed secret opens for its own company only.
fn purpose(company: CompanyId) -> String {
    format!("webhook-secret:{company}")
}

/// `whsec_` and 32 random bytes in base64: the form of Standard Webhooks 1.0.
fn generate() -> Secret {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(format!("whsec_{}", STANDARD.encode(bytes)))
}

fn record(by: Asker, secret: &WebhookSecret, action: &'static str, at: Timestamp) -> Result<Record> {
    Ok(Record {
        actor: by.actor,
        at,
        company: Some(secret.company),
        subject: "webhook_secret",
        subject_id: secret.id.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(&serde_json::json!({"source": secret.source, "last_four": secret.last_four}))?,
    })
}
