//! Companies: the shops and vendors that orders belong to.

use std::str::FromStr;

use super::store;
use crate::base::id::CompanyId;
use crate::base::{Clock, Error, Result};
use crate::db::Db;

/// Whether a company may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompanyState {
    /// Its papers are not approved yet.
    Pending,
    /// Sends and reads orders.
    Active,
    /// May do nothing.
    Suspended,
}

impl CompanyState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Suspended];

    /// The state as it is stored and told.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl FromStr for CompanyState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|state| state.code() == text);
        known
            .ok_or_else(|| Error::invalid_field("state", "unknown_state", "state must be pending, active or suspended"))
    }
}

/// A shop or vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Its identifier.
    pub id: CompanyId,
    /// What customers know it as.
    pub name: String,
    /// Its name in addresses: lower case letters, digits and dashes.
    pub slug: String,
    /// Whether it may act.
    pub state: CompanyState,
}

/// The companies of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Companies {
    db: Db,
    clock: Clock,
}

impl Companies {
    /// The companies in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The company of this slug, made now if there is none. Several instances may ask at once; one company comes of it.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn ensure(&self, slug: &str, name: &str) -> Result<Company> {
        let new =
            Company { id: CompanyId::new(), name: name.to_owned(), slug: slug.to_owned(), state: CompanyState::Active };
        let now = self.clock.now();
        self.db.transact(move |conn| Box::pin(store::ensure_company(conn, new, now))).await
    }

    /// The oldest company: the one a deployment with a single shop means when it names none.
    ///
    /// # Errors
    /// `NotFound` when there is none yet.
    pub async fn first(&self) -> Result<Company> {
        let first = self.db.read(|conn| Box::pin(store::find_first_company(conn))).await?;
        first.ok_or(Error::NotFound("Company"))
    }

    /// The company a slug or identifier names.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, name: &str) -> Result<Company> {
        let missing = || Error::NotFound("Company");
        let named = Named::read(name).ok_or_else(missing)?;
        let found = self.db.read(move |conn| Box::pin(store::find_company(conn, named))).await?;
        found.ok_or_else(missing)
    }
}

/// What a text names a company by. What can be an identifier is never looked for among the slugs: otherwise a company
/// could be given another one's identifier for its slug, and receive what is meant for that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Its identifier.
    Id(CompanyId),
    /// Its name in addresses.
    Slug(String),
}

impl Named {
    /// `None` when no company can have such a name.
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(id) = text.parse() {
            return Some(Self::Id(id));
        }
        (!text.contains(char::is_control)).then(|| Self::Slug(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_no_slug_and_no_name_holds_control_characters() {
        let id = CompanyId::new();
        assert_eq!(Named::read(&id.to_string()), Some(Named::Id(id)));
        assert_eq!(Named::read(&id.0.simple().to_string()), Some(Named::Id(id)), "however it is written");
        assert_eq!(Named::read("juniper"), Some(Named::Slug("juniper".into())));
        assert_eq!(Named::read("juniper\u{0}"), None);
    }
}
