//! Typed, time-ordered identifiers, so that an order's id can never stand where a company's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier that sorts after those made before it.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The sixteen bytes, big-endian: they sort as the identifiers do.
            #[must_use]
            pub fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    )+};
}

ids! {
    /// An order.
    OrderId,
    /// A company: the shop or vendor an order belongs to.
    CompanyId,
    /// One entry of an order's event log, unique over all orders; it orders the `orders` feed.
    EventId,
    /// A person who signs in.
    AccountId,
    /// An API token.
    TokenId,
    /// A tracking pass.
    PassId,
    /// A queued job.
    JobId,
    /// A row of the audit trail.
    AuditId,
    /// One sign-in of a person, over all its refreshes.
    LoginId,
    /// What a company handed in about its business.
    KycId,
    /// One document of it.
    DocumentId,
    /// A secret that signs webhooks sent in.
    WebhookSecretId,
    /// One body that was sent in.
    InboxId,
    /// A move of an order that waits for somebody's word.
    HeldId,
    /// One running process of Ordercast.
    InstanceId,
    /// One transaction of the ledger.
    TransactionId,
    /// What a vendor asked to be paid out.
    PayoutId,
    /// One commission rate.
    RateId,
    /// One live connection.
    SessionId,
}
