//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Waits until `condition` gives something.
///
/// # Panics
/// After `seconds`, with `what` was waited for.
pub fn wait_for<T>(seconds: u64, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        #[expect(clippy::disallowed_methods, reason = "a test's own thread, between looks at the condition")]
        std::thread::sleep(Duration::from_millis(5)); // waits for: `condition`, up to the deadline
    }
}
