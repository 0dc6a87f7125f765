//! The time that entries are stamped with.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 as they were when this began, counted on by the monotonic clock: nobody who sets the
/// system's clock makes deadlines pass.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    base_ms: u64,
    started: Instant,
}

impl Clock {
    /// A clock that shows the present time, or `latest_ms`, the log's last stamp, if that is later.
    pub fn new(latest_ms: u64) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::begin(millis(since), Instant::now(), latest_ms)
    }

    /// A clock that shows `system_ms`, or `latest_ms` if that is later, at `started`.
    pub fn begin(system_ms: u64, started: Instant, latest_ms: u64) -> Self {
        Self { base_ms: system_ms.max(latest_ms), started }
    }

    /// Now, in ms.
    pub fn now_ms(&self) -> u64 {
        self.at_ms(Instant::now())
    }

    /// What it shows at `now`, in ms.
    pub fn at_ms(&self, now: Instant) -> u64 {
        self.base_ms.saturating_add(millis(now.saturating_duration_since(self.started)))
    }

    /// How long it is until `at_ms`; zero if that has passed.
    pub fn until(&self, at_ms: u64) -> Duration {
        Duration::from_millis(at_ms.saturating_sub(self.now_ms()))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_from_the_logs_last_stamp() {
        let future = u64::MAX / 2;
        let clock = Clock::new(future);
        assert!(clock.now_ms() >= future && clock.until(future) == Duration::ZERO);
        assert!(Clock::new(0).now_ms() > 1_600_000_000_000);
    }
}
