//! A company's own words for statuses: what its systems say, and which of ours it means.

mod store;

use jiff::Timestamp;

use crate::accounts::Source;
use crate::audit::{self, Record};
use crate::base::id::CompanyId;
use crate::base::{Asker, Clock, Error, Result};
use crate::db::Db;
use crate::orders::Status;

/// One word of a company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Which of its systems says it.
    pub source: Source,
    /// The word, lower case.
    pub theirs: String,
    /// What it means; `None` for a word that means nothing to customers.
    pub ours: Option<Status>,
    /// When it was set.
    pub updated_at: Timestamp,
}

/// What the words of a body come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The status of the weightiest word that is known.
    pub status: Option<Status>,
    /// The weightier words that are not known.
    pub unmapped: Vec<String>,
}

/// The tables of all companies. Cheap to clone.
#[derive(Clone)]
pub struct Statuses {
    db: Db,
    clock: Clock,
}

/// Longest word, in characters, and most words of a company.
const LONGEST: usize = 100;
const MOST: usize = 1000;

impl Statuses {
    /// The tables in this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// A company's words, by source and word.
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn list(&self, company: CompanyId) -> Result<Vec<Mapping>> {
        self.db.read(move |conn| Box::pin(store::list(conn, company))).await
    }

    /// Sets what a word means.
    ///
    /// # Errors
    /// `Invalid` when the word is empty or too long, or there are too many.
    pub async fn set(
        &self,
        by: impl Into<Asker>,
        company: CompanyId,
        source: Source,
        theirs: &str,
        ours: Option<Status>,
    ) -> Result<Mapping> {
        let (by, theirs) = (by.into(), normal(theirs));
        if theirs.is_empty() || theirs.chars().count() > LONGEST || theirs.chars().any(char::is_control) {
            let message = format!("theirs must be 1 to {LONGEST} printable characters");
            return Err(Error::invalid_field("theirs", "bad_word", message));
        }
        let mapping = Mapping { source, theirs, ours, updated_at: self.clock.now() };
        let made = mapping.clone();
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    let known = store::list(conn, company).await?;
                    let is_new = !known.iter().any(|known| known.source == source && known.theirs == made.theirs);
                    if is_new && known.len() >= MOST {
                        return Err(Error::invalid(
                            "too_many_words",
                            format!("A company may map at most {MOST} words"),
                        ));
                    }
                    store::set(conn, company, &made).await?;
                    audit::record(conn, vec![record(by, company, &made, "inbound_status.set")?]).await
                })
            })
            .await?;
        Ok(mapping)
    }

    /// Forgets a word.
    ///
    /// # Errors
    /// `NotFound` when the company has no such word.
    pub async fn remove(&self, by: impl Into<Asker>, company: CompanyId, source: Source, theirs: &str) -> Result<()> {
        let by = by.into();
        let gone = Mapping { source, theirs: normal(theirs), ours: None, updated_at: self.clock.now() };
        self.db
            .transact(move |conn| {
                Box::pin(async move {
                    if !store::remove(conn, company, source, &gone.theirs).await? {
                        return Err(Error::NotFound("Status word"));
                    }
                    audit::record(conn, vec![record(by, company, &gone, "inbound_status.removed")?]).await
                })
            })
            .await
    }

    /// What words come to: by the company's table, then by what the platform usually means (`usual`).
    ///
    /// # Errors
    /// `Unavailable` when the database is out of reach.
    pub async fn resolve(
        &self,
        company: CompanyId,
        source: Source,
        words: &[String],
        usual: fn(&str) -> Option<Status>,
    ) -> Result<Resolved> {
        if words.is_empty() {
            return Ok(Resolved::default());
        }
        let words: Vec<String> = words.iter().map(|word| normal(word)).collect();
        let asked = words.clone();
        let own = self.db.read(move |conn| Box::pin(store::find(conn, company, source, asked))).await?;
        Ok(weigh(&words, &own, usual))
    }
}

/// The first word that is known decides; a company's own meaning goes before the usual one.
fn weigh(words: &[String], own: &[(String, Option<Status>)], usual: fn(&str) -> Option<Status>) -> Resolved {
    let mut resolved = Resolved::default();
    for word in words {
        match own.iter().find(|(theirs, _)| theirs == word) {
            Some((_, None)) => {}
            Some((_, Some(status))) => return Resolved { status: Some(*status), ..resolved },
            None => match usual(word) {
                Some(status) => return Resolved { status: Some(status), ..resolved },
                None => resolved.unmapped.push(word.clone()),
            },
        }
    }
    resolved
}

/// Letter case and spaces around a word do not matter.
fn normal(word: &str) -> String {
    word.trim().to_lowercase()
}

fn record(by: Asker, company: CompanyId, mapping: &Mapping, action: &'static str) -> Result<Record> {
    let detail = serde_json::json!({"source": mapping.source, "theirs": mapping.theirs, "ours": mapping.ours});
    Ok(Record {
        actor: by.actor,
        at: mapping.updated_at,
        company: Some(company),
        subject: "company",
        subject_id: company.to_string(),
        action,
        request_id: by.request_id,
        detail: audit::detail(&detail)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weightiest_known_word_decides_and_weightier_unknown_ones_are_told() {
        let usual = |word: &str| word.parse().ok();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let own = [("customs".to_owned(), Some(Status::Shipped)), ("internal".to_owned(), None)];
        let weighed = |list: &[&str]| weigh(&words(list), &own, usual);
        assert_eq!(weighed(&["customs", "paid"]), Resolved { status: Some(Status::Shipped), unmapped: vec![] });
        assert_eq!(
            weighed(&["strange", "paid"]),
            Resolved { status: Some(Status::Paid), unmapped: words(&["strange"]) }
        );
        assert_eq!(weighed(&["internal", "paid"]), Resolved { status: Some(Status::Paid), unmapped: vec![] });
        assert_eq!(weighed(&["paid", "strange"]).unmapped, Vec::<String>::new(), "what weighs less says nothing");
        assert_eq!(weighed(&[]), Resolved::default());
    }
}
