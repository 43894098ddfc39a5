//! Statements of a wallet over a period, and movements as CSV.

use jiff::Timestamp;

use super::{Movement, Wallets, Wanted, own_accounts, store};
use crate::base::id::CompanyId;
use crate::base::{Error, Money, Result};
use crate::wallet::csv::{self, Cell};
use crate::wallet::entries::Kind;

/// What happened in a wallet from one moment until before another.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Whose.
    pub company: CompanyId,
    /// ISO 4217.
    pub currency: String,
    /// From when on.
    pub from: Timestamp,
    /// Until before when.
    pub until: Timestamp,
    /// The vendor's money at the beginning.
    pub opening: i64,
    /// The vendor's money at the end.
    pub closing: i64,
    /// What happened, the oldest first. Releases are left out: they move nothing in or out.
    pub movements: Vec<Movement>,
}

/// Most movements of one statement.
pub const LONGEST_STATEMENT: usize = 50_000;

impl Wallets {
    /// What happened in a wallet over a period.
    ///
    /// # Errors
    /// `Invalid` when the period ends before it begins or holds more than [`LONGEST_STATEMENT`] movements.
    pub async fn statement(
        &self,
        company: CompanyId,
        currency: String,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Statement> {
        if until <= from {
            return Err(Error::invalid_field("until", "bad_period", "until must be later than from"));
        }
        let wanted =
            Wanted { currency: Some(currency.clone()), from: Some(from), until: Some(until), ..Wanted::default() };
        let most = i64::try_from(LONGEST_STATEMENT).unwrap_or(i64::MAX).saturating_add(1);
        let own = own_accounts(company, &currency);
        // One transaction, so that movements and balances are of one moment.
        let read = self.db.transact(move |conn| {
            Box::pin(async move {
                crate::wallet::store::hold_moment(conn).await?;
                let accounts = store::list_accounts(conn, company).await?;
                let later = store::sum_changes(conn, company, own, until).await?;
                Ok((store::list_movements(conn, company, wanted, None, most).await?, accounts, later))
            })
        });
        let (mut movements, accounts, later) = read.await?;
        if movements.len() > LONGEST_STATEMENT {
            let message = format!("The period holds more than {LONGEST_STATEMENT} movements; ask for a shorter one");
            return Err(Error::invalid_field("from", "too_long", message));
        }
        let now: i64 = accounts.iter().filter(|(_, known, _)| *known == currency).map(|(_, _, balance)| balance).sum();
        movements.retain(|movement| movement.kind != Kind::Release);
        movements.reverse();
        let closing = now - later;
        let opening = closing - movements.iter().map(Movement::change).sum::<i64>();
        Ok(Statement { company, currency, from, until, opening, closing, movements })
    }
}

/// Movements as CSV, amounts in major units.
#[must_use]
pub fn movements_csv(movements: &[Movement]) -> String {
    let header = ["at", "kind", "order", "round", "payout", "currency", "change", "commission", "by", "reason", "id"];
    let lines: Vec<Vec<Cell>> = movements.iter().map(line).collect();
    csv::write(&header, &lines)
}

fn line(movement: &Movement) -> Vec<Cell> {
    let money = |amount| Cell::plain(Money { amount, currency: movement.currency.clone() }.to_decimal());
    vec![
        Cell::plain(movement.at),
        Cell::plain(movement.kind.code()),
        Cell::text(movement.order.as_ref().map(|(_, number, _)| number.as_str())),
        Cell::plain(movement.order.as_ref().map_or(String::new(), |(_, _, round)| round.to_string())),
        Cell::plain(movement.payout.map_or(String::new(), |payout| payout.to_string())),
        Cell::plain(&movement.currency),
        money(movement.change()),
        money(movement.commission()),
        Cell::text(Some(&movement.actor)),
        Cell::text(movement.reason.as_deref()),
        Cell::plain(movement.id),
    ]
}

/// A statement as CSV: a line for the opening, one for each movement, one for the closing.
#[must_use]
pub fn statement_csv(statement: &Statement) -> String {
    let header = ["at", "kind", "order", "payout", "change", "commission", "balance", "currency", "reason"];
    let money = |amount| Cell::plain(Money { amount, currency: statement.currency.clone() }.to_decimal());
    let empty = || Cell::plain("");
    let edge = |at: Timestamp, word: &str, balance: i64| {
        let currency = Cell::plain(&statement.currency);
        vec![Cell::plain(at), Cell::plain(word), empty(), empty(), empty(), empty(), money(balance), currency, empty()]
    };
    let mut lines = vec![edge(statement.from, "opening", statement.opening)];
    let mut balance = statement.opening;
    for movement in &statement.movements {
        balance += movement.change();
        lines.push(vec![
            Cell::plain(movement.at),
            Cell::plain(movement.kind.code()),
            Cell::text(movement.order.as_ref().map(|(_, number, _)| number.as_str())),
            Cell::plain(movement.payout.map_or(String::new(), |payout| payout.to_string())),
            money(movement.change()),
            money(movement.commission()),
            money(balance),
            Cell::plain(&statement.currency),
            Cell::text(movement.reason.as_deref()),
        ]);
    }
    lines.push(edge(statement.until, "closing", statement.closing));
    csv::write(&header, &lines)
}
