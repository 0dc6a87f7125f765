//! Kills a worker between two chunks of one step: the worst place, since one chunk has its gradient and the next not.

use crate::processes::with_arguments;
use rustix::process::Signal;
use std::sync::Mutex;
use tfcoord_proto::v1;

/// Whom to kill, and when.
pub struct Kill {
    worker: u32,
    step: u64,
    // Pushes of that worker at that step which went through so far; none any more once it was killed.
    passed: Mutex<Option<u32>>,
}

impl Kill {
    /// Kills `worker` as soon as its first push for `step` went through and the second one is here.
    pub fn new(worker: u32, step: u64) -> Self {
        Self { worker, step, passed: Mutex::new(Some(0)) }
    }

    /// Whether `push` goes through. Kills the worker otherwise.
    pub fn lets_pass(&self, push: &v1::Push) -> bool {
        if push.worker != self.worker || push.step != self.step {
            return true;
        }
        let mut passed = self.passed.lock().expect("nobody panics with it");
        match *passed {
            None => true,
            Some(0) => {
                *passed = Some(1);
                true
            }
            Some(_) => {
                *passed = None;
                let task = format!("worker-{}", self.worker);
                with_arguments(&["--job", &push.job, "--task", &task]).iter().for_each(|p| p.signal(Signal::KILL));
                false
            }
        }
    }
}
