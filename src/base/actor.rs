//! Who is doing this: the party every verb asks about and every audit row names.

use super::id::{AccountId, CompanyId, TokenId};

/// The party that asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Runs the platform: any order, any status.
    Admin {
        /// The person's account.
        account: AccountId,
        /// Shown in the audit trail.
        name: String,
        /// Whether it also decides who runs the platform.
        is_super: bool,
    },
    /// A person of a company: own orders, vendor transitions.
    Vendor {
        /// The person's account.
        account: AccountId,
        /// The company whose orders it may touch.
        company: CompanyId,
        /// Shown in the audit trail.
        name: String,
    },
    /// A system with an API token.
    Token {
        /// The token's row.
        token: TokenId,
        /// The token's name, shown in replies as `authenticatedAs`.
        name: String,
        /// The company the token is bound to; `None` reaches every company.
        company: Option<CompanyId>,
        /// Whether it holds the `admin` scope, which makes it act as an admin.
        admin: bool,
    },
    /// A merchant's own system, by a webhook whose signature was right: own orders.
    Webhook {
        /// The company that signed.
        company: CompanyId,
        /// The kind of system: `shopify`.
        source: &'static str,
    },
    /// What a courier said, by poll or callback. Holds the courier's code: `steadfast`.
    Courier(String),
    /// Ordercast itself: the demo's simulator, expiry, repair.
    System(&'static str),
}

/// The party that asks, and the request it asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub actor: Actor,
    /// The request, for the audit trail; `None` when it did not come by HTTP.
    pub request_id: Option<String>,
}

impl From<Actor> for Asker {
    fn from(actor: Actor) -> Self {
        Self { actor, request_id: None }
    }
}

impl Actor {
    /// The kind of party in one word, as the audit trail and event log store it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Admin { .. } => "admin",
            Self::Vendor { .. } => "vendor",
            Self::Token { .. } => "token",
            Self::Webhook { .. } => "webhook",
            Self::Courier(_) => "courier",
            Self::System(_) => "system",
        }
    }

    /// The party's name within its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Admin { name, .. } | Self::Vendor { name, .. } | Self::Token { name, .. } | Self::Courier(name) => {
                name
            }
            Self::Webhook { source: name, .. } | Self::System(name) => name,
        }
    }

    /// The identifier of its account or token, as text; what has neither has none.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Admin { account, .. } | Self::Vendor { account, .. } => Some(account.to_string()),
            Self::Token { token, .. } => Some(token.to_string()),
            Self::Webhook { .. } | Self::Courier(_) | Self::System(_) => None,
        }
    }

    /// The role a person acts in: `vendor`, `admin` or `super_admin`; `None` for systems.
    #[must_use]
    pub fn role(&self) -> Option<&'static str> {
        match self {
            Self::Admin { is_super: true, .. } => Some("super_admin"),
            Self::Admin { .. } => Some("admin"),
            Self::Vendor { .. } => Some("vendor"),
            Self::Token { .. } | Self::Webhook { .. } | Self::Courier(_) | Self::System(_) => None,
        }
    }

    /// The only company whose orders the party may see, or `None` when it sees all.
    #[must_use]
    pub fn company(&self) -> Option<CompanyId> {
        match self {
            Self::Vendor { company, .. } | Self::Webhook { company, .. } => Some(*company),
            Self::Token { company, .. } => *company,
            Self::Admin { .. } | Self::Courier(_) | Self::System(_) => None,
        }
    }

    /// Whether the party may override the order of statuses.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        matches!(self, Self::Admin { .. } | Self::Token { admin: true, .. })
    }
}
