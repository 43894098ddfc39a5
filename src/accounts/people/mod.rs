//! People who sign in: who they are, and what becomes of them from registration to removal.
//!
//! What is here: the person and the part (this file), signing up ([`register`]), proving an address and passwords
//! ([`proofs`]), the people of one company ([`colleagues`]), what those do who run the platform ([`staff`]), and clearing
//! away what nobody has answered ([`leftovers`]). What is not: sign-ins (`sessions`) and the codes that are mailed
//! (`codes`).

pub mod colleagues;
pub mod fields;
mod leftovers;
pub mod proofs;
pub mod register;
pub mod staff;
mod store;

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::codes::Codes;
use super::password::Passwords;
use crate::audit::{self, Record};
use crate::base::id::{AccountId, CompanyId};
use crate::base::{Actor, Asker, Clock, Error, Result};
use crate::db::Db;

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Works for a company: its orders, its people.
    Vendor,
    /// Runs the platform: every company's orders, approvals.
    Admin,
    /// As an admin, and decides who is one.
    SuperAdmin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Vendor, Self::Admin, Self::SuperAdmin];

    /// The role as it is stored and told: `super_admin`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Admin => "admin",
            Self::SuperAdmin => "super_admin",
        }
    }

    /// Whether it runs the platform.
    #[must_use]
    pub fn is_staff(self) -> bool {
        matches!(self, Self::Admin | Self::SuperAdmin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|role| role.code() == text);
        known.ok_or_else(|| Error::invalid_field("role", "unknown_role", "role must be vendor, admin or super_admin"))
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub id: AccountId,
    /// Lower case.
    pub email: String,
    /// As shown to colleagues and in the audit trail.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The company they work for; those who run the platform belong to none.
    pub company: Option<CompanyId>,
}

impl Person {
    /// The party that asks with this request.
    #[must_use]
    pub fn asker(&self, request_id: Option<String>) -> Asker {
        Asker { actor: self.actor(), request_id }
    }

    /// The party that acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let (account, name) = (self.id, self.name.clone());
        match self.role {
            // Of no company: reaches no order, for no company has this identifier.
            Role::Vendor => Actor::Vendor { account, company: self.company.unwrap_or(CompanyId(Uuid::nil())), name },
            Role::Admin | Role::SuperAdmin => Actor::Admin { account, name, is_super: self.role == Role::SuperAdmin },
        }
    }
}

/// A person with what decides whether it may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// Whether the e-mail address was proven; an invitation that was not answered is not.
    pub is_verified: bool,
    /// When the person was barred, if it is.
    pub suspended_at: Option<Timestamp>,
    /// Since when there is the account.
    pub created_at: Timestamp,
}

impl Member {
    /// Whether it was removed before it had proven its address: its row waits for whoever claims that.
    fn is_gone(&self) -> bool {
        self.person.role == Role::Vendor && self.person.company.is_none()
    }
}

/// The people of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct People {
    db: Db,
    clock: Clock,
    codes: Codes,
    passwords: Passwords,
    unproven: SignedDuration,
}

impl People {
    /// The people in this database; an address may stay unproven for so many days.
    #[must_use]
    pub fn new(db: Db, clock: Clock, codes: Codes, passwords: Passwords, unproven_days: u32) -> Self {
        let unproven = SignedDuration::from_hours(24 * i64::from(unproven_days));
        Self { db, clock, codes, passwords, unproven }
    }

    /// A person of an account.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn get(&self, account: AccountId) -> Result<Member> {
        let found = self.db.read(move |conn| Box::pin(store::find(conn, account))).await?;
        found.ok_or(Error::NotFound("Account"))
    }

    /// Changes the name a person goes by.
    ///
    /// # Errors
    /// `Invalid` when it is none.
    pub async fn rename(&self, by: impl Into<Asker>, account: AccountId, name: &str) -> Result<Member> {
        let (by, name, now) = (by.into(), fields::read_name(name)?, self.clock.now());
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let before = store::find(conn, account).await?.ok_or(Error::NotFound("Account"))?;
                    if before.person.name != name {
                        store::rename(conn, account, &name).await?;
                        let detail = serde_json::json!({"from": before.person.name, "to": name});
                        audit::record(conn, vec![record(by, &before.person, "account.renamed", now, &detail)?]).await?;
                    }
                    Ok(Member { person: Person { name, ..before.person }, ..before })
                })
            })
            .await
    }
}

/// The audit row of what was done to a person.
fn record(
    by: Asker,
    person: &Person,
    action: &'static str,
    at: Timestamp,
    detail: &serde_json::Value,
) -> Result<Record> {
    Ok(Record {
        actor: by.actor,
        at,
        company: person.company,
        subject: "account",
        subject_id: person.id.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(detail)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.code().parse::<Role>().unwrap(), role);
        }
        assert!("Admin".parse::<Role>().is_err() && "owner".parse::<Role>().is_err());
    }

    #[test]
    fn a_vendor_acts_within_its_company_and_nobody_without_one_sees_all() {
        let company = CompanyId::new();
        let person = |role, company| Person {
            id: AccountId::new(),
            email: "a@mail.example".into(),
            name: "A".into(),
            role,
            company,
        };
        assert_eq!(person(Role::Vendor, Some(company)).actor().company(), Some(company));
        assert!(person(Role::Vendor, None).actor().company().is_some());
        for role in [Role::Admin, Role::SuperAdmin] {
            assert!(person(role, None).actor().is_admin());
        }
    }
}
