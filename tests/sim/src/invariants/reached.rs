//! No server is further than any view ever allowed, or than where it begins.

use super::{Who, ensure, history::History};
use crate::session::Session;
use tfcoord_ps_core::Server;

/// A server has taken an input.
pub fn check(history: &History, session: &Session, who: &Who, core: &Server) {
    let Some(reached) = core.report().reached else { return };
    let seen = session.view().filter(|view| view.generation == core.generation()).map_or(0, |view| {
        // Before the job runs it may have begun from a checkpoint.
        let begins = view.restore.as_ref().map_or(0, |restore| restore.id.step);
        view.run_until.max(begins)
    });
    ensure(reached <= seen, format_args!("{}: {reached} of {seen}", who.node), "a server is not beyond its view's limit");
    if let Some(job) = history.cluster().job(&who.job).filter(|job| job.generation == core.generation()) {
        let begins = job.checkpoints.restored.as_ref().map_or(0, |restored| restored.id.step);
        let limit = job.run_until.max(begins);
        ensure(reached <= limit, format_args!("{}: {reached} of {limit}", who.node), "a server is not beyond the job's limit");
    }
}
