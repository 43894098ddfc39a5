//! CSV with a header row (RFC 4180): each line becomes an object of its columns. Pure.

use serde_json::{Map, Value};

use crate::base::{Error, Result};

/// Reads lines into objects. An empty cell is left out; every other one is a text, except in columns named as numbers.
///
/// # Errors
/// `Invalid` that names the line: an open quote, a repeated column, more cells than columns, or more than `most` lines.
pub fn read(text: &str, numbers: &[&str], most: usize) -> Result<Vec<Value>> {
    let mut lines = records(text.trim_start_matches('\u{feff}'))?.into_iter();
    let header: Vec<String> = lines.next().unwrap_or_default().iter().map(|name| name.trim().to_owned()).collect();
    if header.iter().enumerate().any(|(at, name)| header[..at].contains(name)) {
        return Err(refuse("bad_csv", "the header row names a column twice"));
    }
    let mut rows = Vec::new();
    for (at, cells) in lines.enumerate() {
        if cells.len() > header.len() {
            return Err(refuse("bad_csv", format!("row {} has more cells than the header row", at + 1)));
        }
        if rows.len() == most {
            return Err(refuse("too_many_rows", format!("at most {most} rows at a time")));
        }
        let filled = header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let value = |name: &str, cell: String| match cell.trim().parse::<i64>() {
            Ok(number) if numbers.contains(&name) => Value::from(number),
            _ => Value::from(cell),
        };
        rows.push(Value::Object(filled.map(|(name, cell)| (name.clone(), value(name, cell))).collect::<Map<_, _>>()));
    }
    Ok(rows)
}

fn refuse(code: &'static str, what: impl std::fmt::Display) -> Error {
    Error::invalid(code, format!("The CSV cannot be read: {what}"))
}

/// Lines of cells; lines without any text are passed over.
fn records(text: &str) -> Result<Vec<Vec<String>>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if is_quoted => is_quoted = false,
            letter if is_quoted => cell.push(letter),
            '"' if cell.is_empty() => is_quoted = true,
            ',' => record.push(std::mem::take(&mut cell)),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' | '\r' => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            letter => cell.push(letter),
        }
    }
    if is_quoted {
        return Err(refuse("bad_csv", "a quote is opened and never closed"));
    }
    record.push(cell);
    records.push(record);
    records.retain(|record| record.iter().any(|cell| !cell.is_empty()));
    Ok(records)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotes_commas_and_line_ends_are_read_as_spreadsheets_write_them() {
        let text = "\u{feff}id,status,notes,expected_seq\r\nMB1,shipped,\"a, \"\"b\"\"\nc\",3\r\n\r\nMB2,paid,,\n";
        let rows = read(text, &["expected_seq"], 10).unwrap();
        assert_eq!(
            rows,
            [
                json!({"id": "MB1", "status": "shipped", "notes": "a, \"b\"\nc", "expected_seq": 3}),
                json!({"id": "MB2", "status": "paid"})
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (text, why) in [
            ("id,id\na,b", "the header row names a column twice"),
            ("id\na,b", "row 1 has more cells than the header row"),
            ("id\n\"a", "a quote is opened and never closed"),
            ("id\na\nb\nc", "at most 2 rows at a time"),
        ] {
            assert!(read(text, &[], 2).unwrap_err().to_string().ends_with(why), "{text}");
        }
        assert!(read("", &[], 2).unwrap().is_empty());
    }
}
