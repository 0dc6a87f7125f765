//! No server is further than any view ever allowed.

use super::{Who, ensure, history::History};
use crate::session::Session;
use tfcoord_ps_core::Server;

/// A server has taken an input.
pub fn check(history: &History, session: &Session, who: &Who, core: &Server) {
    let Some(reached) = core.report().reached else { return };
    let seen = session.view().filter(|view| view.generation == core.generation()).map_or(0, |view| view.run_until);
    ensure(reached <= seen, format_args!("{}: {reached} of {seen}", who.node), "a server is not beyond its view's limit");
    if let Some(job) = history.cluster().job(&who.job).filter(|job| job.generation == core.generation()) {
        let limit = job.run_until;
        ensure(reached <= limit, format_args!("{}: {reached} of {limit}", who.node), "a server is not beyond the job's limit");
    }
}
