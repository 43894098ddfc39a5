//! Who may do what: companies, API tokens and their scopes, the first admin.
//!
//! What is here: the parties and their credentials. What is not: passes of customers (`orders::tracking`), how a
//! credential travels in a request (`web::auth`).

pub mod admins;
pub mod companies;
pub mod password;
pub mod scopes;
mod store;
pub mod token_format;
pub mod tokens;
pub mod webhook_secrets;

pub use admins::Admins;
pub use companies::{Companies, Company};
pub use scopes::{Scope, Scopes};
pub use tokens::{Token, Tokens};
pub use webhook_secrets::{Source, WebhookSecret, WebhookSecrets};
