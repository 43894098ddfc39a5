//! CSV that spreadsheets read as text (RFC 4180): a cell that would be a formula is made a text. Pure.

/// Lines of cells, each ended as spreadsheets expect it.
pub(super) fn write<'a>(lines: impl IntoIterator<Item = Vec<std::borrow::Cow<'a, str>>>) -> String {
    let mut out = String::new();
    for line in lines {
        for (at, cell) in line.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_cell(&mut out, cell);
        }
        out.push_str("\r\n");
    }
    out
}

fn push_cell(out: &mut String, cell: &str) {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if !(is_formula || cell.contains(['"', ',', '\r', '\n'])) {
        return out.push_str(cell);
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&cell.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text_and_what_would_break_a_line_is_quoted() {
        let line = |cells: &[&str]| write([cells.iter().map(|cell| (*cell).into()).collect()]);
        assert_eq!(line(&["MB1", "2", ""]), "MB1,2,\r\n");
        assert_eq!(line(&["a \"b\", c", "x\ny"]), "\"a \"\"b\"\", c\",\"x\ny\"\r\n");
        for evil in ["=1+1", "+880", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            let written = line(&[evil]);
            assert!(written.starts_with("\"'"), "{written}");
            assert_eq!(written, format!("\"'{evil}\"\r\n"));
        }
    }
}
