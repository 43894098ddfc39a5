//! How long an update takes from its POST to its watchers, at a steady rate.

use std::time::{Duration, Instant};

use anyhow::Result;
use rand::RngExt as _;

use super::deliver::rooms_of_two;
use super::machine::cpu;
use super::server::{Place, Server};
use super::swarm::What;
use super::table::{Table, ms, share};
use super::traffic::Traffic;
use super::{Load, RUNS};

/// Updates a second.
const RATE: f64 = 2_000.0;

/// A steady rate into rooms of two.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    let place = Place::new(None)?;
    let seeds = rooms_of_two(load, &place)?;
    let server = Server::start(&place)?;
    let mut traffic = Traffic::new(server.address, &seeds)?;
    traffic.add_posters(256)?;
    let orders: Vec<usize> = (0..load.connections).map(|at| at % seeds.orders.len()).collect();
    let watchers: Vec<_> = traffic.add_watchers(orders.iter().copied())?.into_iter().zip(orders).collect();
    let mut room_of = vec![0; 256 + watchers.len()];
    watchers.iter().for_each(|(who, order)| room_of[*who] = *order);
    steady(&mut traffic, &room_of, load.seconds(2.0))?;
    for run in 1..=RUNS {
        let before = cpu(server.pid())?;
        let seconds = load.seconds(8.0);
        let (mut took, late) = steady(&mut traffic, &room_of, seconds)?;
        took.sort_unstable();
        let busy = cpu(server.pid())?.saturating_sub(before).as_secs_f64() / seconds * 100.0;
        let figure = format!(
            "p50 {} p99 {} p99.9 {} max {}; core busy {busy:.0} %, {late} sent late",
            ms(share(&took, 0.5)),
            ms(share(&took, 0.99)),
            ms(share(&took, 0.999)),
            ms(took.last().copied().unwrap_or_default())
        );
        table.row(&format!("{RATE} updates/s into {} rooms of two, run {run}", seeds.orders.len()), figure, "");
    }
    traffic.check(&watchers)
}

/// Keeps the rate, whatever the server does; the time of a delivery begins when its update was due.
fn steady(traffic: &mut Traffic<'_>, room_of: &[usize], seconds: f64) -> Result<(Vec<Duration>, u64)> {
    let (begin, gap) = (Instant::now(), Duration::from_secs_f64(1.0 / RATE));
    let mut random = rand::rng();
    let (mut took, mut next, mut late) = (Vec::new(), begin, 0);
    let end = begin + Duration::from_secs_f64(seconds);
    let due = traffic.delivered;
    let mut sent = 0;
    while next < end || traffic.under_way() > 0 || traffic.delivered < due + 2 * sent {
        while next < end && next <= Instant::now() && traffic.has_poster() {
            let order = random.random_range(0..traffic.seq.len());
            // One at a time, so that it is known which update an event came of.
            if traffic.is_busy(order) {
                break;
            }
            traffic.note(order, 30)?;
            late += u64::from(traffic.sent[order].duration_since(next) > Duration::from_millis(1));
            traffic.sent[order] = next;
            sent += 1;
            next += gap;
        }
        let wait = if next < end { next.saturating_duration_since(Instant::now()) } else { gap };
        for happened in traffic.turn(wait)? {
            if let What::Event(_) = happened.what {
                took.push(happened.at.saturating_duration_since(traffic.sent[room_of[happened.who]]));
            }
        }
        anyhow::ensure!(Instant::now() < end + super::traffic::PATIENCE, "deliveries are missing");
    }
    Ok((took, late))
}
