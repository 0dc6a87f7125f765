//! How long a job's coordinator and tasks wait for each other. One time is chosen, the lease; the others follow from it.
//!
//! | what | how long | why |
//! |---|---|---|
//! | lease | the job's `lease_seconds` | a task that is silent for so long is held for dead |
//! | heartbeat | lease / 4 | a task says that it is there: three may get lost |
//! | reconnect | lease / 4, at most 1 s | the longest wait between two attempts to reach the coordinator again: a new leader hears of everybody within a lease |
//! | stall | lease / 2 | a leader that did not run for so long knows nothing of the others: their leases begin anew |
//! | orphan grace | 30 leases, or the job's `orphan_grace_seconds` | a task without a coordinator ends itself |

use std::time::Duration;

/// The default of `lease_seconds`: of tasks on one machine.
pub const LEASE_SECONDS: f64 = 2.0;
/// What `lease_seconds` may be.
pub const LEASE_SECONDS_RANGE: std::ops::RangeInclusive<f64> = 0.5..=600.0;
/// The longest orphan grace, in seconds: a day.
pub const ORPHAN_GRACE_SECONDS_MAX: f64 = 86_400.0;
/// An orphan grace has at least so many leases: else tasks would end while a coordinator comes back in time.
pub const ORPHAN_GRACE_LEASES_MIN: f64 = 2.0;

const ORPHAN_GRACE_LEASES: f64 = 30.0;
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// A job's waiting times; see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A task that is silent for so long is held for dead.
    pub lease: Duration,
    /// A task that has been without a coordinator for so long ends itself.
    pub orphan_grace: Duration,
}

impl Timing {
    /// From what a job file says, in seconds. What [`crate::job::check`] would refuse is brought into its bounds.
    pub fn new(lease: f64, orphan_grace: Option<f64>) -> Self {
        let (min, max) = (*LEASE_SECONDS_RANGE.start(), *LEASE_SECONDS_RANGE.end());
        let lease = if lease.is_finite() { lease.clamp(min, max) } else { LEASE_SECONDS };
        let grace = orphan_grace.filter(|grace| grace.is_finite()).unwrap_or(ORPHAN_GRACE_LEASES * lease);
        let grace = grace.clamp(ORPHAN_GRACE_LEASES_MIN * lease, ORPHAN_GRACE_SECONDS_MAX);
        Self { lease: Duration::from_secs_f64(lease), orphan_grace: Duration::from_secs_f64(grace) }
    }

    /// A task reports at least this often.
    pub fn heartbeat(lease: Duration) -> Duration {
        lease / 4
    }

    /// The longest wait between two attempts to reach the coordinator again.
    pub fn reconnect(lease: Duration) -> Duration {
        (lease / 4).min(RECONNECT_MAX)
    }

    /// A leader that did not run for so long knows nothing of the others.
    pub fn stall(lease: Duration) -> Duration {
        lease / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_follows_from_the_lease() {
        let secs = Duration::from_secs_f64;
        let usual = Timing::new(LEASE_SECONDS, None);
        assert_eq!((usual.lease, usual.orphan_grace), (secs(2.0), secs(60.0)));
        for lease in [0.5, 2.0, 10.0, 600.0] {
            let Timing { lease, orphan_grace } = Timing::new(lease, None);
            assert!(Timing::heartbeat(lease) < Timing::stall(lease) && Timing::stall(lease) < lease && lease < orphan_grace);
            // The wait, the attempt itself and the first report.
            assert!(Timing::reconnect(lease) * 2 <= lease, "{lease:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_brought_into_bounds() {
        let secs = Duration::from_secs_f64;
        assert_eq!(Timing::new(f64::NAN, Some(f64::INFINITY)), Timing::new(LEASE_SECONDS, None));
        assert_eq!(Timing::new(0.0, Some(0.0)), Timing { lease: secs(0.5), orphan_grace: secs(1.0) });
    }
}
