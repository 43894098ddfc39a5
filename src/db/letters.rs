//! Lower case of letters of every script, the same on both back ends: each character by itself, whatever stands around it.
//!
//! Both know a function of their own for ASCII letters only, PostgreSQL because of the columns' collation. There a
//! migration makes one that asks the database's locale, which should be one of UTF-8; connections to SQLite are given
//! one.

use diesel::sql_types::{Nullable, Text};
use diesel::{QueryResult, SqliteConnection};

#[diesel::declare_sql_function]
extern "SQL" {
    /// Lower case.
    fn lower_letters(text: Nullable<Text>) -> Nullable<Text>;
}

/// What the database makes of a text by [`lower_letters()`], for what it is compared with.
#[must_use]
pub fn lowered(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Gives a connection the function.
///
/// # Errors
/// When the connection takes none.
pub(super) fn teach(conn: &mut SqliteConnection) -> QueryResult<()> {
    lower_letters_utils::register_impl(conn, |text: Option<String>| text.map(|text| lowered(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_is_lowered_whatever_stands_around_it() {
        assert_eq!(lowered("ÄNNE Özil ΝΙΚΟΣ ИВАН 2 %"), "änne özil νικοσ иван 2 %");
    }
}
