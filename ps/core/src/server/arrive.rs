//! Pushes outside of `bsp`: what a worker computed of a batch is applied as it arrives, once for each chunk.
//!
//! The key is the step, which stands for (epoch, shard, batch): see [`tfcoord_types::shard`]. A chunk's cursor has the next
//! step of each shard of its epoch, and its version is the number of steps that count: at the end of an epoch the same for
//! all chunks, whatever came in which order. That number is also the optimizer's step. Each push is judged by the mode of its
//! chunk: what is `local` comes once a round, all else once a step.

use super::{Finished, Generated, Server};
use crate::cursor::Held;
use crate::effect::Effect;
use crate::input::Push;
use crate::mode::ssp::{Gate, Waiting};
use std::collections::BTreeSet;
use std::ops::Range;
use tfcoord_types::exchange::Answer;
use tfcoord_types::id::Incarnation;
use tfcoord_types::report::ShardsDone;
use tfcoord_types::shard::Shards;

impl Server {
    pub(super) fn arrive(&mut self, push: Push, shards: &Shards, effects: &mut Vec<Effect>) {
        let Push { from: to, generation, step, chunk, block, incarnation, .. } = push;
        let waiting = Waiting { to, step };
        match self.judge(&push, shards) {
            Ok(steps) => {
                let push = match self.gate(chunk) {
                    Some(gate) => gate.park(push),
                    None => Some(push),
                };
                let Some(push) = push else {
                    return effects.push(Effect::Answer { to, generation, chunk, step, block, answer: Answer::Held });
                };
                self.take(push, shards, &steps, effects);
                if let Some(gate) = self.gate(chunk) {
                    gate.applied(incarnation, waiting);
                    effects.push(Effect::Answer { to, generation, chunk, step, block, answer: Answer::Held });
                    return self.let_go(effects);
                }
                self.settle(chunk, waiting, effects);
            }
            // Counted, and not yet answered for the sake of others.
            Err(Answer::Counted { .. }) if self.gate(chunk).is_some_and(|gate| gate.again(incarnation, waiting)) => {}
            Err(Answer::Counted { .. }) => self.settle(chunk, waiting, effects),
            Err(answer) => effects.push(Effect::Answer { to, generation, chunk, step, block, answer }),
        }
    }

    /// Tells of workers that waited for others and need not any more.
    pub(super) fn let_go(&mut self, effects: &mut Vec<Effect>) {
        self.count_workers();
        let Some((gate, chunk)) = self.held.as_mut().and_then(|held| held.gate.as_mut()) else { return };
        let (free, chunk) = (gate.release(), *chunk);
        let Some(shards) = self.held.as_ref().and_then(|held| held.shards) else { return };
        for (waiting, parked) in free {
            self.settle(chunk, waiting, effects);
            if let Some(push) = parked {
                self.arrive(push, &shards, effects);
            }
        }
    }

    /// What is done here of the shards that the newest view leases.
    pub(super) fn shards_done(&self, held: &Generated) -> ShardsDone {
        let Some(shards) = held.shards.filter(|_| self.fence.run_until > 0) else { return ShardsDone::default() };
        let epoch = shards.epoch(self.fence.run_until - 1);
        let (Finished { epoch: of, chunks }, all) = (&held.finished, held.table.parts().count());
        let done = |shard: &u32| *of == epoch && chunks.get(shard) == Some(&all);
        ShardsDone { epoch, shards: self.fence.leases().iter().map(|lease| lease.shard).filter(done).collect() }
    }

    /// Clocks of the workers that hold shards, where they are kept; for tests of how far apart they are.
    pub fn clocks(&self) -> Vec<(Incarnation, u64)> {
        let gate = self.held.as_ref().and_then(|held| held.gate.as_ref());
        gate.map(|(gate, _)| gate.clocks().iter().map(|(worker, clock)| (*worker, *clock)).collect()).unwrap_or_default()
    }

    // The steps that a push is of, if it counts; if not, why.
    fn judge(&self, push: &Push, shards: &Shards) -> Result<Range<u64>, Answer> {
        let (held, part) = self.placed(push)?;
        let (fence, step) = (&self.fence, push.step);
        let steps = shards.exchanged(step, &part.mode);
        let records: u64 = steps.clone().map(|step| held.plan.records_in(step, push.block.lanes())).sum();
        if push.block != held.root || steps.start != step || records != u64::from(push.records) {
            let (first, len) = (steps.start, steps.end.saturating_sub(steps.start));
            let reason = format!("{len} steps from step {first} on have {records} records, not {} from step {step} on", push.records);
            return Err(Answer::Refused { reason });
        }
        let newer = push.view_revision > fence.revision();
        let not_yet = |answer| if newer { Answer::NotYet { revision: fence.revision() } } else { answer };
        let (epoch, shard) = (shards.epoch(step), shards.shard(step));
        let present = shards.epoch(part.cursor.step());
        let next = if epoch < present { u64::MAX } else { part.shards.next(shards, epoch, shard) };
        if step < next && epoch <= present {
            Err(Answer::Counted { next })
        } else if epoch > present || step >= fence.run_until {
            Err(not_yet(Answer::Ahead))
        } else if !fence.holds(push.incarnation, shard) || shards.epoch(fence.run_until - 1) != epoch {
            Err(not_yet(Answer::NotOwner))
        } else if step > next {
            Err(Answer::Ahead)
        } else {
            Ok(steps)
        }
    }

    fn take(&mut self, push: Push, shards: &Shards, steps: &Range<u64>, effects: &mut Vec<Effect>) {
        let Push { step, chunk, block, records, payload, .. } = push;
        let held = self.held.as_mut().expect("judged");
        let part = held.table.part_mut(chunk).expect("judged");
        part.cursor.take(Held { block, records: u64::from(records), payload });
        held.blocks += 1;
        let (epoch, shard) = (shards.epoch(step), shards.shard(step));
        if part.shards.advance(shards, epoch, shard, steps.end) {
            if held.finished.epoch != epoch {
                held.finished = Finished { epoch, ..Finished::default() };
            }
            let done = held.finished.chunks.entry(shard).or_default();
            *done += 1;
            if *done == held.table.parts().count() {
                effects.push(Effect::Report);
            }
        }
        self.update(chunk, 1.0, steps.clone(), effects);
        let part = self.held.as_mut().and_then(|held| held.table.part_mut(chunk)).expect("judged");
        if shards.epoch(part.cursor.step()) != epoch {
            part.shards.begin_epoch();
        }
    }

    // The chunk as it is now, and how far it is in the shard.
    fn settle(&mut self, chunk: u32, Waiting { to, step }: Waiting, effects: &mut Vec<Effect>) {
        let generation = self.fence.generation;
        let Some(held) = &self.held else { return };
        let (Some(part), Some(shards)) = (held.table.part(chunk), held.shards) else { return };
        let (epoch, shard) = (shards.epoch(step), shards.shard(step));
        let over = epoch < shards.epoch(part.cursor.step());
        let next = if over { shards.steps(epoch, shard).end } else { part.shards.next(&shards, epoch, shard) };
        let (version, values) = (part.cursor.step(), part.values().clone());
        effects.push(Effect::Pulled { to, generation, chunk, version, values });
        effects.push(Effect::Answer { to, generation, chunk, step, block: held.root, answer: Answer::Counted { next } });
    }

    // Where the clocks are kept, if it is by this chunk.
    fn gate(&mut self, chunk: u32) -> Option<&mut Gate> {
        let gate = self.held.as_mut()?.gate.as_mut()?;
        (gate.1 == chunk).then_some(&mut gate.0)
    }

    // Workers with a shard that is not done count, and no others.
    fn count_workers(&mut self) {
        let Some(held) = &mut self.held else { return };
        let (Some((gate, chunk)), Some(shards)) = (&mut held.gate, held.shards) else { return };
        let Some(curve) = held.table.part(*chunk) else { return };
        let epoch = shards.epoch(self.fence.run_until.saturating_sub(1));
        let trains = shards.epoch(curve.cursor.step()) == epoch && curve.cursor.step() < self.fence.run_until;
        let open = |shard: u32| trains && curve.shards.next(&shards, epoch, shard) < shards.steps(epoch, shard).end;
        let workers: BTreeSet<Incarnation> = self.fence.leases().iter().filter(|l| open(l.shard)).filter_map(|l| l.owner).collect();
        gate.count(&workers);
    }
}
