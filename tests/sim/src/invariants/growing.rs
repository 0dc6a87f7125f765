//! Revisions, generations and limits never go back for whoever sees them; an incarnation is given to one launch.

use super::{ensure, history::History};
use std::collections::BTreeMap;
use tfcoord_coordinator_core::Task;
use tfcoord_launch::Launch;
use tfcoord_types::id::Incarnation;
use tfcoord_types::view::{Directive, TaskView};

#[derive(Debug, Default)]
pub struct Growing {
    given: BTreeMap<Incarnation, Launch>,
    of: BTreeMap<Launch, Incarnation>,
}

impl Growing {
    /// A process learns its incarnation.
    pub fn registered(&mut self, incarnation: Incarnation, launch: &Launch) {
        let first = self.given.entry(incarnation).or_insert_with(|| launch.clone());
        ensure(first == launch, format_args!("{launch} incarnation {incarnation}"), "an incarnation is given to one launch");
        let own = *self.of.entry(launch.clone()).or_insert(incarnation);
        ensure(own == incarnation, format_args!("{launch}: {own}, {incarnation}"), "the same process keeps its incarnation");
    }

    /// A process that registers is refused.
    pub fn refused(&self, history: &History, launch: &Launch, nonce: &str) {
        let task = history.cluster().job(&launch.job).and_then(|job| job.tasks.get(&launch.task));
        let mine = task.and_then(Task::registration).is_some_and(|registration| registration.process.nonce == nonce);
        ensure(!mine, launch, "a process that registers again is the same one");
    }

    /// A session of a process that has registered is refused.
    pub fn turned_away(&self, history: &History, launch: &Launch, incarnation: Incarnation) {
        let job = history.cluster().job(&launch.job).filter(|job| !job.is_over());
        let present = job.and_then(|job| job.registration(launch.task)).is_some_and(|present| present.incarnation == incarnation);
        ensure(!present, format_args!("{launch} incarnation {incarnation}"), "whoever takes part is not turned away");
    }

    /// A process sees a newer view.
    pub fn viewed(&self, old: Option<&TaskView>, new: &TaskView) {
        let Some(old) = old else { return };
        let place = format_args!("incarnation {} revision {} after {}", new.incarnation, new.revision, old.revision).to_string();
        ensure(old.incarnation == new.incarnation, &place, "a view is for whoever it comes to");
        ensure(old.generation <= new.generation, &place, "generations grow");
        ensure(old.plan == new.plan, &place, "a plan stays");
        let same = old.generation == new.generation;
        ensure(!same || old.run_until <= new.run_until, &place, "within a generation the limit never falls");
        let stays = old.placement.is_none() || new.placement.is_some() || new.directive == Directive::Fenced;
        ensure(!same || stays, &place, "within a generation a placement stays");
    }
}
