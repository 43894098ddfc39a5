//! Who may do what: companies and their people, sign-ins, API tokens and their scopes, the first admin.
//!
//! What is here: the parties and their credentials. What is not: passes of customers (`orders::tracking`), how a
//! credential travels in a request (`web::auth`).

pub mod admins;
pub mod codes;
pub mod companies;
pub mod kyc;
pub mod password;
pub mod people;
pub mod scopes;
pub mod sessions;
mod store;
pub mod token_format;
pub mod tokens;
pub mod webhook_secrets;

pub use admins::Admins;
pub use codes::Codes;
pub use companies::{Companies, Company, CompanyState};
pub use kyc::Kyc;
pub use password::Passwords;
pub use people::{Member, People, Person, Role};
pub use scopes::{Scope, Scopes};
pub use sessions::{Login, Opened, Sessions};
pub use tokens::{Token, Tokens};
pub use webhook_secrets::{Source, WebhookSecret, WebhookSecrets};
