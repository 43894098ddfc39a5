//! The tables, once for both databases; a test compares them with what the migrations really made.
#![expect(missing_docs, reason = "the columns are described in the migrations; the macro has no place for docs")]

pub use super::schema_money::*;

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    companies (id) {
        id -> Id,
        name -> Text,
        slug -> Text,
        created_at -> Instant,
        state -> Text,
        marketplace_since -> Nullable<Instant>,
        hold_days -> Nullable<Integer>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    accounts (id) {
        id -> Id,
        email -> Text,
        name -> Text,
        role -> Text,
        company_id -> Nullable<Id>,
        password_hash -> Text,
        created_at -> Instant,
        verified_at -> Nullable<Instant>,
        suspended_at -> Nullable<Instant>,
        failed_logins -> Integer,
        locked_until -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    api_tokens (id) {
        id -> Id,
        name -> Text,
        hash -> Binary,
        last_four -> Text,
        scopes -> Text,
        company_id -> Nullable<Id>,
        created_at -> Instant,
        expires_at -> Nullable<Instant>,
        last_used_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    orders (id) {
        id -> Id,
        company_id -> Id,
        number -> Text,
        external_id -> Nullable<Text>,
        status -> Text,
        seq -> BigInt,
        customer_name -> Nullable<Text>,
        customer_phone -> Nullable<Text>,
        customer_email -> Nullable<Text>,
        customer_locale -> Nullable<Text>,
        address -> Nullable<Text>,
        item_summary -> Nullable<Text>,
        items -> Nullable<Text>,
        total_amount -> Nullable<BigInt>,
        total_currency -> Nullable<Text>,
        carrier -> Nullable<Text>,
        tracking_number -> Nullable<Text>,
        tracking_url -> Nullable<Text>,
        estimated_delivery -> Nullable<Text>,
        original_estimated_delivery -> Nullable<Text>,
        shipment_status -> Nullable<Text>,
        shipment_reason -> Nullable<Text>,
        courier_account -> Nullable<Text>,
        courier_id -> Nullable<Text>,
        notes -> Nullable<Text>,
        cancellation_reason -> Nullable<Text>,
        shipped_at -> Nullable<Instant>,
        delivered_at -> Nullable<Instant>,
        created_at -> Instant,
        updated_at -> Instant,
        category -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    order_events (order_id, seq) {
        order_id -> Id,
        seq -> BigInt,
        id -> Id,
        company_id -> Id,
        #[sql_name = "type"]
        kind -> Text,
        status -> Text,
        previous_status -> Nullable<Text>,
        body -> Text,
        actor_kind -> Text,
        actor_name -> Text,
        occurred_at -> Instant,
        actor_id -> Nullable<Text>,
        actor_role -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    tracking_passes (id) {
        id -> Id,
        order_id -> Id,
        created_at -> Instant,
        expires_at -> Nullable<Instant>,
        revoked_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    audit_log (id) {
        id -> Id,
        at -> Instant,
        actor_kind -> Text,
        actor_id -> Nullable<Text>,
        actor_name -> Text,
        company_id -> Nullable<Id>,
        subject -> Text,
        subject_id -> Text,
        action -> Text,
        request_id -> Nullable<Text>,
        detail -> Text,
        lane -> Nullable<Integer>,
        n -> Nullable<BigInt>,
        previous -> Nullable<Binary>,
        hash -> Nullable<Binary>,
    }
}

diesel::table! {
    audit_chains (lane) {
        lane -> Integer,
        n -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    jobs (id) {
        id -> Id,
        kind -> Text,
        payload -> Text,
        dedupe_key -> Nullable<Text>,
        state -> Text,
        attempts -> Integer,
        run_at -> Instant,
        leased_until -> Nullable<Instant>,
        last_error -> Nullable<Text>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    idempotency_keys (caller, key) {
        caller -> Text,
        key -> Text,
        fingerprint -> Binary,
        status -> Nullable<Integer>,
        reply -> Nullable<Text>,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    setup_links (hash) { hash -> Binary, created_at -> Instant, used_at -> Nullable<Instant>, }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    account_codes (account_id, purpose) {
        account_id -> Id,
        purpose -> Text,
        mac -> Nullable<Binary>,
        tries -> Integer,
        expires_at -> Instant,
        sent_at -> Instant,
        sends -> Integer,
        window_began -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    sessions (id) {
        id -> Id,
        account_id -> Id,
        kind -> Text,
        refresh_hash -> Binary,
        previous_hash -> Nullable<Binary>,
        rotated_at -> Instant,
        created_at -> Instant,
        expires_at -> Instant,
        last_used_at -> Instant,
        revoked_at -> Nullable<Instant>,
        revoked_for -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    kyc_submissions (id) {
        id -> Id,
        company_id -> Id,
        state -> Text,
        legal_name -> Text,
        registration_number -> Text,
        country -> Text,
        address -> Text,
        website -> Nullable<Text>,
        phone -> Nullable<Text>,
        submitted_by -> Id,
        submitted_at -> Instant,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<Instant>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    kyc_documents (id) {
        id -> Id,
        submission_id -> Id,
        kind -> Text,
        name -> Text,
        media_type -> Text,
        size -> BigInt,
        content -> Binary,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    webhook_secrets (id) {
        id -> Id,
        company_id -> Id,
        source -> Text,
        sealed -> Binary,
        last_four -> Text,
        created_at -> Instant,
        expires_at -> Nullable<Instant>,
        last_used_at -> Nullable<Instant>,
        shown_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    inbox (id) {
        id -> Id,
        company_id -> Id,
        source -> Text,
        topic -> Nullable<Text>,
        delivery_id -> Nullable<Text>,
        headers -> Text,
        body -> Binary,
        subject -> Nullable<Text>,
        occurred_at -> Nullable<Instant>,
        customer_contact -> Nullable<Text>,
        verdict -> Text,
        result -> Text,
        order_id -> Nullable<Id>,
        runs -> Integer,
        received_at -> Instant,
        processed_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    inbound_statuses (company_id, source, theirs) {
        company_id -> Id,
        source -> Text,
        theirs -> Text,
        ours -> Text,
        updated_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    customers (id) {
        id -> BigInt,
        company_id -> Id,
        contact -> Text,
        created_at -> Instant,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    mail_stops (order_id) { order_id -> Id, stopped_at -> Instant, }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    workflows (company_id, version) {
        company_id -> Id,
        version -> Integer,
        graph -> Text,
        created_by -> Text,
        created_at -> Instant,
        retired_at -> Nullable<Instant>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::Id;
    order_workflows (order_id) { order_id -> Id, company_id -> Id, version -> Integer, }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::db::types::{Id, Instant};
    held_moves (id) {
        id -> Id,
        order_id -> Id,
        company_id -> Id,
        gate -> Text,
        from_status -> Text,
        to_status -> Text,
        wish -> Text,
        seq -> BigInt,
        asked_by -> Id,
        asked_by_name -> Text,
        asked_at -> Instant,
        due_at -> Instant,
        state -> Text,
        tries -> Integer,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<Instant>,
        reason -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    companies,
    orders,
    order_events,
    tracking_passes,
    api_tokens,
    accounts,
    sessions,
    account_codes,
    kyc_submissions,
    kyc_documents,
    webhook_secrets,
    inbox,
    order_commissions,
    ledger_accounts,
    payouts,
    ledger_transactions,
    ledger_postings,
    order_credits,
    workflows,
    order_workflows,
    held_moves,
);
