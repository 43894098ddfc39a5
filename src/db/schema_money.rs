//! The tables of money, beside those of [`super::schema`].
#![expect(missing_docs, reason = "the columns are described in the migrations; the macro has no place for docs")]

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    commission_rates (id) {
        id -> Id,
        company_id -> Nullable<Id>,
        category -> Nullable<Text>,
        basis_points -> Integer,
        holds_from -> Instant,
        created_at -> Instant,
        created_by -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    order_commissions (order_id) {
        order_id -> Id,
        currency -> Text,
        total -> BigInt,
        amount -> BigInt,
        rate -> Text,
        lines -> Text,
        calculated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    ledger_accounts (id) {
        id -> Text,
        company_id -> Nullable<Id>,
        currency -> Text,
        balance -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    payouts (id) {
        id -> Id,
        company_id -> Id,
        currency -> Text,
        amount -> BigInt,
        state -> Text,
        requested_by -> Text,
        requested_at -> Instant,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<Instant>,
        paid_at -> Nullable<Instant>,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    ledger_transactions (id) {
        id -> Id,
        kind -> Text,
        company_id -> Id,
        currency -> Text,
        order_id -> Nullable<Id>,
        round -> Nullable<Integer>,
        payout_id -> Nullable<Id>,
        reason -> Nullable<Text>,
        actor_kind -> Text,
        actor_name -> Text,
        at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    ledger_postings (transaction_id, line) {
        transaction_id -> Id,
        line -> Integer,
        debit_account -> Text,
        credit_account -> Text,
        amount -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    order_credits (order_id, round) {
        order_id -> Id,
        round -> Integer,
        company_id -> Id,
        currency -> Text,
        vendor_amount -> BigInt,
        commission_amount -> BigInt,
        state -> Text,
        credited_at -> Instant,
        release_at -> Instant,
        disputed_at -> Nullable<Instant>,
    }
}
