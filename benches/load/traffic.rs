//! Watchers and posters of one server: connects them, keeps updates under way, knows what each room must have got.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::server::Seeds;
use super::swarm::{Happened, Swarm, What};

/// How long nothing may happen before a run counts as stuck.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Connections that may be on their way at once while the load is set up; the kernel queues 128.
const CONNECTING: usize = 100;

/// The load on one server.
pub struct Traffic<'a> {
    /// All connections.
    pub swarm: Swarm,
    server: SocketAddr,
    seeds: &'a Seeds,
    idle: VecDeque<usize>,
    asked: HashMap<usize, usize>,
    /// What each order's log must hold by now.
    pub seq: Vec<i64>,
    /// Replies so far.
    pub replied: u64,
    /// Events the watchers got so far.
    pub delivered: u64,
    /// When each order's last update was sent.
    pub sent: Vec<Instant>,
    count: u64,
}

impl<'a> Traffic<'a> {
    /// No connections yet; the orders are as they were seeded.
    pub fn new(server: SocketAddr, seeds: &'a Seeds) -> Result<Self> {
        let orders = seeds.orders.len();
        Ok(Self {
            swarm: Swarm::new()?,
            server,
            seeds,
            idle: VecDeque::new(),
            asked: HashMap::new(),
            seq: vec![1; orders],
            replied: 0,
            delivered: 0,
            sent: vec![Instant::now(); orders],
            count: 0,
        })
    }

    /// Connects posters.
    pub fn add_posters(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let who = self.swarm.poster(self.server)?;
            self.idle.push_back(who);
        }
        Ok(())
    }

    /// Lets go of the posters; none may have a request under way. One that idles for long would be closed by the server.
    pub fn drop_posters(&mut self) {
        self.swarm.cut(self.idle.drain(..));
    }

    /// Connects a watcher for each of these orders and waits until all are subscribed; returns them in that order.
    pub fn add_watchers(&mut self, orders: impl Iterator<Item = usize>) -> Result<Vec<usize>> {
        let (mut watchers, mut subscribed) = (Vec::new(), 0);
        let mut last = Instant::now();
        let mut orders = orders.peekable();
        while orders.peek().is_some() || subscribed < watchers.len() {
            while watchers.len() < subscribed + CONNECTING
                && let Some(order) = orders.next()
            {
                watchers.push(self.swarm.watch(self.server, self.pass(order)?, None)?);
            }
            for happened in self.turn(Duration::from_millis(100))? {
                match happened.what {
                    What::Subscribed => subscribed += 1,
                    What::Closed(code) => anyhow::bail!("a watcher was closed ({code:?})"),
                    _ => continue,
                }
                last = Instant::now();
            }
            ensure!(last.elapsed() < PATIENCE, "only {subscribed} of {} watchers subscribed", watchers.len());
        }
        Ok(watchers)
    }

    /// The tracking pass of an order.
    pub fn pass(&self, order: usize) -> Result<&'a str> {
        Ok(self.seeds.passes.get(order).context("no pass for this order")?)
    }

    /// Where the server listens.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Whether an update can be sent now.
    pub fn has_poster(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Updates under way.
    pub fn under_way(&self) -> usize {
        self.asked.len()
    }

    /// Whether an order has an update under way.
    pub fn is_busy(&self, order: usize) -> bool {
        self.asked.values().any(|busy| *busy == order)
    }

    /// Sends `POST /api/update-order` with these fields beside the order's number.
    pub fn update(&mut self, order: usize, fields: &str) -> Result<()> {
        let body = format!(r#"{{"orderId":"{}",{fields}}}"#, self.seeds.orders[order]);
        self.seq[order] += 1;
        self.sent[order] = Instant::now();
        self.post("/api/update-order", &body, order)
    }

    /// Changes all these orders by one request in one transaction, each with a note of this length.
    pub fn note_all(&mut self, orders: &[usize], length: usize) -> Result<()> {
        let mut rows = Vec::with_capacity(orders.len());
        for order in orders {
            self.count += 1;
            self.seq[*order] += 1;
            let (number, note) = (&self.seeds.orders[*order], self.count);
            rows.push(format!(r#"{{"id":"{number}","status":"paid","notes":"{note:0>length$}"}}"#));
        }
        let body = format!(r#"{{"updates":[{}],"atomic":true}}"#, rows.join(","));
        self.post("/api/v1/orders/bulk-status", &body, usize::MAX)
    }

    fn post(&mut self, path: &str, body: &str, order: usize) -> Result<()> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.seeds.token,
            body.len()
        );
        self.ask(&request, order)
    }

    fn ask(&mut self, request: &str, order: usize) -> Result<()> {
        let poster = self.idle.pop_front().context("every poster is busy")?;
        self.asked.insert(poster, order);
        self.swarm.post(poster, request.as_bytes())
    }

    /// Looks at every order that has a pass, once, as a customer without a live connection does: what the database
    /// keeps in memory of them is there afterwards.
    pub fn look_at_all(&mut self) -> Result<()> {
        for order in 0..self.seeds.passes.len() {
            while !self.has_poster() {
                self.turn(Duration::from_millis(100))?;
            }
            let pass = self.pass(order)?;
            let request =
                format!("GET /api/v1/track HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {pass}\r\n\r\n");
            self.ask(&request, order)?;
        }
        self.settle(0)
    }

    /// The same with a note of this length that was never there before: a real change, as often as one likes.
    pub fn note(&mut self, order: usize, length: usize) -> Result<()> {
        self.count += 1;
        self.update(order, &format!(r#""status":"paid","notes":"{:0>length$}""#, self.count))
    }

    /// Waits a little and says what happened.
    pub fn turn(&mut self, wait: Duration) -> Result<Vec<Happened>> {
        let happened = self.swarm.turn(wait)?;
        for happened in &happened {
            match happened.what {
                What::Replied => {
                    self.replied += 1;
                    self.asked.remove(&happened.who);
                    self.idle.push_back(happened.who);
                }
                What::Event(_) => self.delivered += 1,
                What::Closed(_) if self.asked.contains_key(&happened.who) => {
                    anyhow::bail!("the server closed a poster; first refusal: {:?}", self.swarm.first_refusal)
                }
                _ => {}
            }
        }
        Ok(happened)
    }

    /// Goes on until so many events were delivered and every reply is there.
    pub fn settle(&mut self, delivered: u64) -> Result<()> {
        let mut last = (Instant::now(), self.delivered + self.replied);
        while self.delivered < delivered || self.under_way() > 0 {
            self.turn(Duration::from_millis(100))?;
            if self.delivered + self.replied > last.1 {
                last = (Instant::now(), self.delivered + self.replied);
            }
            ensure!(
                last.0.elapsed() < PATIENCE,
                "stuck: {} of {delivered} events, {} replies due; {:?}",
                self.delivered,
                self.under_way(),
                self.swarm.faults
            );
        }
        Ok(())
    }

    /// Nothing may be lost, doubled, out of order or refused, and each watcher must stand where its order's log ends.
    pub fn check(&self, watchers: &[(usize, usize)]) -> Result<()> {
        let faults = self.swarm.faults;
        ensure!(faults == super::swarm::Faults::default(), "{faults:?}: {:?}", self.swarm.first_refusal);
        for (who, order) in watchers {
            let position = self.swarm.position(*who);
            ensure!(
                position == Some(self.seq[*order]),
                "watcher {who} stands at {position:?}, its order at {}",
                self.seq[*order]
            );
        }
        Ok(())
    }
}
