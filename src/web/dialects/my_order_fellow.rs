//! Orders in the shape of reference/001: lists, one order, and what a webhook is answered with.

use actix_web::http::header::LINK;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::orders::{Customers, Order, Status, Timeline};
use crate::web::PublicUrl;
use crate::web::auth::{Caller, Read};
use crate::web::error::Answer;
use crate::web::orders::listing::{filter, next_link};
use crate::web::orders::target::Target;
use crate::web::query::Query;

const NAMES: [&str; 6] = ["status", "q", "carrier", "updated_since", "limit", "after"];
/// The earlier system knew no pages: whoever asks for none gets as many as one reply can bear.
const LARGEST_PAGE: i64 = 1000;

/// An order, flat, with its customer.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderReception, example = json!({
    "id": "772f9111-b38c-45a1-9234-112233445566",
    "customer_details": {"id": 1, "name": "Jane Doe", "phone": "+1234567890", "email": "jane@example.com"},
    "address": "123 Main St, Anytown, USA", "item_summary": "1x Widget, 2x Gadgets", "tracking_status": "PENDING"}))]
pub struct OrderReceptionView {
    id: Uuid,
    customer_details: CustomerDetailsView,
    address: Option<String>,
    item_summary: Option<String>,
    /// In capitals: `OUT_FOR_DELIVERY`.
    tracking_status: String,
}

/// A customer with a number.
#[derive(Serialize, ToSchema)]
#[schema(as = ReceivedCustomer)]
struct CustomerDetailsView {
    /// The same for every order of this e-mail address (or telephone number) and company.
    id: i64,
    name: Option<String>,
    phone: Option<String>,
    email: Option<String>,
}

impl OrderReceptionView {
    fn new(order: Order, customer: i64) -> Self {
        Self {
            id: order.id.0,
            tracking_status: order.status.code().to_ascii_uppercase(),
            customer_details: CustomerDetailsView {
                id: customer,
                name: order.customer.name,
                phone: order.customer.phone,
                email: order.customer.email,
            },
            address: order.address,
            item_summary: order.item_summary,
        }
    }
}

/// Orders in this shape.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn views(customers: &Customers, orders: Vec<Order>) -> Result<Vec<OrderReceptionView>> {
    let numbers = customers.numbers(&orders).await?;
    Ok(orders.into_iter().zip(numbers).map(|(order, number)| OrderReceptionView::new(order, number)).collect())
}

/// One order in this shape.
///
/// # Errors
/// `Unavailable` when the database is out of reach.
pub async fn view(customers: &Customers, order: Order) -> Result<OrderReceptionView> {
    let view = views(customers, vec![order]).await?.pop();
    view.ok_or_else(|| Error::internal("one order has one view"))
}

/// Lists orders, newest change first: your company's, or all for those who run the platform.
///
/// The reply is an array, whatever its length; where there is more, the `Link` header leads on.
#[utoipa::path(get, path = "/api/v1/orderreceptions", tag = "Order reception",
    params(("status" = Option<Vec<Status>>, Query, explode = false, description = "One of these, in any letter case: separated by commas, or given again and again"),
        ("q" = Option<String>, Query, description = "Number, external id, tracking number, name, e-mail or telephone contains this"),
        ("carrier" = Option<String>, Query, description = "This carrier, any letter case"),
        ("updated_since" = Option<String>, Query, format = DateTime, description = "Changed at or after this time (RFC 3339)"),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Orders in a page; 1000 when left out"),
        ("after" = Option<String>, Query, description = "As in the `Link` of the page before")),
    responses((status = 200, description = "Orders", body = Vec<OrderReceptionView>,
            headers(("Link" = Option<String>, description = "`<…>; rel=\"next\"` when there are more"))),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn list_order_receptions(
    request: HttpRequest,
    caller: Caller<Read>,
    timeline: Data<Timeline>,
    customers: Data<Customers>,
    home: Data<PublicUrl>,
) -> Answer {
    let query = Query::of(&request, &NAMES)?;
    let limit = usize::try_from(query.number("limit", LARGEST_PAGE, 1..=LARGEST_PAGE)?).map_err(Error::internal)?;
    let after = query.one("after")?.map(Cursor::decode).transpose()?;
    let page = timeline.list(&caller.actor(), filter(&query)?, after, limit).await?;
    let mut reply = HttpResponse::Ok();
    if let Some(next) = page.next {
        reply.insert_header((LINK, next_link(&home, &request, "after", &next.encode())));
    }
    Ok(reply.json(views(&customers, page.data).await?))
}

/// Reads an order.
#[utoipa::path(get, path = "/api/v1/orderreceptions/{id}", tag = "Order reception",
    params(("id" = String, Path, description = "UUID or number", example = "772f9111-b38c-45a1-9234-112233445566")),
    responses((status = 200, description = "The order", body = OrderReceptionView),
        (status = 400, response = crate::web::api::BadRequest), (status = 401, response = crate::web::api::Unauthorized),
        (status = 403, response = crate::web::api::Forbidden), (status = 404, response = crate::web::api::NotFound)),
    security(("bearer" = ["orders:read"]), ("api_key" = []), ("query_token" = [])))]
pub async fn get_order_reception(
    caller: Caller<Read>,
    target: Target,
    timeline: Data<Timeline>,
    customers: Data<Customers>,
) -> Answer {
    let order = timeline.get_order(&caller.actor(), &target.0).await?;
    Ok(HttpResponse::Ok().json(view(&customers, order).await?))
}

/// An order, or news of one, as a merchant's own system sends it. Fields that are not known are passed over.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "customer_details": {"name": "Jane Doe", "phone": "+1234567890", "email": "jane@example.com"},
    "address": "123 Main St, Anytown, USA", "item_summary": "1x Widget, 2x Gadgets", "tracking_status": "PENDING"}))]
#[expect(dead_code, reason = "describes a body of the OpenAPI document; the reading is in `webhooks`")]
pub struct SendOrder {
    /// Required unless the body names an order.
    customer_details: Option<SentCustomer>,
    address: Option<String>,
    item_summary: Option<String>,
    /// Any letter case. A word that is not known is kept, and means what `/api/v1/inbound-statuses` says.
    tracking_status: Option<String>,
    /// What people call the order; a known one is updated. `number` is read too.
    order_number: Option<String>,
    /// What your system calls the order; a known one is updated. `id` is read too, and may also be ours.
    external_id: Option<String>,
    carrier: Option<String>,
    tracking_number: Option<String>,
    tracking_url: Option<String>,
    /// A day, or a time with its zone.
    estimated_delivery: Option<String>,
    /// Shown to the customer.
    notes: Option<String>,
    cancellation_reason: Option<String>,
    /// When it was so: of two bodies about one order the later one counts, whichever comes first.
    updated_at: Option<jiff::Timestamp>,
}

/// Whom an order is for.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes a body of the OpenAPI document; the reading is in `webhooks`")]
struct SentCustomer {
    name: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    /// Language tag (BCP 47) for pages and mail.
    locale: Option<String>,
}
