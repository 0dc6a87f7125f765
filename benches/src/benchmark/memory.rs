//! Resident memory of coordinator and server: of a coordinator that has just been started, and of both at the first
//! steps of the mlp job, when every buffer of that job is there.

use super::first_step::INTERVAL;
use crate::job::Example;
use crate::series::Series;
use crate::site::{Role, Site};

const BAR_MB: f64 = 40.0;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut idle = Series::new("coordinator without a job", "MB").at_most(BAR_MB);
    let mut coordinator = Series::new("coordinator, mlp job begun", "MB").at_most(BAR_MB);
    let mut server = Series::new("server, mlp job begun", "MB").at_most(BAR_MB);
    let mut worker = Series::new("worker, mlp job begun, the larger of two", "MB");
    for _ in 0..rounds {
        let site = Site::new()?;
        site.run(&["list"])?;
        idle.push(site.process(Role::Coordinator)?.memory_mb()?);
        let mut submitted = site.submit(&Example::Mlp.endless(site.path(), 2)?, INTERVAL)?;
        submitted.until_step(1)?;
        coordinator.push(site.process(Role::Coordinator)?.memory_mb()?);
        server.push(site.process(Role::Server)?.memory_mb()?);
        let workers = site.processes().into_iter().filter(|process| process.role() == Role::Worker);
        worker.push(workers.map(|process| process.memory_mb()).try_fold(0.0, |most, mb| mb.map(|mb| f64::max(most, mb)))?);
    }
    Ok(vec![idle, coordinator, server, worker])
}
