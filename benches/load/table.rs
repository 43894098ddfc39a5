//! What is printed: rows of name, figure and goal.

use std::time::Duration;

/// Rows of the table, printed at the end and one by one as they are measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<String>,
}

impl Table {
    /// Adds a row.
    pub fn row(&mut self, what: &str, figure: impl AsRef<str>, goal: &str) {
        let row = format!("| {what} | {} | {goal} |", figure.as_ref());
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Prints all rows as Markdown.
    pub fn print(&self) {
        println!("| what | measured | goal |\n|---|---|---|\n{}", self.rows.join("\n"));
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which this share of the sorted values lies.
pub fn share(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// `1.23 [1.20 1.23 1.31]`: the median and all of them.
pub fn spread(values: &[f64], digits: usize) -> String {
    let all: Vec<String> = values.iter().map(|value| format!("{value:.digits$}")).collect();
    format!("{:.digits$} [{}]", median(values.to_vec()), all.join(" "))
}

/// Milliseconds with three digits.
pub fn ms(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}
