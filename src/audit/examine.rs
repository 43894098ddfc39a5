//! Examining the audit trail, in the database or in an exported file, and exporting it.
//!
//! An export has a line for each row (`{"hash":…,"previous":…,"row":{…}}`), chain by chain, then one for the end of each
//! chain (`{"end":{"hash":…,"lane":…,"n":…}}`). Ends that were noted elsewhere tell even of a trail that somebody has
//! written anew from some row on, which nothing inside it can.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::chain::{Examination, Head, Link, Report};
use super::store;
use crate::base::{Error, Result};
use crate::db::Db;

/// Rows read at once.
const SOME: i64 = 2000;
/// Rows outside the chains that are told.
const MOST_OUTSIDE: i64 = 100;

/// The last lines of an export.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: Head,
}

/// Looks at the whole trail in the database, which may go on growing. `noted` are ends of chains that were noted before.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn database(db: &Db, mut noted: Vec<Head>) -> Result<Report> {
    // Ends are moved on in the transaction of their rows: what stands behind an end that is read later was not written so.
    let before = ends(db).await?;
    let lanes: Vec<i32> = before.iter().map(|end| end.lane).collect();
    noted.extend(before);
    let mut examination = Examination::new(noted);
    for lane in lanes.clone() {
        let mut after = i64::MIN;
        loop {
            let links = links(db, lane, after).await?;
            let Some(last) = links.last() else { break };
            after = last.row.n;
            links.iter().try_for_each(|link| examination.look_at(link))?;
        }
    }
    let outside =
        db.read(move |conn| Box::pin(async move { store::outside(conn, &lanes, MOST_OUTSIDE).await })).await?;
    let after = ends(db).await?;
    let is_sealed = after.iter().all(|end| !end.hash.is_empty());
    for link in outside {
        let row = link.row;
        let name = format!("row {} ({} of {} {} at {})", row.id, row.action, row.subject, row.subject_id, row.at);
        let why =
            if is_sealed { "it was not written by the server" } else { "the server gives it its place when it starts" };
        examination.misplaced(format!("{name} stands in no chain: {why}"));
    }
    Ok(examination.end(after.into_iter().filter(|end| !end.hash.is_empty()).collect()))
}

/// Looks at an exported trail.
///
/// # Errors
/// `Invalid` when the file cannot be read.
pub fn export(file: impl BufRead, noted: Vec<Head>) -> Result<Report> {
    let (mut examination, mut ends) = (Examination::new(noted), Vec::new());
    for (number, line) in (1..).zip(file.lines()) {
        let line = line.map_err(|error| unreadable(&error))?;
        if let Ok(End { end }) = serde_json::from_str(&line) {
            ends.push(end);
            continue;
        }
        match serde_json::from_str::<Link>(&line) {
            Ok(link) => examination.look_at(&link)?,
            Err(error) => examination.misplaced(format!("line {number} is no row of an audit trail: {error}")),
        }
    }
    if ends.is_empty() {
        examination.misplaced("the ends of the chains are missing, which an export closes with".into());
    }
    Ok(examination.end(ends))
}

/// The ends of chains as an export closes with them, or alone. Other lines are passed over.
///
/// # Errors
/// `Invalid` when the file cannot be read or holds none.
pub fn noted(file: impl BufRead) -> Result<Vec<Head>> {
    let mut found = Vec::new();
    for line in file.lines() {
        let line = line.map_err(|error| unreadable(&error))?;
        found.extend(serde_json::from_str(&line).ok().map(|End { end }| end));
    }
    if found.is_empty() {
        return Err(Error::invalid(
            "no_ends",
            "The file holds no end of a chain: `ordercast audit export` writes them last",
        ));
    }
    Ok(found)
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::invalid("bad_file", format!("The file cannot be read: {error}"))
}

/// Writes the trail as it stands, a JSON object a line.
///
/// # Errors
/// `Unavailable` when the database is out of reach, `Internal` when it cannot be written.
pub async fn write(db: &Db, to: &mut (impl Write + Send)) -> Result<()> {
    let ends = ends(db).await?;
    for end in &ends {
        let mut after = i64::MIN;
        'chain: loop {
            let links = links(db, end.lane, after).await?;
            let Some(last) = links.last() else { break };
            after = last.row.n;
            for link in &links {
                // What was written since belongs to the next export.
                if link.row.n > end.n {
                    break 'chain;
                }
                put(to, link)?;
            }
        }
    }
    ends.into_iter().filter(|end| !end.hash.is_empty()).try_for_each(|end| put(to, &End { end }))
}

/// Writes the ends of the chains alone, to be noted elsewhere.
///
/// # Errors
/// `Internal` when they cannot be written.
pub fn write_ends(ends: &[Head], to: &mut impl Write) -> Result<()> {
    ends.iter().try_for_each(|end| put(to, &End { end: end.clone() }))
}

fn put(to: &mut impl Write, line: &impl Serialize) -> Result<()> {
    let line = serde_json::to_string(line).map_err(Error::internal)?;
    writeln!(to, "{line}").map_err(Error::internal)
}

async fn ends(db: &Db) -> Result<Vec<Head>> {
    db.read(|conn| Box::pin(store::ends(conn))).await
}

async fn links(db: &Db, lane: i32, after: i64) -> Result<Vec<Link>> {
    db.read(move |conn| Box::pin(async move { store::links(conn, lane, after, SOME).await })).await
}
