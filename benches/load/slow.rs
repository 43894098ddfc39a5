//! Some readers of a busy room stop reading: the others must not notice, and the server must not grow.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Load;
use super::machine::memory;
use super::server::{Place, Server};
use super::swarm::What;
use super::table::{Table, ms, share};
use super::traffic::{PATIENCE, Traffic};

const READERS: usize = 50;
const STOPPED: usize = 5;
/// Length of the note, in the manner of ENGINE's 2 KB messages.
const NOTE: usize = 1_800;
/// Updates a second; slow enough that none waits for the one before.
const RATE: f64 = 1_000.0;

/// Five of fifty stop reading while the order changes again and again, then read on.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    let place = Place::new(None)?;
    let seeds = place.seed(1, 1)?;
    let server = Server::start(&place)?;
    let mut traffic = Traffic::new(server.address, &seeds)?;
    traffic.add_posters(8)?;
    let watchers = traffic.add_watchers(std::iter::repeat_n(0, READERS))?;
    let (stopped, reading) = watchers.split_at(STOPPED);
    drive(&mut traffic, reading, load.less(500))?;
    let before = memory(server.pid())?;
    for who in stopped {
        traffic.swarm.pause(*who, true)?;
    }
    let count = load.less(10_000);
    let (mut took, peak) = drive_and_watch(&mut traffic, reading, count, server.pid())?;
    took.sort_unstable();
    let grown = peak.saturating_sub(before) as f64 / 1e6;
    let name = format!("{STOPPED} of {READERS} readers stop, {count} updates of 2 KB");
    table.row(&format!("{name}: the server grows by"), format!("{grown:.1} MB"), "");
    let figure = format!("p50 {} p99 {}", ms(share(&took, 0.5)), ms(share(&took, 0.99)));
    table.row(&format!("{name}: delivery to the others"), figure, "");
    let (complete, closed) = read_on(&mut traffic, stopped)?;
    let whole: Vec<_> = reading.iter().map(|who| (*who, 0)).collect();
    traffic.check(&whole)?;
    let figure = format!("{complete} read on without a gap, {closed} were closed with 4100 and resume; 0 lost");
    table.row(&format!("{name}: those who stopped"), figure, "0 lost");
    Ok(())
}

/// Changes the order so often; each change once the readers have the one before.
fn drive(traffic: &mut Traffic<'_>, reading: &[usize], count: usize) -> Result<()> {
    for _ in 0..count {
        traffic.note(0, NOTE)?;
        let begin = Instant::now();
        while traffic.under_way() > 0 || !reading.iter().all(|who| traffic.swarm.position(*who) == Some(traffic.seq[0]))
        {
            traffic.turn(Duration::from_millis(100))?;
            ensure!(begin.elapsed() < PATIENCE, "the readers are stuck: {:?}", traffic.swarm.faults);
        }
    }
    Ok(())
}

/// The same at a steady rate; says how long each delivery took and how large the server has been.
fn drive_and_watch(
    traffic: &mut Traffic<'_>,
    reading: &[usize],
    count: usize,
    server: u32,
) -> Result<(Vec<Duration>, u64)> {
    let gap = Duration::from_secs_f64(1.0 / RATE);
    let (mut took, mut peak, mut next) = (Vec::with_capacity(count * READERS), 0, Instant::now());
    for at in 0..count {
        next = (next + gap).max(Instant::now());
        while Instant::now() < next {
            traffic.turn(next.saturating_duration_since(Instant::now()))?;
        }
        traffic.note(0, NOTE)?;
        let begin = Instant::now();
        let mut due = reading.len();
        while due > 0 || traffic.under_way() > 0 {
            for happened in traffic.turn(Duration::from_millis(100))? {
                if let What::Event(seq) = happened.what
                    && seq == traffic.seq[0]
                    && reading.contains(&happened.who)
                {
                    took.push(happened.at.duration_since(traffic.sent[0]));
                    due -= 1;
                }
            }
            ensure!(begin.elapsed() < PATIENCE, "the readers are stuck: {:?}", traffic.swarm.faults);
        }
        if at % 100 == 0 {
            peak = memory(server)?.max(peak);
        }
    }
    Ok((took, peak))
}

/// Lets the stopped ones read again: each gets everything in order, or is told to come back.
fn read_on(traffic: &mut Traffic<'_>, stopped: &[usize]) -> Result<(usize, usize)> {
    for who in stopped {
        traffic.swarm.pause(*who, false)?;
    }
    let (begin, mut closed) = (Instant::now(), 0);
    loop {
        let complete = stopped.iter().filter(|who| traffic.swarm.position(**who) == Some(traffic.seq[0])).count();
        if complete + closed == stopped.len() {
            return Ok((complete, closed));
        }
        for happened in traffic.turn(Duration::from_millis(100))? {
            if let What::Closed(code) = happened.what {
                ensure!(code == Some(4100), "a slow reader was closed with {code:?}");
                closed += 1;
            }
        }
        ensure!(begin.elapsed() < PATIENCE, "{complete} of {} have caught up", stopped.len());
    }
}
