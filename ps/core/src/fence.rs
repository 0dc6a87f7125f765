//! Who may push: the newest view, and nothing before the first one.
//!
//! A lane's owner changes by fence, then grant: the coordinator grants a lane again only when every server has
//! reported a view in which nobody owns it. So as long as the view here names an owner, however old the view,
//! nobody else was granted that lane.

use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::view::{Lease, TaskView};

/// What the newest view says about who may push, and how far.
#[derive(Debug, Default)]
pub(crate) struct Fence {
    applied: Option<Revision>,
    pub generation: Generation,
    pub run_until: u64,
    owners: Vec<Option<Incarnation>>,
    leases: Vec<Lease>,
    workers: Vec<Incarnation>,
    highest: Incarnation,
}

impl Fence {
    /// Takes a view; an older one than the newest is ignored, with `false`.
    pub fn apply(&mut self, view: &TaskView) -> bool {
        if self.applied.is_some_and(|applied| view.revision < applied) || view.generation < self.generation {
            return false;
        }
        self.applied = Some(view.revision);
        self.generation = view.generation;
        self.run_until = view.run_until;
        self.owners.clone_from(&view.owners);
        self.leases.clone_from(&view.leases);
        self.workers.clone_from(&view.workers);
        self.highest = view.workers.iter().copied().max().unwrap_or_default().max(self.highest);
        true
    }

    /// The newest view's revision; 0 before the first one.
    pub fn revision(&self) -> Revision {
        self.applied.unwrap_or_default()
    }

    /// Whether `worker` was live once, or could have been, and is not any more. Incarnations grow for ever, so
    /// this never changes back.
    pub fn retired(&self, worker: Incarnation) -> bool {
        worker <= self.highest && !self.workers.contains(&worker)
    }

    /// Outside of `bsp`: shards of the epoch before [`Self::run_until`] that are leased, or were and are not done.
    pub fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// Whether `worker` holds a shard of that epoch.
    pub fn holds(&self, worker: Incarnation, shard: u32) -> bool {
        self.leases.contains(&Lease { shard, owner: Some(worker) })
    }

    /// How many workers are live.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Whether `worker` owns every lane of `block`.
    pub fn owns(&self, worker: Incarnation, block: Block) -> bool {
        block.lanes().all(|lane| self.owners.get(lane as usize) == Some(&Some(worker)))
    }
}
