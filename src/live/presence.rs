//! Who watches what, over all instances, for consoles: counts, receipts and sightings, gathered and told in batches.
//!
//! Every instance counts its own watchers and, while somebody listens, says on the bus what changed. Instances with a
//! console listen and keep the others' counts until they have been silent too long; a console that comes first asks, and
//! everyone answers in full. Where no instance listens nothing but the counts is kept: how many a heartbeat reached tells.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::base::id::{CompanyId, InstanceId, OrderId};

/// An order, its company and a number.
type Count = (OrderId, CompanyId, u64);
/// An order, its company, a position and a number.
type Mark = (OrderId, CompanyId, i64, u64);

/// What one instance tells the others; JSON on the bus.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Told {
    instance: InstanceId,
    /// Forget what this instance said before: the counts below are all it has.
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    counts: Vec<Count>,
    #[serde(default)]
    delivered: Vec<Mark>,
    #[serde(default)]
    seen: Vec<Mark>,
}

/// What a console is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// So many watch the order.
    Watchers(OrderId, CompanyId, u64),
    /// The event `seq` reached so many connections and was seen by so many people.
    Receipt {
        /// The order.
        order: OrderId,
        /// Its company.
        company: CompanyId,
        /// The event.
        seq: i64,
        /// Connections it was handed to.
        delivered: u64,
        /// Connections that said it was seen.
        seen: u64,
    },
}

#[derive(Default)]
struct Own {
    counts: HashMap<OrderId, (CompanyId, u64)>,
    changed: HashSet<OrderId>,
    delivered: HashMap<(OrderId, i64), (CompanyId, u64)>,
    seen: HashMap<(OrderId, i64), (CompanyId, u64)>,
    beat: bool,
    full: bool,
    /// Some instance has a console.
    is_heard: bool,
}

struct Other {
    heard: Instant,
    counts: HashMap<OrderId, (CompanyId, u64)>,
}

#[derive(Default)]
struct Others {
    instances: HashMap<InstanceId, Other>,
    receipts: HashMap<OrderId, (i64, u64, u64)>,
}

/// This instance's view.
pub struct Presence {
    instance: InstanceId,
    own: Mutex<Own>,
    others: Mutex<Others>,
}

/// Entries of one message on the bus.
const CHUNK: usize = 500;
/// Orders whose last receipts are kept to be added up.
const RECEIPTS: usize = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Presence {
    /// The view of this instance.
    #[must_use]
    pub fn new(instance: InstanceId) -> Self {
        Self { instance, own: Mutex::default(), others: Mutex::default() }
    }

    /// A connection of this instance began (`true`) or stopped to watch an order.
    pub fn watch(&self, order: OrderId, company: CompanyId, comes: bool) {
        let mut own = lock(&self.own);
        let own = &mut *own;
        let count = &mut own.counts.entry(order).or_insert((company, 0)).1;
        *count = if comes { *count + 1 } else { count.saturating_sub(1) };
        if own.is_heard {
            own.changed.insert(order);
        } else if *count == 0 {
            own.counts.remove(&order);
        }
    }

    /// Events were handed to connections of this instance: of which order, its company, the event's number, how many.
    pub fn delivered(&self, marks: impl Iterator<Item = (OrderId, CompanyId, i64, u64)>) {
        let mut own = lock(&self.own);
        if !own.is_heard {
            return;
        }
        for (order, company, seq, count) in marks {
            own.delivered.entry((order, seq)).or_insert((company, 0)).1 += count;
        }
    }

    /// A connection of this instance said that a person saw the order at `seq`.
    pub fn seen(&self, order: OrderId, company: CompanyId, seq: i64) {
        let mut own = lock(&self.own);
        if own.is_heard {
            own.seen.entry((order, seq)).or_insert((company, 0)).1 += 1;
        }
    }

    /// Some instance has its first console, and wants to be told everything with the next batch.
    pub fn asked(&self) {
        let mut own = lock(&self.own);
        (own.is_heard, own.full) = (true, true);
    }

    /// Something that was told went to so many instances. Heals what a lost question leaves.
    pub fn reached(&self, instances: u32) {
        let mut own = lock(&self.own);
        if instances == 0 {
            let counts = std::mem::take(&mut own.counts).into_iter().filter(|(_, (_, count))| *count > 0).collect();
            *own = Own { counts, beat: own.beat, ..Own::default() };
        } else if !own.is_heard {
            (own.is_heard, own.full) = (true, true);
        }
    }

    /// Says with the next batch, even if nothing changed, that this instance lives.
    pub fn beat(&self) {
        lock(&self.own).beat = true;
    }

    /// What is to be told now, in pieces.
    #[must_use]
    pub fn batch(&self) -> Vec<Told> {
        let mut own = lock(&self.own);
        let own = &mut *own;
        let full = std::mem::take(&mut own.full);
        let changed = std::mem::take(&mut own.changed);
        let has_changed = full || !changed.is_empty();
        let mut counts: Vec<Count> = Vec::new();
        if full {
            counts.extend(own.counts.iter().map(|(order, (company, count))| (*order, *company, *count)));
        } else {
            for order in &changed {
                if let Some((company, count)) = own.counts.get(order) {
                    counts.push((*order, *company, *count));
                }
            }
        }
        if has_changed {
            own.counts.retain(|_, (_, count)| *count > 0);
        }
        let marks = |map: &mut HashMap<(OrderId, i64), (CompanyId, u64)>| -> Vec<Mark> {
            let all = std::mem::take(map).into_iter();
            all.map(|((order, seq), (company, count))| (order, company, seq, count)).collect()
        };
        let (delivered, seen) = (marks(&mut own.delivered), marks(&mut own.seen));
        let beat = std::mem::take(&mut own.beat);
        let pieces = [counts.len(), delivered.len(), seen.len()].into_iter().max().unwrap_or(0).div_ceil(CHUNK);
        let pieces = if full || beat { pieces.max(1) } else { pieces };
        let part = |marks: &[Mark], n: usize| marks.chunks(CHUNK).nth(n).unwrap_or_default().to_vec();
        let told = |n: usize| Told {
            instance: self.instance,
            fresh: full && n == 0,
            counts: counts.chunks(CHUNK).nth(n).unwrap_or_default().to_vec(),
            delivered: part(&delivered, n),
            seen: part(&seen, n),
        };
        (0..pieces).map(told).collect()
    }

    /// Takes what an instance told (this one included, by the bus) and says what consoles must learn.
    pub fn hear(&self, told: Told, now: Instant) -> Vec<News> {
        let mut others = lock(&self.others);
        let mut changed: Vec<(OrderId, CompanyId)> = Vec::new();
        let other =
            others.instances.entry(told.instance).or_insert_with(|| Other { heard: now, counts: HashMap::new() });
        other.heard = now;
        if told.fresh {
            changed.extend(other.counts.drain().map(|(order, (company, _))| (order, company)));
        }
        for (order, company, count) in told.counts {
            if count == 0 {
                other.counts.remove(&order);
            } else {
                other.counts.insert(order, (company, count));
            }
            changed.push((order, company));
        }
        changed.sort_unstable();
        changed.dedup();
        let mut news: Vec<News> =
            changed.into_iter().map(|(order, company)| News::Watchers(order, company, others.total(order))).collect();
        let delivered = told.delivered.into_iter().map(|(order, company, seq, n)| (order, company, seq, n, 0));
        let seen = told.seen.into_iter().map(|(order, company, seq, n)| (order, company, seq, 0, n));
        for (order, company, seq, delivered, seen) in delivered.chain(seen) {
            news.extend(others.receipt(order, company, seq, delivered, seen));
        }
        news
    }

    /// Forgets instances that were silent for `dead`; says what consoles must learn.
    pub fn bury(&self, dead: Duration, now: Instant) -> Vec<News> {
        let mut others = lock(&self.others);
        let gone: Vec<Other> = others
            .instances
            .extract_if(|_, other| now.duration_since(other.heard) >= dead)
            .map(|(_, other)| other)
            .collect();
        let orders = gone.iter().flat_map(|other| other.counts.iter().map(|(order, (company, _))| (*order, *company)));
        orders.map(|(order, company)| News::Watchers(order, company, others.total(order))).collect()
    }

    /// Forgets everything about others: nobody here wants to know any more.
    pub fn forget(&self) {
        *lock(&self.others) = Others::default();
    }

    /// Every order that is watched now and by how many, for a console that comes; of one company, or all.
    #[must_use]
    pub fn totals(&self, of: Option<CompanyId>) -> Vec<(OrderId, u64)> {
        let others = lock(&self.others);
        let mut totals: HashMap<OrderId, u64> = HashMap::new();
        for (order, (company, count)) in others.instances.values().flat_map(|other| &other.counts) {
            if of.is_none_or(|of| of == *company) {
                *totals.entry(*order).or_default() += count;
            }
        }
        totals.into_iter().collect()
    }
}

impl Others {
    fn total(&self, order: OrderId) -> u64 {
        self.instances.values().filter_map(|other| other.counts.get(&order)).map(|(_, count)| count).sum()
    }

    fn receipt(&mut self, order: OrderId, company: CompanyId, seq: i64, delivered: u64, seen: u64) -> Option<News> {
        if self.receipts.len() >= RECEIPTS && !self.receipts.contains_key(&order) {
            self.receipts.clear();
        }
        let sum = self.receipts.entry(order).or_insert((seq, 0, 0));
        if seq < sum.0 {
            return None;
        }
        if seq > sum.0 {
            *sum = (seq, 0, 0);
        }
        sum.1 += delivered;
        sum.2 += seen;
        Some(News::Receipt { order, company, seq, delivered: sum.1, seen: sum.2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass_on(from: &Presence, to: &Presence) -> Vec<News> {
        pass_on_at(from, to, Instant::now())
    }

    fn pass_on_at(from: &Presence, to: &Presence, now: Instant) -> Vec<News> {
        let through_json = |told: Told| serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        from.batch().into_iter().flat_map(|told| to.hear(through_json(told), now)).collect()
    }

    #[test]
    fn counts_are_added_up_over_instances_and_a_dead_one_no_longer_counts() {
        let (here, there) = (Presence::new(InstanceId::new()), Presence::new(InstanceId::new()));
        let (order, company) = (OrderId::new(), CompanyId::new());
        here.asked();
        there.asked();
        here.watch(order, company, true);
        there.watch(order, company, true);
        there.watch(order, company, true);
        assert_eq!(pass_on(&here, &here), [News::Watchers(order, company, 1)]);
        assert_eq!(pass_on(&there, &here), [News::Watchers(order, company, 3)]);
        assert!(here.batch().is_empty(), "nothing changed, nothing told");
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        here.beat();
        assert_eq!(pass_on_at(&here, &here, later(10)), []);
        let dead = Duration::from_secs(15);
        assert_eq!(here.bury(dead, later(14)), []);
        assert_eq!(here.bury(dead, later(20)), [News::Watchers(order, company, 1)]);
        here.watch(order, company, false);
        assert_eq!(pass_on(&here, &here), [News::Watchers(order, company, 0)]);
    }

    #[test]
    fn the_first_console_asks_and_learns_everything_once() {
        let (here, there) = (Presence::new(InstanceId::new()), Presence::new(InstanceId::new()));
        let (order, company) = (OrderId::new(), CompanyId::new());
        for _ in 0..1200 {
            there.watch(OrderId::new(), company, true);
        }
        there.watch(order, company, true);
        assert_eq!(there.batch(), [], "nobody listens");
        there.asked();
        assert_eq!(pass_on(&there, &here).len(), 1201);
        assert_eq!((here.totals(None).len(), here.totals(Some(CompanyId::new())).len()), (1201, 0));
        here.forget();
        assert_eq!(here.totals(None), []);
    }

    #[test]
    fn where_nobody_listens_only_counts_are_kept_and_whoever_comes_later_is_told_them() {
        let (here, there) = (Presence::new(InstanceId::new()), Presence::new(InstanceId::new()));
        let (order, gone, company) = (OrderId::new(), OrderId::new(), CompanyId::new());
        let live = |presence: &Presence| {
            presence.watch(gone, company, true);
            presence.watch(gone, company, false);
            presence.delivered([(order, company, 2, 3)].into_iter());
            presence.seen(order, company, 2);
        };
        there.watch(order, company, true);
        live(&there);
        there.beat();
        assert_eq!(pass_on(&there, &here), []);
        there.reached(1);
        assert_eq!(pass_on(&there, &here), [News::Watchers(order, company, 1)]);
        live(&there);
        there.reached(0);
        assert_eq!((there.batch(), lock(&there.own).counts.len()), (vec![], 1));
    }

    #[test]
    fn receipts_add_up_per_event_and_a_newer_event_starts_anew() {
        let here = Presence::new(InstanceId::new());
        let (order, company) = (OrderId::new(), CompanyId::new());
        let receipt = |seq, delivered, seen| News::Receipt { order, company, seq, delivered, seen };
        here.asked();
        assert_eq!(pass_on(&here, &here), []);
        here.delivered([(order, company, 4, 3)].into_iter());
        here.seen(order, company, 4);
        assert_eq!(pass_on(&here, &here), [receipt(4, 3, 0), receipt(4, 3, 1)]);
        here.seen(order, company, 4);
        assert_eq!(pass_on(&here, &here), [receipt(4, 3, 2)]);
        here.delivered([(order, company, 5, 2)].into_iter());
        assert_eq!(pass_on(&here, &here), [receipt(5, 2, 0)]);
        here.seen(order, company, 4);
        assert_eq!(pass_on(&here, &here), [], "an older event is no news");
    }
}
