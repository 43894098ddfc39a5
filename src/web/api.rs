//! The canonical API: its route table, one line per endpoint, and what its operations have in common in the OpenAPI document.
//!
//! The table is written once. Routes, the document and the test that compares them are all made of it, so that no
//! endpoint can be served and not described.

use actix_web::web::ServiceConfig;
use utoipa::ToResponse;

use super::dialects::my_order_fellow;
use super::error::ProblemView;
use super::idempotency::carry_out_once;
use super::methods::endpoint;
use super::{
    accounts, approvals, audit, carriers, confirmations, kyc, orders, tokens, track, vendor, wallet, webhooks,
    workflows,
};

/// One endpoint: method, path, operation id.
pub type Endpoint = (&'static str, &'static str, &'static str);

macro_rules! routes {
    ($($path:literal => { $($method:ident: $($module:ident)::+ . $handler:ident),+ };)+) => {
        /// Every endpoint of the canonical API.
        pub const TABLE: &[Endpoint] = &[$($((stringify!($method), $path, stringify!($handler)),)+)+];

        /// Registers the canonical API. Every path works with and without a slash at its end.
        pub fn configure(cfg: &mut ServiceConfig) {
            $(cfg.service(
                endpoint!([$path, concat!($path, "/")], within carry_out_once => $($method: $($module)::+::$handler),+)
            );)+
        }

        /// What utoipa has gathered from the handlers of the table.
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($($($module)::+::$handler,)+)+))]
        pub struct Described;
    };
}

// Paths with a fixed word come before those where any order may stand.
routes! {
    "/api/v1/orders" => { post: orders.create_order, get: orders::listing.list_orders };
    "/api/v1/orders/batch" => { post: orders::bulk.create_orders };
    "/api/v1/orders/bulk-status" => { post: orders::bulk.set_order_statuses };
    "/api/v1/orders/commission" => { post: wallet::commission.calculate_commissions };
    "/api/v1/orders/{id}" => { get: orders.get_order, patch: orders.change_order };
    "/api/v1/orders/{id}/status" => { post: orders.set_order_status };
    "/api/v1/orders/{id}/commission" => { get: wallet::commission.get_order_commission, post: wallet::commission.calculate_order_commission };
    "/api/v1/orders/{id}/events" => { get: orders::history.list_order_events };
    "/api/v1/orders/{id}/audit" => { get: orders::history.list_order_audit };
    "/api/v1/orders/{id}/tracking-pass" => { post: orders::passes.create_tracking_pass, get: orders::passes.list_tracking_passes };
    "/api/v1/orders/{id}/tracking-pass/{pass_id}" => { delete: orders::passes.revoke_tracking_pass };
    "/api/v1/track" => { get: track.get_tracked_order };
    "/api/v1/track/preferences" => { get: track.get_preferences, patch: track.set_preferences };
    "/api/v1/track/confirmation" => { get: confirmations.get_confirmation, post: confirmations.answer_confirmation };
    "/api/v1/track/lookup" => { post: track.look_up_order };
    "/api/v1/vendor/orders" => { get: vendor.list_vendor_orders };
    "/api/v1/vendor/orders/next-steps" => { post: vendor::steps.take_next_steps };
    "/api/v1/vendor/orders/{id}/next-steps" => { get: vendor::steps.list_next_steps };
    "/api/v1/vendor/orders/{id}/next-step" => { post: vendor::steps.take_next_step };
    "/api/v1/vendor/orders/{id}/confirmation-code" => { post: vendor::steps.confirm_by_code };
    "/api/v1/vendor/packing-list" => { get: vendor::packing_list.get_packing_list };
    "/api/v1/workflows" => { get: workflows.list_workflows, put: workflows.set_workflow, delete: workflows.retire_workflow };
    "/api/v1/approvals" => { get: approvals.list_approvals };
    "/api/v1/approvals/{id}" => { get: approvals.get_approval };
    "/api/v1/approvals/{id}/approve" => { post: approvals.approve_move };
    "/api/v1/approvals/{id}/refuse" => { post: approvals.refuse_move };
    "/api/v1/admin/disputes" => { get: confirmations.list_disputes };
    "/api/v1/admin/disputes/{id}/resolve" => { post: confirmations.resolve_dispute };
    "/api/v1/carriers/guess" => { get: carriers.guess_carriers };
    "/api/v1/users/kyc/token" => { post: kyc.open_onboarding };
    "/api/v1/users/kyc/secret" => { post: kyc.show_webhook_secret };
    "/api/v1/users/kyc" => { get: kyc.get_kyc, post: kyc.submit_kyc };
    "/api/v1/admin/kyc" => { get: kyc::review.list_kyc };
    "/api/v1/admin/kyc/{id}" => { get: kyc::review.get_kyc_submission };
    "/api/v1/admin/kyc/{id}/documents/{document}" => { get: kyc::review.get_kyc_document };
    "/api/v1/admin/kyc/{id}/approve" => { post: kyc::review.approve_kyc };
    "/api/v1/admin/kyc/{id}/reject" => { post: kyc::review.reject_kyc };
    "/api/v1/users/auth/register" => { post: accounts::sign_up.register };
    "/api/v1/users/verify-otp" => { post: accounts::sign_up.verify_otp };
    "/api/v1/users/request-otp" => { post: accounts::sign_up.request_otp };
    "/api/v1/users/auth/login" => { post: accounts::sign_in.log_in };
    "/api/v1/users/auth/logout" => { post: accounts::sign_in.log_out };
    "/api/v1/users/auth/refresh" => { post: accounts::sign_in.refresh_tokens };
    "/api/v1/users/auth/password/forgot" => { post: accounts::passwords.forgot_password };
    "/api/v1/users/auth/password/reset" => { post: accounts::passwords.reset_password };
    "/api/v1/users/auth/password/change" => { post: accounts::passwords.change_password };
    "/api/v1/users/me" => { get: accounts::me.get_me, patch: accounts::me.change_me };
    "/api/v1/users/me/sessions" => { get: accounts::me.list_sessions };
    "/api/v1/users/me/sessions/{id}" => { delete: accounts::me.end_session };
    "/api/v1/company/people" => { get: accounts::people.list_colleagues, post: accounts::people.invite_colleague };
    "/api/v1/company/people/{id}" => { patch: accounts::people.change_colleague, delete: accounts::people.remove_colleague };
    "/api/v1/company/people/{id}/invitation" => { post: accounts::people.invite_colleague_again };
    "/api/v1/admin/companies" => { get: accounts::admin.list_companies };
    "/api/v1/admin/companies/{id}/suspend" => { post: accounts::admin.suspend_company };
    "/api/v1/admin/companies/{id}/restore" => { post: accounts::admin.restore_company };
    "/api/v1/admin/companies/{id}" => { get: wallet::selling.get_company_terms, patch: wallet::selling.change_company_terms };
    "/api/v1/admin/companies/{id}/wallet-adjustments" => { post: wallet::selling.adjust_wallet };
    "/api/v1/admin/orders/{id}/credit" => { post: wallet::credit.act_on_credit };
    "/api/v1/admin/payouts" => { get: wallet::payouts.list_payouts };
    "/api/v1/admin/payouts.csv" => { get: wallet::payouts.get_payout_file };
    "/api/v1/admin/payouts/{id}/approve" => { post: wallet::payouts.approve_payout };
    "/api/v1/admin/payouts/{id}/refuse" => { post: wallet::payouts.refuse_payout };
    "/api/v1/admin/payouts/{id}/paid" => { post: wallet::payouts.pay_payout };
    "/api/v1/commission-rates" => { get: wallet::commission.list_commission_rates, post: wallet::commission.set_commission_rate };
    "/api/v1/wallet" => { get: wallet::reading.get_wallet };
    "/api/v1/wallet/ledger" => { get: wallet::reading.list_ledger };
    "/api/v1/wallet/ledger.csv" => { get: wallet::reading.get_ledger_csv };
    "/api/v1/wallet/statement" => { get: wallet::reading.get_statement };
    "/api/v1/wallet/statement.csv" => { get: wallet::reading.get_statement_csv };
    "/api/v1/wallet/payouts" => { get: wallet::payouts.list_own_payouts, post: wallet::payouts.request_payout };
    "/api/v1/admin/people" => { get: accounts::admin.list_people, post: accounts::admin.invite_staff };
    "/api/v1/admin/people/{id}" => { patch: accounts::admin.change_person };
    "/api/v1/audit" => { get: audit.list_audit };
    "/api/v1/tokens" => { get: tokens.list_tokens, post: tokens.generate_token };
    "/api/v1/tokens/{name}" => { delete: tokens.revoke_token };
    "/api/v1/webhook" => { post: webhooks.receive_webhook };
    "/api/v1/webhook/shopify/{company}" => { post: webhooks.receive_shopify_webhook };
    "/api/v1/webhook/woocommerce/{company}" => { post: webhooks.receive_woocommerce_webhook };
    "/api/v1/webhook/{company}" => { post: webhooks.receive_company_webhook };
    "/api/v1/orderreceptions" => { get: my_order_fellow.list_order_receptions };
    "/api/v1/orderreceptions/{id}" => { get: my_order_fellow.get_order_reception };
    "/api/v1/company/webhook-secrets" => { get: webhooks::secrets.list_webhook_secrets, post: webhooks::secrets.create_webhook_secret };
    "/api/v1/company/webhook-secrets/rotate" => { post: webhooks::secrets.rotate_webhook_secret };
    "/api/v1/company/webhook-secrets/{id}" => { delete: webhooks::secrets.revoke_webhook_secret };
    "/api/v1/inbound-statuses" => { get: webhooks::statuses.list_inbound_statuses, put: webhooks::statuses.set_inbound_status, delete: webhooks::statuses.delete_inbound_status };
    "/api/v1/inbox" => { get: webhooks::inbox.list_inbox };
    "/api/v1/inbox/rerun" => { post: webhooks::inbox.rerun_inbox };
    "/api/v1/inbox/{id}" => { get: webhooks::inbox.get_inbox_entry };
    "/api/v1/inbox/{id}/rerun" => { post: webhooks::inbox.rerun_inbox_entry };
    "/api/v1/customers/{id}/personal-data" => { delete: webhooks::customers.forget_customer };
}

macro_rules! responses {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(ToResponse)]
        #[response(content_type = "application/problem+json")]
        #[expect(dead_code, reason = "describes a reply of the OpenAPI document")]
        pub struct $name(ProblemView);
    )+};
}

responses! {
    /// The request breaks a rule; `detail` says which and what to send instead.
    BadRequest;
    /// No credential, or one that is not (or no longer) good.
    Unauthorized;
    /// The credential lacks a scope, or belongs to another company.
    Forbidden;
    /// There is nothing of this name for the caller.
    NotFound;
    /// `seq_mismatch`: the order has moved on since the caller read it.
    Moved;
}
