//! An engine whose processes are simulated: launches take time or fail, ends are seen late.

use crate::chance::Chance;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tfcoord_launch::{Ended, Error, Exit, Launch, Launcher, Listed, TaskSpec};

/// What the world is to do for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// With its orphan grace.
    Start(Launch, Duration),
    Kill(Launch),
}

/// A simulated engine. Clones are the same one.
#[derive(Debug, Clone)]
pub struct SimLauncher(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    // How each has ended, as far as the engine knows.
    launches: BTreeMap<Launch, Option<Ended>>,
    orders: Vec<Order>,
    fails_percent: u64,
    chance: Chance,
}

impl SimLauncher {
    pub fn new(chance: Chance) -> Self {
        Self(Arc::new(Mutex::new(State { launches: BTreeMap::new(), orders: Vec::new(), fails_percent: 0, chance })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the launches")
    }

    /// Of 100 launches so many fail from now on.
    pub fn fails(&self, percent: u64) {
        self.state().fails_percent = percent;
    }

    /// What is to be done; it is not said again.
    pub fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.state().orders)
    }

    /// The engine sees that a process has ended; whether it knew of it.
    pub fn ended(&self, launch: &Launch, exit: tfcoord_coordinator_core::Exit) -> bool {
        let exit = match exit {
            tfcoord_coordinator_core::Exit::Code(code) => Exit::Code(code),
            tfcoord_coordinator_core::Exit::Signal(signal) => Exit::Signal(signal),
        };
        let mut state = self.state();
        let Some(slot) = state.launches.get_mut(launch) else { return false };
        slot.get_or_insert(Ended { exit: Some(exit), peak_memory_bytes: None, message: String::new(), log: Vec::new() });
        true
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.state().launches.is_empty()
    }

    /// The machine stops and starts again: nothing runs, and how it ended nobody saw. The records of some launches were
    /// not durable: as if they had never been.
    pub fn crash(&self) {
        let mut state = self.state();
        let State { launches, orders, chance, .. } = &mut *state;
        orders.clear();
        launches.retain(|_, _| chance.percent(80));
        let unseen = Ended { exit: None, peak_memory_bytes: None, message: "its end was not seen".into(), log: Vec::new() };
        for ended in launches.values_mut().filter(|ended| ended.is_none()) {
            *ended = Some(unseen.clone());
        }
    }
}

impl Launcher for SimLauncher {
    fn launch(&self, spec: &TaskSpec) -> Result<(), Error> {
        let mut state = self.state();
        let State { launches, orders, fails_percent, chance } = &mut *state;
        if launches.contains_key(&spec.launch) {
            return Ok(());
        }
        if chance.percent(*fails_percent) {
            let source = ErrorKind::OutOfMemory.into();
            return Err(Error::Start { launch: spec.launch.clone(), program: "sim".into(), source });
        }
        launches.insert(spec.launch.clone(), None);
        orders.push(Order::Start(spec.launch.clone(), spec.orphan_grace));
        Ok(())
    }

    fn list(&self) -> Vec<Listed> {
        let listed = |(launch, ended): (&Launch, &Option<Ended>)| Listed { launch: launch.clone(), ended: ended.clone() };
        self.state().launches.iter().map(listed).collect()
    }

    fn kill(&self, launch: &Launch, _grace: Duration) {
        self.state().orders.push(Order::Kill(launch.clone()));
    }

    fn forget(&self, launch: &Launch) {
        let mut state = self.state();
        if state.launches.get(launch).is_some_and(Option::is_some) {
            state.launches.remove(launch);
        }
    }

    fn read_log(&self, _: &Launch, _: u64, _: usize) -> Result<Vec<u8>, Error> {
        Ok(Vec::new())
    }

    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    fn stop(&self, grace: Duration) {
        let running: Vec<Launch> = self.list().into_iter().filter(|listed| listed.ended.is_none()).map(|listed| listed.launch).collect();
        running.iter().for_each(|launch| self.kill(launch, grace));
    }
}
