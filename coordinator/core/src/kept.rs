//! Which jobs' files are wanted: what a sweep compares with what lies there.

use crate::cluster::Cluster;
use crate::job::Job;
use crate::task::TaskState;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use tfcoord_types::id::JobId;

/// What of a job's files is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All: tasks of it may run.
    InUse,
    /// What people may ask for: what its tasks printed, what was submitted.
    ForPeople,
}

/// The jobs whose files are wanted: those with tasks that may run, and of the others the `ended_max` that ended last.
pub fn kept(cluster: &Cluster, ended_max: usize) -> BTreeMap<JobId, Kept> {
    let (in_use, mut ended): (Vec<&Job>, Vec<&Job>) = cluster.jobs().partition(|job| is_in_use(job));
    ended.sort_by_key(|job| Reverse((job.ended.as_ref().map(|ended| ended.at_ms), job.id.number)));
    let in_use = in_use.into_iter().map(|job| (job.id.clone(), Kept::InUse));
    in_use.chain(ended.into_iter().take(ended_max).map(|job| (job.id.clone(), Kept::ForPeople))).collect()
}

/// Whether tasks of the job run or may be launched.
pub fn is_in_use(job: &Job) -> bool {
    !job.is_over() || job.tasks.values().any(|task| matches!(task.state, TaskState::Stopping { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use crate::test::fixture::{PS, W0, W1, World, file, submit};
    use tfcoord_types::id::Attempt;

    #[test]
    fn jobs_in_use_are_kept_whatever_their_number_and_the_last_ones_that_ended() {
        let mut world = World::submitted(file(1, 2, 1, false));
        for request in ["b", "c", "d"] {
            world.done(submit(request, file(1, 2, 1, false)));
        }
        let job = |number| JobId { name: "fashion".into(), number };
        let mut end = |number| {
            world.done(Command::CancelJob { job: job(number), reason: String::new() });
            let in_use = kept(&world.cluster, 0);
            for task in [PS, W0, W1] {
                assert_eq!(in_use.get(&job(number)), Some(&Kept::InUse), "a task of it is left");
                world.done(Command::CollectTask { job: job(number), task, attempt: Attempt(1), exit: None });
            }
            world.at_ms += 1;
            kept(&world.cluster, 2)
        };
        let shown = |kept: BTreeMap<JobId, Kept>| kept.into_iter().map(|(id, kept)| (id.number, kept)).collect::<Vec<_>>();
        assert_eq!(shown(end(3)), [(1, Kept::InUse), (2, Kept::InUse), (3, Kept::ForPeople), (4, Kept::InUse)]);
        end(1);
        // 3 ended first.
        assert_eq!(shown(end(2)), [(1, Kept::ForPeople), (2, Kept::ForPeople), (4, Kept::InUse)]);
    }
}
