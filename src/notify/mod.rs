//! Mail to customers: which event sends which letter to whom.
//!
//! The cast: [`letters`] renders, [`mailer`] delivers, [`Notify`] decides. Called from the job queue only, never inside a
//! transaction; each call says whether trying again makes sense. What is not here: the waits between attempts (`jobs`).

pub mod letters;
pub mod mailer;
mod template;

pub use letters::{Letter, LetterInput};
pub use mailer::{Mail, Mailer};
