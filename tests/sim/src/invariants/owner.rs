//! At most one owner of a lane, over the views that all present servers of a job have applied.

use super::{Who, ensure, history::History};
use std::collections::BTreeMap;
use tfcoord_types::id::{Generation, Incarnation, JobId, Revision};
use tfcoord_types::view::TaskView;

#[derive(Debug)]
struct Applied {
    revision: Revision,
    generation: Generation,
    owners: Vec<Option<Incarnation>>,
}

#[derive(Debug, Default)]
pub struct Owner {
    // By job, then by the server's incarnation.
    applied: BTreeMap<JobId, BTreeMap<Incarnation, Applied>>,
}

impl Owner {
    /// A server has applied a view.
    pub fn applied(&mut self, history: &History, who: &Who, view: &TaskView) {
        let servers = self.applied.entry(who.job.clone()).or_default();
        let owners = view.owners.clone();
        servers.insert(who.incarnation, Applied { revision: view.revision, generation: view.generation, owners });
        let Some(job) = history.cluster().job(&who.job).filter(|job| !job.is_over()) else { return };
        let present: Vec<Incarnation> = job.servers().map(|server| server.incarnation).collect();
        let theirs = servers.iter().filter(|(server, applied)| present.contains(server) && applied.generation == view.generation);
        for (server, applied) in theirs {
            for (lane, (mine, other)) in view.owners.iter().zip(&applied.owners).enumerate() {
                let one = mine.is_none() || other.is_none() || mine == other;
                let place = format!(
                    "{} lane {lane}: {mine:?} at revision {} of server {}, {other:?} at {} of {server}",
                    who.job, view.revision, who.incarnation, applied.revision
                );
                ensure(one, place, "at most one owner of a lane over all servers");
            }
        }
    }
}
