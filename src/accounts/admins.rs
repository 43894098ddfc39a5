//! The first admin: set up through a link that is printed at the first start and works once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use rand::Rng as _;

use super::people::fields::{read_email, read_name};
use super::{password, store};
use crate::audit::{self, Record};
use crate::base::id::AccountId;
use crate::base::{Actor, Clock, Error, Result, Secret};
use crate::db::Db;

/// A person who runs the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// The account.
    pub id: AccountId,
    /// Lower case.
    pub email: String,
    /// As shown in the audit trail.
    pub name: String,
}

/// Sets up admins. Cheap to clone.
#[derive(Clone)]
pub struct Admins {
    db: Db,
    clock: Clock,
}

/// How long a set-up link works; the next start prints a new one.
const LINK_WORKS: SignedDuration = SignedDuration::from_hours(24);

impl Admins {
    /// The admins in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// A new set-up link's secret, which ends all earlier links; `None` when there is an admin already.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn setup_link(&self) -> Result<Option<Secret>> {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(bytes));
        let (hash, now) = (secret.hash(), self.clock.now());
        let is_needed = self.db.transact(move |conn| {
            Box::pin(async move {
                if store::has_admin(conn).await? {
                    return Ok(false);
                }
                store::replace_setup_link(conn, &hash, now).await?;
                Ok(true)
            })
        });
        Ok(is_needed.await?.then_some(secret))
    }

    /// Whether the link still works; none does once there is an admin, however it came about.
    ///
    /// # Errors
    /// `NotFound` when it does not.
    pub async fn check_link(&self, link: &Secret) -> Result<()> {
        let hash = link.hash();
        let made = self.db.read(move |conn| {
            Box::pin(async move {
                if store::has_admin(conn).await? {
                    return Ok(None);
                }
                store::find_setup_link(conn, &hash).await
            })
        });
        let made = made.await?;
        let works = made.is_some_and(|made| self.clock.now().duration_since(made) < LINK_WORKS);
        if works { Ok(()) } else { Err(Error::NotFound("Set-up link")) }
    }

    /// Makes the admin and uses the link up, both or neither.
    ///
    /// # Errors
    /// `NotFound` when the link does not work, `Invalid` when a field breaks a rule.
    pub async fn set_up(&self, link: &Secret, email: &str, name: &str, password: Secret) -> Result<Admin> {
        self.check_link(link).await?;
        let admin = Admin { id: AccountId::new(), email: read_email(email)?, name: read_name(name)? };
        password::check(&password)?;
        let hashing = self.db.runtime().spawn_blocking(move || password::hash(&password));
        let password_hash = hashing.await.map_err(Error::internal)??;
        let (hash, now, made) = (link.hash(), self.clock.now(), admin.clone());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if !store::use_setup_link(conn, &hash, now).await? || store::has_admin(conn).await? {
                        return Err(Error::NotFound("Set-up link"));
                    }
                    store::insert_admin(conn, &made, &password_hash, now).await?;
                    audit::record(conn, vec![created(&made, now)?]).await
                })
            })
            .await?;
        Ok(admin)
    }
}

fn created(admin: &Admin, at: jiff::Timestamp) -> Result<Record> {
    Ok(Record {
        actor: Actor::Admin { account: admin.id, name: admin.name.clone(), is_super: true },
        at,
        company: None,
        subject: "account",
        subject_id: admin.id.to_string(),
        action: "account.set_up",
        request_id: None,
        detail: audit::detail(&serde_json::json!({"email": admin.email, "role": "super_admin"}))?,
    })
}
