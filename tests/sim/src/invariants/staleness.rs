//! In `ssp` no worker is more clocks ahead of the slowest one that has something to train than it may be.

use super::{Who, ensure};
use tfcoord_coordinator_core::Job;
use tfcoord_ps_core::Server;

/// A server has taken an input.
pub fn check(job: &Job, who: &Who, core: &Server) {
    let Some(staleness) = job.file.train.staleness() else { return };
    let clocks = core.clocks();
    let all = || clocks.iter().map(|(_, clock)| *clock);
    let apart = all().max().unwrap_or(0) - all().min().unwrap_or(0);
    ensure(apart <= staleness.into(), format_args!("{}: {clocks:?}", who.node), "no worker is further ahead than it may be");
}
