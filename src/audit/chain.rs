//! The chains of the audit trail: what a row's hash is made of, and what a tampered one is told by. Pure.
//!
//! A row's hash is SHA-256 of the hash of the row before it in its chain (32 bytes, zeros before the first) and of the
//! row as canonical JSON (RFC 8785): the fields of [`Row`] in alphabetical order without a space, `null` where there is
//! none, `detail` as the text it is kept as. There are several chains, so that transactions need not wait for each
//! other; a row belongs to one, at a place without gaps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::{Error, Result};

/// Bytes of a hash.
const HASH: usize = 32;

/// The chain of the rows that were written before there were chains.
pub const EARLIER: i32 = -1;

/// Most faults that are told; a trail with more is lost anyhow.
const MOST_FAULTS: usize = 100;

/// A row as it is hashed: its fields in alphabetical order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What was done.
    pub action: String,
    /// The party's identifier, if it has one.
    pub actor_id: Option<String>,
    /// The kind of party.
    pub actor_kind: String,
    /// The party's name.
    pub actor_name: String,
    /// When, in whole microseconds: `2026-11-21T09:00:00.000000Z`.
    pub at: String,
    /// The company it concerns, if one.
    pub company_id: Option<String>,
    /// Everything else, a JSON object as text.
    pub detail: String,
    /// The row's identifier.
    pub id: String,
    /// Its chain.
    pub lane: i32,
    /// Its place there, from 1.
    pub n: i64,
    /// The request that asked for it.
    pub request_id: Option<String>,
    /// The kind of thing.
    pub subject: String,
    /// Which one.
    pub subject_id: String,
}

impl Row {
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    fn hash(&self, previous: &[u8]) -> Result<Vec<u8>> {
        let canonical = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(Sha256::new().chain_update(previous).chain_update(canonical).finalize().to_vec())
    }

    fn name(&self) -> String {
        let Self { lane, n, id, action, subject, subject_id, at, .. } = self;
        format!("row {n} of chain {lane} ({id}: {action} of {subject} {subject_id} at {at})")
    }
}

/// A row in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its hash.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// The hash of the row before it.
    #[serde(with = "hex")]
    pub previous: Vec<u8>,
    /// The row itself.
    pub row: Row,
}

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The hash of its last row; empty while the rows of before are still to be given their places.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// The chain.
    pub lane: i32,
    /// The place of its last row.
    pub n: i64,
}

/// The hash a chain begins with.
#[must_use]
pub fn beginning() -> Vec<u8> {
    vec![0; HASH]
}

impl Head {
    /// Appends a row: gives it its place and its hashes, and moves the end of the chain on.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn append(&mut self, row: Row) -> Result<Link> {
        let row = Row { lane: self.lane, n: self.n.saturating_add(1), ..row };
        let hash = row.hash(&self.hash)?;
        let link = Link { previous: std::mem::replace(&mut self.hash, hash.clone()), hash, row };
        self.n = link.row.n;
        Ok(link)
    }
}

/// What an examination has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows looked at.
    pub rows: u64,
    /// Where the chains end now.
    pub heads: Vec<Head>,
    /// What is wrong, each naming its row; at most 100.
    pub faults: Vec<String>,
}

/// Looks at the rows of all chains, each chain from its beginning to its end.
pub struct Examination {
    /// Ends that were noted at some time: rows of these hashes must be there.
    noted: Vec<Head>,
    /// The last row seen of each chain, by its place and hash.
    seen: BTreeMap<i32, (i64, Vec<u8>)>,
    report: Report,
}

impl Examination {
    /// Begins. `noted` are ends that were read before the rows are, now or long ago.
    #[must_use]
    pub fn new(noted: Vec<Head>) -> Self {
        Self { noted, seen: BTreeMap::new(), report: Report::default() }
    }

    fn fault(&mut self, text: String) {
        if self.report.faults.len() < MOST_FAULTS && !self.report.faults.contains(&text) {
            self.report.faults.push(text);
        }
    }

    /// Something that is there and cannot be a row of a chain.
    pub fn misplaced(&mut self, text: String) {
        self.report.rows += 1;
        self.fault(text);
    }

    /// The next row of a chain.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn look_at(&mut self, link: &Link) -> Result<()> {
        self.report.rows += 1;
        let (lane, n) = (link.row.lane, link.row.n);
        let (before, hash_before) = self.seen.get(&lane).cloned().unwrap_or_else(|| (0, beginning()));
        let name = link.row.name();
        if link.row.hash(&link.previous)? != link.hash {
            self.fault(format!("{name} is not as it was written"));
        }
        if n <= before {
            self.fault(format!("{name} stands where there is a row already, or before the first"));
        } else if n > before + 1 {
            self.fault(format!("rows {} to {} of chain {lane} are missing: the next is {name}", before + 1, n - 1));
        } else if link.previous != hash_before {
            self.fault(format!("row {before} of chain {lane} is another than the one {name} was written after"));
        }
        if self.noted.iter().any(|head| (head.lane, head.n) == (lane, n) && head.hash != link.hash) {
            self.fault(format!("{name} is another than the one that ended its chain"));
        }
        if n > before {
            self.seen.insert(lane, (n, link.hash.clone()));
        }
        Ok(())
    }

    /// Ends. `heads` are the ends of the chains, read after the last row was.
    #[must_use]
    pub fn end(mut self, heads: Vec<Head>) -> Report {
        for head in std::mem::take(&mut self.noted).iter().chain(&heads) {
            let last = self.seen.get(&head.lane).map_or(0, |(n, _)| *n);
            if last < head.n {
                self.fault(format!("rows {} to {} of chain {} are missing at its end", last + 1, head.n, head.lane));
            }
        }
        for (lane, (n, hash)) in std::mem::take(&mut self.seen) {
            match heads.iter().find(|head| head.lane == lane) {
                Some(head) if n > head.n => self.fault(format!(
                    "rows {} to {n} of chain {lane} stand behind its end: they were not written by the server",
                    head.n + 1
                )),
                Some(head) if n == head.n && hash != head.hash => {
                    self.fault(format!("row {n} of chain {lane} is another than the one that ended its chain"));
                }
                Some(_) => {}
                None => self.fault(format!("chain {lane} has rows, and no end is known of it")),
            }
        }
        self.report.heads = heads;
        self.report
    }
}

/// Hashes as hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.as_bytes().chunks(2).map(std::str::from_utf8);
        let byte = |digits: Result<&str, _>| u8::from_str_radix(digits.ok().filter(|two| two.len() == 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.map(byte).collect();
        bytes.ok_or_else(|| serde::de::Error::custom("a hash is written in hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(detail: &str) -> Row {
        Row {
            action: "order.created".into(),
            actor_id: None,
            actor_kind: "system".into(),
            actor_name: "tests".into(),
            at: "2026-11-21T09:00:00.000000Z".into(),
            company_id: None,
            detail: detail.into(),
            id: "019a".into(),
            lane: 0,
            n: 0,
            request_id: None,
            subject: "order".into(),
            subject_id: "1".into(),
        }
    }

    fn chain(lane: i32, count: usize) -> (Vec<Link>, Head) {
        let mut head = Head { lane, n: 0, hash: beginning() };
        let links = (0..count).map(|n| head.append(row(&format!("{{\"n\":{n}}}"))).unwrap()).collect();
        (links, head)
    }

    fn faults(links: &[Link], noted: Vec<Head>, heads: Vec<Head>) -> Vec<String> {
        let mut examination = Examination::new(noted);
        links.iter().for_each(|link| examination.look_at(link).unwrap());
        examination.end(heads).faults
    }

    #[test]
    fn a_hash_is_what_anybody_can_compute() {
        let (links, _) = chain(3, 1);
        let canonical = r#"{"action":"order.created","actor_id":null,"actor_kind":"system","actor_name":"tests","at":"2026-11-21T09:00:00.000000Z","company_id":null,"detail":"{\"n\":0}","id":"019a","lane":3,"n":1,"request_id":null,"subject":"order","subject_id":"1"}"#;
        assert_eq!(serde_json::to_string(&links[0].row).unwrap(), canonical);
        assert_eq!(links[0].hash, Sha256::digest([&[0; 32], canonical.as_bytes()].concat()).to_vec());
        let line = serde_json::to_string(&links[0]).unwrap();
        assert!(line.contains(&format!(r#""row":{canonical}"#)), "{line}");
        assert_eq!(serde_json::from_str::<Link>(&line).unwrap(), links[0]);
        assert!(serde_json::from_str::<Head>(r#"{"hash":"0g","lane":0,"n":1}"#).is_err());
    }

    #[test]
    fn whole_chains_have_no_faults_and_may_grow_meanwhile() {
        let ((links, head), (others, other)) = (chain(0, 5), chain(1, 2));
        let all: Vec<_> = links.iter().chain(&others).cloned().collect();
        assert_eq!(faults(&all, vec![head.clone()], vec![head.clone(), other.clone()]), Vec::<String>::new());
        let noted = Head { n: 3, hash: links[2].hash.clone(), ..head.clone() };
        assert_eq!(faults(&all, vec![noted], vec![head, other]), Vec::<String>::new());
    }

    #[test]
    fn every_byte_of_a_row_counts_and_the_row_is_named() {
        let (links, head) = chain(0, 3);
        let change: [fn(&mut Row); 9] = [
            |row| row.action.push('x'),
            |row| row.actor_id = Some(String::new()),
            |row| row.actor_name.push(' '),
            |row| row.at = row.at.replace('9', "8"),
            |row| row.company_id = Some("1".into()),
            |row| row.detail = row.detail.replace('1', "2"),
            |row| row.id.push('0'),
            |row| row.request_id = Some("1".into()),
            |row| row.subject_id = "2".into(),
        ];
        for change in change {
            let mut tampered = links.clone();
            change(&mut tampered[1].row);
            let found = faults(&tampered, vec![], vec![head.clone()]);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(
                found[0].starts_with("row 2 of chain 0 (") && found[0].ends_with("not as it was written"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn rows_that_are_gone_added_swapped_or_replaced_are_named() {
        let (links, head) = chain(0, 4);
        let told = |links: &[Link]| faults(links, vec![], vec![head.clone()]).join("; ");
        assert!(told(&[&links[..1], &links[2..]].concat()).contains("rows 2 to 2 of chain 0 are missing"));
        assert!(told(&links[1..]).contains("rows 1 to 1 of chain 0 are missing"));
        assert!(told(&links[..2]).contains("rows 3 to 4 of chain 0 are missing at its end"));
        assert!(told(&[]).contains("rows 1 to 4 of chain 0 are missing at its end"));
        assert!(told(&[&links[..2], &links[1..]].concat()).contains("stands where there is a row already"));
        let mut swapped = links.clone();
        (swapped[1].row.n, swapped[2].row.n) = (3, 2);
        swapped.swap(1, 2);
        let found = told(&swapped);
        assert!(found.contains("row 2 of chain 0 (") && found.contains("row 3 of chain 0 ("), "{found}");
        let mut longer = head.clone();
        let behind = longer.append(row("{}")).unwrap();
        assert!(told(&[links.clone(), vec![behind]].concat()).contains("rows 5 to 5 of chain 0 stand behind its end"));
        assert!(faults(&links, vec![], vec![]).join("").contains("no end is known"));
    }

    #[test]
    fn a_row_hashed_anew_is_told_by_the_next_and_a_chain_written_anew_by_an_end_noted_before() {
        let (links, head) = chain(0, 3);
        let mut forged = Head { lane: 0, n: 1, hash: links[0].hash.clone() };
        let second = forged.append(row("{\"n\":7}")).unwrap();
        let found = faults(&[links[0].clone(), second.clone(), links[2].clone()], vec![], vec![head.clone()]);
        assert!(found.len() == 1 && found[0].starts_with("row 2 of chain 0 is another"), "{found:?}");
        let third = forged.append(links[2].row.clone()).unwrap();
        let rewritten = [links[0].clone(), second, third];
        assert_eq!(faults(&rewritten, vec![], vec![forged.clone()]), Vec::<String>::new(), "nothing inside can tell");
        let found = faults(&rewritten, vec![head], vec![forged]);
        assert!(found.len() == 1 && found[0].starts_with("row 3 of chain 0 ("), "{found:?}");
    }
}
