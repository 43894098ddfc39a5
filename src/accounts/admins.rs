//! The first admin: set up through a link that is printed at the first start and works once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use rand::Rng as _;

use super::people::fields::{read_email, read_name};
use super::people::{Person, Role, staff};
use super::{password, store};
use crate::base::id::AccountId;
use crate::base::{Clock, Error, Result, Secret};
use crate::db::Db;

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
    /// `NotFound` when the link does not work, `Invalid` when a field breaks a rule, `Conflict` when somebody has proven
    /// the address already.
    pub async fn set_up(
        &self,
        link: &Secret,
        email: &str,
        name: &str,
        password: Secret,
        request_id: Option<String>,
    ) -> Result<Person> {
        self.check_link(link).await?;
        let (email, name) = (read_email(email)?, read_name(name)?);
        let admin = Person { id: AccountId::new(), email, name, role: Role::SuperAdmin, company: None };
        password::check(&password)?;
        let hashing = self.db.runtime().spawn_blocking(move || password::hash(&password));
        let password_hash = hashing.await.map_err(Error::internal)??;
        let (hash, now) = (link.hash(), self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if !store::use_setup_link(conn, &hash, now).await? || store::has_admin(conn).await? {
                        return Err(Error::NotFound("Set-up link"));
                    }
                    // Nobody else could be: the new admin has set itself up.
                    let by = |admin: &Person| admin.asker(request_id);
                    staff::install(conn, by, admin, &password_hash, now).await
                })
            })
            .await
    }
}
