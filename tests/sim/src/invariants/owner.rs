//! At most one owner of a lane or a shard, over the views that all present servers of a job have applied.

use super::{Who, ensure, history::History};
use std::collections::BTreeMap;
use tfcoord_types::id::{Generation, Incarnation, JobId, Revision};
use tfcoord_types::view::TaskView;

#[derive(Debug)]
struct Applied {
    revision: Revision,
    generation: Generation,
    owners: Vec<Option<Incarnation>>,
    // With the limit that tells their epoch.
    leases: BTreeMap<(u64, u32), Incarnation>,
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
        let owned = view.leases.iter().filter_map(|lease| Some(((view.run_until, lease.shard), lease.owner?)));
        let leases: BTreeMap<_, _> = owned.collect();
        let own = Applied { revision: view.revision, generation: view.generation, owners, leases: leases.clone() };
        servers.insert(who.incarnation, own);
        let Some(job) = history.cluster().job(&who.job).filter(|job| !job.is_over()) else { return };
        let present: Vec<Incarnation> = job.servers().map(|server| server.incarnation).collect();
        let theirs = servers.iter().filter(|(server, applied)| present.contains(server) && applied.generation == view.generation);
        for (server, applied) in theirs {
            for (shard, mine) in &leases {
                let other = applied.leases.get(shard).copied().unwrap_or(*mine);
                let place = format!("{} shard {shard:?}: {mine} at server {}, {other} at {server}", who.job, who.incarnation);
                ensure(*mine == other, place, "at most one owner of a shard over all servers");
            }
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
