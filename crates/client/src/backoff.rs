//! Waiting times between attempts.

use std::time::Duration;
use tfcoord_types::draw::Stream;

/// Exponential waiting times with a cap; each is drawn from its upper half, so that many who were cut off together do
/// not come back together. Pure: who waits is the caller.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempts: u32,
    jitter: Stream,
}

impl Backoff {
    /// Times from `first`, doubled up to `cap`. Different seeds, different times.
    pub fn new(first: Duration, cap: Duration, seed: u64) -> Self {
        Self { first, cap, attempts: 0, jitter: Stream::new("backoff", &[seed]) }
    }

    /// How long to wait before the next attempt.
    pub fn next_wait(&mut self) -> Duration {
        let full = self.first.saturating_mul(1u32.checked_shl(self.attempts).unwrap_or(u32::MAX)).min(self.cap);
        self.attempts = self.attempts.saturating_add(1);
        full.mul_f32(0.5 + 0.5 * self.jitter.unit())
    }

    /// An attempt succeeded: begins with the first time again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_double_up_to_the_cap_and_begin_again() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(50), ms(1000), 7);
        for full in [50, 100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next_wait();
            assert!((ms(full / 2)..=ms(full)).contains(&wait), "{wait:?} of {full}");
        }
        for _ in 0..100 {
            assert!(backoff.next_wait() <= ms(1000));
        }
        backoff.reset();
        assert!(backoff.next_wait() <= ms(50));
    }

    #[test]
    fn seeds_tell_times_apart() {
        let first = |seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(1), seed).next_wait();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
