//! The client from its start to its end. The files of the program are in the system's cache.

use crate::series::Series;
use crate::site::Site;

const BAR_MS: f64 = 20.0;
// Starts are short: several a round.
const STARTS: u32 = 10;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let site = Site::new()?;
    // Starts the coordinator that the others find.
    site.run(&["list"])?;
    let mut version = Series::new("tfcoord version", "ms").at_most(BAR_MS);
    let mut list = Series::new("tfcoord list, coordinator running", "ms").at_most(BAR_MS);
    for _ in 0..rounds * STARTS {
        version.push(site.run(&["version"])?.as_secs_f64() * 1e3);
        list.push(site.run(&["list"])?.as_secs_f64() * 1e3);
    }
    Ok(vec![version, list])
}
