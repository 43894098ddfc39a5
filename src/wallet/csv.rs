//! Lines of CSV (RFC 4180) that spreadsheets do not take for formulas. Pure.

/// One cell.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Somebody's words: what a spreadsheet would calculate is marked as text.
    Text(String),
    /// A number or date of ours.
    Plain(String),
}

impl Cell {
    /// Somebody's words, or nothing.
    #[must_use]
    pub fn text(text: Option<&str>) -> Self {
        Self::Text(text.unwrap_or_default().to_owned())
    }

    /// A number or date of ours.
    #[must_use]
    pub fn plain(value: impl std::fmt::Display) -> Self {
        Self::Plain(value.to_string())
    }

    fn write(&self) -> String {
        let text = match self {
            Self::Text(text)
                if text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r']) =>
            {
                format!("'{text}")
            }
            Self::Text(text) | Self::Plain(text) => text.clone(),
        };
        if text.contains([',', '"', '\n', '\r', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    }
}

/// A header row and lines, each ended by CR LF.
#[must_use]
pub fn write(header: &[&str], lines: &[Vec<Cell>]) -> String {
    let mut text = header.join(",") + "\r\n";
    for line in lines {
        text += &line.iter().map(Cell::write).collect::<Vec<_>>().join(",");
        text += "\r\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_never_become_formulas_and_numbers_stay_numbers() {
        let words = ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "a,\"b\"", "plain"];
        let line: Vec<Cell> = words.iter().map(|word| Cell::text(Some(word))).chain([Cell::plain(-5)]).collect();
        let text = write(&["a", "b"], &[line]);
        assert_eq!(text, "a,b\r\n'=1+1,'+1,'-1,'@x,'\t=1,' =1,\"a,\"\"b\"\"\",plain,-5\r\n");
    }
}
