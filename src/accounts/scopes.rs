//! What an API token may do. Pure.

use std::fmt;
use std::str::FromStr;

use crate::base::{Error, Result};

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below says what each one means")]
pub enum Scope {
    OrdersRead,
    OrdersWrite,
    OrdersUpdateStatus,
    CouriersCheck,
    WebhooksManage,
    AuditRead,
    Admin,
}

impl Scope {
    /// Every scope, with its code and its meaning in one line.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::OrdersRead, "orders:read", "Read orders, their history and live updates"),
        (Self::OrdersWrite, "orders:write", "Create orders and change their details"),
        (Self::OrdersUpdateStatus, "orders:update_status", "Move orders from status to status"),
        (Self::CouriersCheck, "couriers:check", "Ask couriers for news"),
        (Self::WebhooksManage, "webhooks:manage", "Manage webhooks: secrets, the inbox, status words"),
        (Self::AuditRead, "audit:read", "Read the audit trail"),
        (Self::Admin, "admin", "Everything, including overriding the order of statuses"),
    ];

    /// The code: `orders:read`.
    #[must_use]
    pub fn code(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The scopes of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Whether the scope is among them. `admin` stands for every other.
    #[must_use]
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }
}

impl FromStr for Scopes {
    type Err = Error;

    /// Codes separated by commas or spaces; at least one.
    fn from_str(text: &str) -> Result<Self> {
        let code = |code: &str| Scope::ALL.into_iter().find(|(_, known, _)| *known == code).map(|(scope, ..)| scope);
        let read = |word: &str| {
            code(word).ok_or_else(|| {
                let known: Vec<&str> = Scope::ALL.iter().map(|(_, code, _)| *code).collect();
                let message = format!("\"{word}\" is no scope; known scopes: {}", known.join(", "));
                Error::invalid_field("scopes", "unknown_scope", message)
            })
        };
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let mut scopes = words.map(read).collect::<Result<Vec<_>>>()?;
        if scopes.is_empty() {
            return Err(Error::invalid_field(
                "scopes",
                "no_scope",
                "name at least one scope, as \"orders:read,orders:write\"",
            ));
        }
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self(scopes))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<&str> = self.0.iter().map(|scope| scope.code()).collect();
        f.write_str(&codes.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_in_any_order_and_admin_stands_for_all() {
        let scopes: Scopes = "orders:update_status, orders:read".parse().unwrap();
        assert_eq!(scopes.to_string(), "orders:read,orders:update_status");
        assert!(scopes.allow(Scope::OrdersRead) && !scopes.allow(Scope::OrdersWrite));
        assert!("admin".parse::<Scopes>().unwrap().allow(Scope::AuditRead));
        for text in ["", " ,", "orders:reed", "ORDERS:READ"] {
            assert!(text.parse::<Scopes>().is_err(), "{text}");
        }
        for (at, (scope, ..)) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(scope as usize, at);
        }
    }
}
