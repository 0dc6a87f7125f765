//! Faults, and their end.

use super::{Place, Task, World};
use crate::disk::Trouble;
use crate::faults::Fault;
use crate::nature::{COORDINATOR, Node, WorldEvent};
use crate::queue::{MS, S, Us};
use crate::store;
use tfcoord_coordinator_core::Exit;
use tfcoord_types::id::Role;

/// How long a task may be kept from the coordinator: well above a lease.
const AWAY_MAX: Us = 25 * S;
/// Longer than any run.
const NEVER: Us = 1_000_000 * S;

impl World {
    pub(super) fn fault(&mut self) {
        let Some(fault) = self.plan.mix.and_then(|mix| self.nature.chance.weighted(mix)) else { return };
        self.nature.note(format_args!("fault: {fault:?}"));
        if self.strike(fault).is_some() {
            self.nature.tally.add(name(fault));
        }
    }

    // `None`: there was nothing to strike.
    fn strike(&mut self, fault: Fault) -> Option<()> {
        match fault {
            Fault::KillWorker => {
                let place = self.pick(Role::Worker)?;
                self.end(place, Exit::Signal(9));
            }
            Fault::KillServer => {
                let place = self.pick(Role::ParameterServer)?;
                self.end(place, Exit::Signal(9));
            }
            Fault::FreezeWorker => {
                let place = self.pick(Role::Worker)?;
                let time = self.nature.chance.between(S / 2, 20 * S);
                self.freeze(self.places[place].node, time);
            }
            Fault::HangWorker => {
                let place = self.pick_registered(Role::Worker)?;
                self.freeze(self.places[place].node, NEVER);
            }
            Fault::HangServer => {
                let place = self.pick_registered(Role::ParameterServer)?;
                self.freeze(self.places[place].node, NEVER);
            }
            Fault::FreezeServer => {
                let place = self.pick(Role::ParameterServer)?;
                let time = self.nature.chance.between(S / 2, 20 * S);
                self.freeze(self.places[place].node, time);
            }
            Fault::FreezeCoordinator => {
                let time = self.nature.chance.between(S / 2, 10 * S);
                self.freeze(COORDINATOR, time);
            }
            Fault::CutStream => {
                let open = self.nature.open_streams();
                let stream = self.nature.chance.pick(&open)?;
                self.nature.cut(stream);
            }
            Fault::PartWorker => {
                let place = self.pick(Role::Worker)?;
                let time = self.nature.chance.between(S / 2, AWAY_MAX);
                self.part(self.places[place].node, COORDINATOR, time);
            }
            Fault::PartServer => {
                let place = self.pick(Role::ParameterServer)?;
                let time = self.nature.chance.between(S / 2, AWAY_MAX);
                self.part(self.places[place].node, COORDINATOR, time);
            }
            Fault::PartTasks => {
                let (one, other) = (self.pick_any()?, self.pick(Role::ParameterServer)?);
                let time = self.nature.chance.between(S / 2, 15 * S);
                if one != other {
                    self.part(self.places[one].node, self.places[other].node, time);
                }
            }
            Fault::Replay => self.replay()?,
            Fault::Late => (self.nature.pace.late_percent, self.nature.pace.late_max) = (20, self.nature.chance.between(50 * MS, S)),
            Fault::FailLaunches => self.coordinator.launcher.fails(50),
            Fault::KillCoordinator => self.kill_coordinator(),
            Fault::KillAll => {
                self.kill_coordinator();
                (0..self.places.len()).for_each(|place| self.end(place, Exit::Signal(9)));
            }
            Fault::CutPower => {
                let after = u32::try_from(self.nature.chance.below(6)).expect("few");
                self.coordinator.disk.trouble(Some(Trouble::PowerCut { after }));
                self.nature.plan_world(2 * S, WorldEvent::PowerCut);
            }
            Fault::FillDisk => {
                self.coordinator.disk.trouble(Some(Trouble::Full));
                let time = self.nature.chance.between(S, 10 * S);
                self.nature.plan_world(time, WorldEvent::DiskFine);
            }
            Fault::FailSync => self.coordinator.disk.trouble(Some(Trouble::SyncFails)),
            Fault::FillStore => self.trouble_store(store::Trouble::Full),
            Fault::FailStoreSync => self.trouble_store(store::Trouble::SyncFails),
            Fault::FailStoreRead => self.trouble_store(store::Trouble::ReadFails),
            Fault::SpoilCheckpoint => {
                let spoiled = self.coordinator.store.spoil(&mut self.nature.chance);
                spoiled.then_some(())?;
            }
            Fault::SetClock => {
                self.coordinator.clock_off_ms = self.nature.chance.pick(&[-3_600_000, -1000, 0, 1000, 3_600_000])?;
            }
        }
        Some(())
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        self.nature.note(format_args!("healed"));
        self.healed = true;
        self.nature.unblock();
        self.nature.pace = self.plan.pace;
        self.coordinator.launcher.fails(0);
        self.coordinator.store.trouble(None);
        if !self.coordinator.disk.is_about_to_lose_power() {
            self.coordinator.disk.trouble(None);
        }
    }

    fn alive(&self, which: impl Fn(&Place) -> bool) -> Vec<usize> {
        let runs = |place: &Place| matches!(place.task, Task::Worker(_) | Task::Server(_));
        (0..self.places.len()).filter(|at| runs(&self.places[*at]) && which(&self.places[*at])).collect()
    }

    fn pick(&mut self, role: Role) -> Option<usize> {
        let alive = self.alive(|place| place.launch.task.role == role);
        self.nature.chance.pick(&alive)
    }

    // One that hangs before it has registered is only seen when its time to do so is over.
    fn pick_registered(&mut self, role: Role) -> Option<usize> {
        let registered = |place: &Place| match &place.task {
            Task::Worker(worker) => worker.session.incarnation().is_some(),
            Task::Server(server) => server.session.incarnation().is_some(),
            Task::Starting | Task::Ended(_) => false,
        };
        let alive = self.alive(|place| place.launch.task.role == role && registered(place));
        self.nature.chance.pick(&alive)
    }

    fn pick_any(&mut self) -> Option<usize> {
        let alive = self.alive(|_| true);
        self.nature.chance.pick(&alive)
    }

    fn kill_coordinator(&mut self) {
        if self.coordinator.runs() {
            self.coordinator.stop(&mut self.nature);
            self.frozen.remove(&COORDINATOR);
            self.restart_later();
        }
    }

    fn trouble_store(&mut self, trouble: store::Trouble) {
        self.coordinator.store.trouble(Some(trouble));
        let time = self.nature.chance.between(S, 10 * S);
        self.nature.plan_world(time, WorldEvent::StoreFine);
    }

    fn freeze(&mut self, node: Node, time: Us) {
        let until = self.nature.now + time;
        let frozen = self.frozen.entry(node).or_insert(0);
        *frozen = until.max(*frozen);
        if node == COORDINATOR {
            self.nature.laws.leases.stands_still(self.nature.now, until);
        }
        self.nature.plan_world(time, WorldEvent::Thaw { node });
    }

    // One way or both ways.
    fn part(&mut self, one: Node, other: Node, time: Us) {
        let until = self.nature.now + time;
        let ways = self.nature.chance.below(3);
        if ways != 1 {
            self.nature.block(one, other, until);
        }
        if ways != 2 {
            self.nature.block(other, one, until);
        }
    }

    fn replay(&mut self) -> Option<()> {
        for _ in 0..8 {
            let pushes = self.nature.laws.pushes();
            let at = self.nature.chance.index(pushes.len().max(1));
            let (node, push) = pushes.get(at)?.clone();
            if let Some((nature, Task::Server(server))) = self.task(node) {
                server.replay(nature, push);
            }
            self.after(node);
        }
        Some(())
    }
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::KillWorker => "fault: worker killed",
        Fault::FreezeWorker => "fault: worker stopped for a while",
        Fault::HangWorker => "fault: worker hangs",
        Fault::FreezeServer => "fault: server stopped for a while",
        Fault::FreezeCoordinator => "fault: coordinator stopped for a while",
        Fault::CutStream => "fault: stream cut",
        Fault::PartWorker => "fault: worker parted from the coordinator",
        Fault::PartServer => "fault: server parted from the coordinator",
        Fault::PartTasks => "fault: tasks parted",
        Fault::Replay => "fault: pushes replayed",
        Fault::Late => "fault: network slow",
        Fault::FailLaunches => "fault: launches fail",
        Fault::KillServer => "fault: server killed",
        Fault::HangServer => "fault: server hangs",
        Fault::KillAll => "fault: all killed",
        Fault::FillStore => "fault: no room for checkpoints",
        Fault::FailStoreSync => "fault: sync of a checkpoint fails",
        Fault::FailStoreRead => "fault: checkpoint cannot be read",
        Fault::SpoilCheckpoint => "fault: checkpoint damaged",
        Fault::KillCoordinator => "fault: coordinator killed",
        Fault::CutPower => "fault: power cut",
        Fault::FillDisk => "fault: disk full",
        Fault::FailSync => "fault: sync fails",
        Fault::SetClock => "fault: clock set",
    }
}
