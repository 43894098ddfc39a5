//! People who sign in: who they are, and what becomes of them from registration to removal.
//!
//! What is here: the person (this file). What is not: their sign-ins (`sessions`) and the codes they are mailed (`codes`).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::base::id::{AccountId, CompanyId};
use crate::base::{Actor, Error, Result};

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
    /// The party that acts.
    #[must_use]
    pub fn actor(&self) -> Actor {
        let (account, name) = (self.id, self.name.clone());
        match self.role {
            // Of no company: reaches no order, for no company has this identifier.
            Role::Vendor => Actor::Vendor { account, company: self.company.unwrap_or(CompanyId(Uuid::nil())), name },
            Role::Admin | Role::SuperAdmin => Actor::Admin { account, name },
        }
    }
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
