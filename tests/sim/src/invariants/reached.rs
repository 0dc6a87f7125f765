//! No server is further than any view ever allowed, or than where it begins.

use super::{Who, ensure, history::History};
use crate::session::Session;
use tfcoord_ps_core::Server;
use tfcoord_types::shard::Shards;

/// A server has taken an input. `shards` are the job's outside of `bsp`.
pub fn check(history: &History, shards: Option<&Shards>, session: &Session, who: &Who, core: &Server) {
    let Some(reached) = core.report().reached else { return };
    let seen = session.view().filter(|view| view.generation == core.generation()).map_or(0, |view| {
        // Before the job runs it may have begun from a checkpoint.
        let begins = view.restore.as_ref().map_or(0, |restore| begins(shards, restore.id.step));
        view.run_until.max(begins)
    });
    ensure(reached <= seen, format_args!("{}: {reached} of {seen}", who.node), "a server is not beyond its view's limit");
    if let Some(job) = history.cluster().job(&who.job).filter(|job| job.generation == core.generation()) {
        let begins = job.checkpoints.restored.as_ref().map_or(0, |restored| begins(shards, restored.id.step));
        let limit = job.run_until.max(begins);
        ensure(reached <= limit, format_args!("{}: {reached} of {limit}", who.node), "a server is not beyond the job's limit");
    }
}

// How far a chunk may be that begins from a checkpoint: within an epoch it was cut as soon as it had so many steps, or had
// more.
fn begins(shards: Option<&Shards>, step: u64) -> u64 {
    shards.and_then(|shards| shards.within(step).map(|epoch| shards.end(epoch))).unwrap_or(step)
}
