//! What the audit trail says of money that moves, and of what the platform keeps of an order.

use super::Cause;
use crate::audit::{self, Record};
use crate::base::Result;
use crate::base::id::{CompanyId, OrderId};
use crate::wallet::commission::Commission;
use crate::wallet::entries::Transaction;

/// What the audit trail says of a transaction.
pub(super) fn record(transaction: &Transaction) -> Result<Record> {
    let moved: Vec<_> = transaction
        .postings
        .iter()
        .map(|posting| serde_json::json!({"from": posting.debit.0, "to": posting.credit.0, "amount": posting.amount}))
        .collect();
    let detail = serde_json::json!({
        "transaction": transaction.id, "order": transaction.order.map(|(order, _)| order),
        "round": transaction.order.map(|(_, round)| round), "payout": transaction.payout,
        "currency": transaction.currency, "moved": moved, "reason": transaction.reason,
    });
    Ok(Record {
        actor: transaction.actor.clone(),
        at: transaction.at,
        company: Some(transaction.company),
        subject: "wallet",
        subject_id: transaction.company.to_string(),
        action: transaction.kind.action(),
        request_id: transaction.request_id.clone(),
        detail: audit::detail(&detail)?,
    })
}

/// What the audit trail says of a commission that was calculated, by hand or by itself.
///
/// # Errors
/// `Internal` when it cannot be put in words.
pub fn calculated(cause: Cause<'_>, company: CompanyId, order: OrderId, commission: &Commission) -> Result<Record> {
    let detail = serde_json::json!({
        "total": commission.total, "amount": commission.amount, "currency": commission.currency,
        "rate": commission.rate, "lines": commission.lines,
    });
    Ok(Record {
        actor: cause.actor.clone(),
        at: cause.at,
        company: Some(company),
        subject: "order",
        subject_id: order.to_string(),
        action: "order.commission_calculated",
        request_id: cause.request_id.map(str::to_owned),
        detail: audit::detail(&detail)?,
    })
}
