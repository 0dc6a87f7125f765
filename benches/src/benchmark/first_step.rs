//! From `tfcoord submit` to the first progress that the client shows: at least one step done. The coordinator shows
//! progress four times a second, so the step itself ended up to 0.3 s before.

use crate::job::Example;
use crate::series::Series;
use crate::site::Site;
use std::time::Duration;

const BAR_S: f64 = 1.0;

/// How often the client shows progress: as often as it can.
pub const INTERVAL: Duration = Duration::from_millis(10);

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut cold = Series::new("no coordinator runs, data not unpacked", "s").at_most(BAR_S);
    let mut warm = Series::new("coordinator runs, data unpacked", "s");
    for _ in 0..rounds {
        let site = Site::new()?;
        let job = Example::Mlp.job(site.path())?;
        for series in [&mut cold, &mut warm] {
            let mut submitted = site.submit(&job, INTERVAL)?;
            series.push(submitted.until_step(1)?.as_secs_f64());
            site.cancel(submitted)?;
        }
    }
    Ok(vec![cold, warm])
}
