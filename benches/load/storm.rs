//! Everyone is dropped at once, misses something, and comes back at once with its position.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::deliver::rooms_of_two;
use super::machine::cpu;
use super::server::{Place, Server};
use super::swarm::What;
use super::table::{Table, ms, share};
use super::traffic::{PATIENCE, Traffic};
use super::{Load, RUNS};

/// Events each order gets while its watchers are away.
const MISSED: i64 = 3;

/// Drops and reconnects every watcher.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    let place = Place::new(None)?;
    let seeds = rooms_of_two(load, &place)?;
    let server = Server::start(&place)?;
    let mut traffic = Traffic::new(server.address, &seeds)?;
    traffic.add_posters(64)?;
    let orders: Vec<usize> = (0..load.connections).map(|at| at % seeds.orders.len()).collect();
    let mut watchers = traffic.add_watchers(orders.iter().copied())?;
    for run in 1..=RUNS {
        traffic.swarm.cut(watchers);
        let since = traffic.seq.clone();
        miss(&mut traffic)?;
        let (begin, before) = (Instant::now(), cpu(server.pid())?);
        let (back, mut took) = come_back(&mut traffic, &orders, &since)?;
        let (all, spent) = (begin.elapsed(), cpu(server.pid())?.saturating_sub(before));
        took.sort_unstable();
        let places: Vec<_> = back.iter().copied().zip(orders.iter().copied()).collect();
        traffic.check(&places)?;
        let figure = format!(
            "all complete after {} (p50 {}, p99 {}); CPU {:.0} us per connection; 0 lost of {}",
            ms(all),
            ms(share(&took, 0.5)),
            ms(share(&took, 0.99)),
            spent.as_secs_f64() * 1e6 / orders.len() as f64,
            orders.len() as i64 * MISSED
        );
        table.row(&format!("{} come back at once, {MISSED} missed each, run {run}", orders.len()), figure, "0 lost");
        watchers = back;
    }
    Ok(())
}

/// Each order gets its events while nobody watches.
fn miss(traffic: &mut Traffic<'_>) -> Result<()> {
    for _ in 0..MISSED {
        for order in 0..traffic.seq.len() {
            while !traffic.has_poster() {
                traffic.turn(Duration::from_millis(100))?;
            }
            traffic.note(order, 30)?;
        }
        traffic.settle(0)?;
    }
    Ok(())
}

/// Connects everyone at once; says how long each waited for the last event it had missed.
fn come_back(traffic: &mut Traffic<'_>, orders: &[usize], since: &[i64]) -> Result<(Vec<usize>, Vec<Duration>)> {
    let begin = Instant::now();
    let mut watchers = Vec::with_capacity(orders.len());
    let mut took = Vec::with_capacity(orders.len());
    let mut last = Instant::now();
    let mut first = usize::MAX;
    while took.len() < orders.len() {
        // A bit at a time, or what has connected already would wait until the last has been sent off.
        let batch: Vec<usize> = orders.iter().copied().skip(watchers.len()).take(256).collect();
        for order in &batch {
            let pass = traffic.pass(*order)?;
            let who = traffic.swarm.watch(traffic.server(), pass, Some(since[*order]))?;
            first = first.min(who);
            watchers.push(who);
        }
        let wait = if batch.is_empty() { Duration::from_millis(100) } else { Duration::ZERO };
        for happened in traffic.turn(wait)? {
            last = happened.at;
            match happened.what {
                What::Event(seq) if happened.who >= first && seq == traffic.seq[orders[happened.who - first]] => {
                    took.push(happened.at.duration_since(begin));
                }
                What::Closed(code) => anyhow::bail!("a watcher was closed ({code:?})"),
                _ => {}
            }
        }
        ensure!(last.elapsed() < PATIENCE, "only {} of {} are complete", took.len(), orders.len());
    }
    Ok((watchers, took))
}
