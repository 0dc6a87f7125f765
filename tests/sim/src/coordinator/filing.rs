//! The threads on which a leader's files of checkpoints are written and removed.

use super::{Leader, Waiter};
use crate::nature::{COORDINATOR, Nature, Timer};
use crate::queue::MS;
use crate::store::Order;
use std::collections::BTreeMap;

/// What the threads are at.
#[derive(Debug, Default)]
pub struct Filing {
    orders: BTreeMap<u32, Order>,
    begun: u32,
}

impl Leader {
    // What the saver wants done is done on threads, each in its time.
    pub fn file(&mut self, nature: &mut Nature, life: u32) {
        for order in self.store.orders() {
            self.filing.begun += 1;
            let most = if nature.chance.percent(10) { 2000 * MS } else { 100 * MS };
            let after = nature.chance.between(MS, most);
            let half = matches!(order, Order::Commit { .. });
            nature.timer(COORDINATOR, life, after, Timer::Filed { number: self.filing.begun, half });
            self.filing.orders.insert(self.filing.begun, order);
        }
    }

    // A thread has come further: it may be killed with the coordinator between the manifest's name and its durability.
    pub fn filed(&mut self, nature: &mut Nature, life: u32, number: u32, half: bool) {
        let order = self.filing.orders.remove(&number).expect("it is being done");
        let (job, dir, manifest) = match order {
            Order::Sweep(leftovers) => {
                let gone = self.store.sweep(&leftovers);
                (0..gone).for_each(|_| nature.tally.add("checkpoint removed"));
                return nature.laws.checkpoints.check(&self.cluster, &self.store);
            }
            Order::Commit { job, dir, manifest } => (job, dir, manifest),
        };
        let result = if half { self.store.place(&dir, &manifest).map(drop) } else { self.store.make_durable(&dir, manifest.id) };
        nature.note(format_args!("coordinator: manifest of {} {}: {result:?}", manifest.id, if half { "placed" } else { "durable" }));
        if half && result.is_ok() {
            self.filing.orders.insert(number, Order::Commit { job, dir, manifest });
            let after = nature.chance.between(MS, 50 * MS);
            return nature.timer(COORDINATOR, life, after, Timer::Filed { number, half: false });
        }
        let command = self.saver.written(job, manifest.id, result);
        self.pending.push((command, Waiter::Nobody));
        self.plan_turn(nature, life, 0);
    }
}
