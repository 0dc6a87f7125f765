//! When a job's tokens are renewed, and when they are replaced by new ones: pure.
//!
//! ```text
//!   issued                                                                    latest
//!     ├──── renewed ── 1/2 ──► renewed ── 1/2 ──► …           ──► reissued ◄── 90 s ──┤
//!     └───────────────────────────── 3/4 of its life at the latest ────►│
//! ```
//!
//! A token is renewed at half of the time for which it is good, so that as much is left for trying again, and replaced at
//! three quarters of its life, but at least 90 s before its end: clients leave tokens alone that have less than a minute
//! to live. Where a ticket that ends renews them, they are renewed shortly before that once more.

use super::dates::Dates;

/// Before a token's end at least this much is left to clients, in ms.
const RESERVE_MS: u64 = 90_000;
/// The longest and the shortest pause before it is tried again, in ms.
const PAUSE_MS_MAX: u64 = 60_000;
const PAUSE_MS_MIN: u64 = 2_000;

/// What is done to a job's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// They are prolonged.
    Renew,
    /// New ones take their place.
    Reissue,
}

/// What is known of a job's tokens.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    dates: Option<Dates>,
    failed_at_ms: Option<u64>,
    // The NameNode does not know them any more.
    lost: bool,
}

impl Schedule {
    /// With what was kept; where nothing was, they are renewed at once, which says until when they are good.
    pub fn new(dates: Option<Dates>) -> Self {
        Self { dates, ..Self::default() }
    }

    /// What is known of them.
    pub fn dates(&self) -> Option<&Dates> {
        self.dates.as_ref()
    }

    /// A step went well.
    pub fn done(&mut self, dates: Dates) {
        *self = Self::new(Some(dates));
    }

    /// A step failed; `lost` if since the NameNode does not know the tokens any more. Returns whether it did not fail before.
    pub fn failed(&mut self, at_ms: u64, lost: bool) -> bool {
        self.lost |= lost;
        self.failed_at_ms.replace(at_ms).is_none()
    }

    /// Whether the last step did not go well.
    pub fn has_failed(&self) -> bool {
        self.failed_at_ms.is_some()
    }

    /// When it is to be tried again; 0 if nothing has failed.
    pub fn failed_until_ms(&self, now_ms: u64) -> u64 {
        match self.failed_at_ms {
            Some(failed_ms) if failed_ms <= now_ms => failed_ms.saturating_add(self.pause_ms(failed_ms)),
            // A clock that was set back must not make it wait for long.
            Some(_) => now_ms,
            None => 0,
        }
    }

    /// What is next, and when.
    pub fn next(&self, now_ms: u64) -> (u64, Step) {
        let (due_ms, step) = match &self.dates {
            None => (0, Step::Renew),
            Some(dates) => due(dates, now_ms),
        };
        let step = if self.lost { Step::Reissue } else { step };
        if self.has_failed() { (self.failed_until_ms(now_ms), step) } else { (due_ms, step) }
    }

    fn pause_ms(&self, now_ms: u64) -> u64 {
        let left = self.dates.as_ref().map_or(0, |dates| dates.expire_ms().saturating_sub(now_ms));
        (left / 8).clamp(PAUSE_MS_MIN, PAUSE_MS_MAX)
    }
}

fn due(dates: &Dates, now_ms: u64) -> (u64, Step) {
    let (issued, expire, latest) = (dates.issued_ms(), dates.expire_ms(), dates.latest_ms());
    let life = latest.saturating_sub(issued);
    let reissue_ms = (issued + life / 4 * 3).min(latest.saturating_sub(RESERVE_MS)).max(issued + life / 4);
    let good = expire.saturating_sub(dates.at_ms);
    let mut renew_ms = dates.at_ms + good / 2;
    if let Some(left) = dates.ticket_ends_ms.and_then(|ends| ends.checked_sub(dates.at_ms)) {
        // Closer to its end it would be renewed again and again.
        if left > good / 4 {
            renew_ms = renew_ms.min(dates.at_ms + left / 8 * 7);
        }
    }
    // What is over cannot be renewed.
    if reissue_ms <= renew_ms || now_ms >= expire || now_ms >= reissue_ms {
        (reissue_ms.min(expire), Step::Reissue)
    } else {
        (renew_ms, Step::Renew)
    }
}

#[cfg(test)]
mod tests;
