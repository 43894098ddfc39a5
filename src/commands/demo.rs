//! `ordercast demo`: a shop, a few orders, and a simulated courier that moves them every few seconds.

use std::net::TcpListener;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ordercast::app::App;
use ordercast::base::{Actor, Clock, Error, Money, Result};
use ordercast::config::{Config, UNNAMED};
use ordercast::orders::{Change, Customer, Estimate, Item, NewOrder, OrderRef, Status};
use ordercast::web::Parts;
use ordercast::web::pages::demo_shop;

const COURIER: Actor = Actor::System("demo courier");

/// The way of an order, and what the customer is told at each step.
const WAY: [(Status, &str); 7] = [
    (Status::Confirmed, "The shop has confirmed your order."),
    (Status::Processing, "Your items are being picked from the shelf."),
    (Status::Packed, "Your order was packed and is ready for pick-up."),
    (Status::Shipped, "Handed to the courier."),
    (Status::OutForDelivery, "Your courier has picked up the parcel. You are stop 5 of 18."),
    (Status::DeliveryFailed, "Nobody answered the door. The courier will try again in a moment."),
    (Status::Delivered, "Left at the front door."),
];

/// Serves, with the courier at work every `every`.
pub async fn run(mut config: Config, every: Duration) -> Result<()> {
    if config.shop_name == UNNAMED {
        config.shop_name = "Juniper & Co.".into();
    }
    let shop = TcpListener::bind((config.bind.ip(), config.bind.port().checked_add(1).unwrap_or(0)))
        .or_else(|_| TcpListener::bind((config.bind.ip(), 0)))
        .map_err(Error::internal)?;
    let shop_origin = format!("http://{}", shop.local_addr().map_err(Error::internal)?);
    config.allowed_origins.push(shop_origin.clone());
    let app = App::build(config.clone(), Clock::System).await?;
    let parts = app.parts.clone();
    let orders = vec![place(&parts, 0).await?, place(&parts, 1).await?, place(&parts, 2).await?];
    let (_, pass) = parts.passes.create(orders[0], None).await?;
    let base = config.public_url(app.address()?);
    parts.pages.show_demo(format!("/track/{pass}"));
    super::announce(&format!(
        "Ordercast listens on {base}\n\
         Open this page and watch it change by itself: {base}/track/{pass}\n\
         The same order embedded in a shop on another origin: {shop_origin}\n"
    ));
    tokio::spawn(demo_shop::serve(parts.pages.clone(), shop, base, pass));
    tokio::spawn(drive(parts, orders, every));
    app.run().await
}

/// A new order; `nth` chooses its content.
async fn place(parts: &Parts, nth: usize) -> Result<ordercast::base::id::OrderId> {
    let items = [("Neem & tulsi face wash", 2, 1200), ("Rosewater toner, 200 ml", 1, 950), ("Oat soap bar", 3, 450)];
    let (name, qty, price) = items[nth % items.len()];
    let total = Money::new(price * i64::from(qty), "USD");
    let new = NewOrder {
        company: parts.companies.first().await?.id,
        customer: Customer {
            name: Some("Sample Customer".into()),
            email: Some("customer@shop.example".into()),
            ..Customer::default()
        },
        address: Some("12 Sample Road, Springfield".into()),
        item_summary: Some(format!("{qty}x {name}")),
        items: vec![Item {
            name: name.into(),
            qty,
            unit_price: Money::new(price, "USD"),
            image_url: None,
            category: None,
        }],
        total,
        ..NewOrder::default()
    };
    Ok(parts.orders.create(COURIER, new, None).await?.order.id)
}

/// Moves every order one step each round, and places a new one for each that has arrived.
async fn drive(parts: Parts, mut orders: Vec<ordercast::base::id::OrderId>, every: Duration) {
    let mut round = tokio::time::interval(every);
    round.tick().await;
    for nth in 3.. {
        round.tick().await;
        let at = nth % orders.len();
        for order in orders.clone() {
            if let Err(error) = step(&parts, order).await {
                tracing::warn!(%error, "the demo courier stumbled");
            }
        }
        // The first order stays as the open page shows it; others make room for new ones once they have arrived.
        let arrived = at > 0 && has_arrived(&parts, orders[at]).await.unwrap_or(false);
        if arrived && let Ok(new) = place(&parts, nth).await {
            orders[at] = new;
        }
    }
}

async fn has_arrived(parts: &Parts, order: ordercast::base::id::OrderId) -> Result<bool> {
    Ok(parts.timeline.get_order(&COURIER, &OrderRef::Id(order)).await?.status.is_terminal())
}

async fn step(parts: &Parts, id: ordercast::base::id::OrderId) -> Result<()> {
    let order = parts.timeline.get_order(&COURIER, &OrderRef::Id(id)).await?;
    let next = WAY.iter().position(|(status, _)| *status == order.status).map_or(0, |at| at + 1);
    let Some((status, note)) = WAY.get(next) else { return Ok(()) };
    let arrives = parts.clock.now().checked_add(SignedDuration::from_hours(2)).map_err(Error::internal)?;
    let is_new = order.status == Status::Packed;
    let change = Change {
        status: Some(*status),
        notes: Some((*note).into()),
        carrier: is_new.then(|| "SteadFast".into()),
        tracking_number: is_new.then(|| format!("1770{:05}", id.0.as_u128() % 100_000)),
        estimated_delivery: is_new.then(|| Estimate::By(to_the_hour(arrives))),
        ..Change::default()
    };
    parts.orders.advance(COURIER, OrderRef::Id(id), change, None).await?;
    Ok(())
}

fn to_the_hour(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second() / 3600 * 3600).unwrap_or(time)
}
