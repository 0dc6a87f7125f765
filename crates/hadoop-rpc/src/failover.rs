//! Fail-over: several NameNodes serve a file system, and whichever is active answers. What a failure says of the others, who is
//! asked next, and how long it is waited: alike for Hadoop's RPC and for WebHDFS.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::sleep;

/// How long a NameNode may take to let us in, where there is another one to try.
pub const CONNECT: Duration = Duration::from_secs(10);

/// Between rounds in which no NameNode was active.
const PAUSE: Duration = Duration::from_millis(500);

/// What becomes of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next NameNode may be the active one: nothing was carried out.
    Other,
    /// It may have been carried out.
    Unknown,
    /// The same would come again.
    Final,
}

impl Next {
    /// After an exception of this class, without its package.
    pub fn of_refusal(class: &str) -> Self {
        match class {
            // It is passive, or still starting: nothing was carried out.
            "StandbyException" | "RetriableException" => Self::Other,
            _ => Self::Final,
        }
    }
}

/// Which of a file system's NameNodes is asked first: an index of their addresses.
#[derive(Debug, Default)]
pub struct Active(AtomicUsize);

impl Active {
    /// Of whom it is now.
    pub fn index(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// On from the one that was asked to the next of so many, with a pause after each round.
    pub async fn turn(&self, from: usize, count: usize) {
        let next = (from + 1) % count.max(1);
        self.0.store(next, Ordering::Relaxed);
        if next == 0 {
            sleep(PAUSE).await;
        }
    }
}

/// How the message of a call ends that was not answered in time: with what was seen last, or what helps.
pub fn unanswered(last: Option<&impl Display>) -> String {
    last.map_or_else(|| "; check that it is not overloaded, or paused".into(), |last| format!("; last: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[test]
    fn only_who_is_passive_or_starting_leaves_it_to_another() {
        assert_eq!(["StandbyException", "RetriableException"].map(Next::of_refusal), [Next::Other; 2]);
        assert_eq!(["AccessControlException", "SafeModeException", ""].map(Next::of_refusal), [Next::Final; 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_asked_once_before_it_is_waited() {
        let (active, begin) = (Active::default(), Instant::now());
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.push((active.index(), begin.elapsed()));
            active.turn(active.index(), 3).await;
        }
        assert_eq!(asked, [(0, Duration::ZERO), (1, Duration::ZERO), (2, Duration::ZERO), (0, PAUSE)]);
        // Two calls that met the same one do not go past the next.
        active.turn(1, 3).await;
        active.turn(1, 3).await;
        assert_eq!(active.index(), 2);
    }
}
