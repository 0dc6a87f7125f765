//! Until when a job's tokens are good. Times are in ms since 1970; those of tokens by the NameNode's clock.

use crate::state_dir::HadoopDir;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime};
use tfcoord_hadoop_rpc::Identifier;

const MODE_PRIVATE: u32 = 0o600;

/// What was said of a job's tokens by the last step that went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// One for each file system.
    pub tokens: Vec<TokenDates>,
    /// When that was, by this machine's clock.
    pub at_ms: u64,
    /// When the ticket ends by which they are renewed; absent where a keytab gives new ones.
    pub ticket_ends_ms: Option<u64>,
    /// Whether somebody else has got them, and keeps them good.
    #[serde(default)]
    pub is_given: bool,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDates {
    /// Which NameNodes it is for.
    pub service: String,
    /// Whose it is.
    pub owner: String,
    /// The NameNode's number of it.
    pub sequence: i32,
    /// When it was given out.
    pub issued_ms: u64,
    /// Until when it is good, unless it is renewed before.
    pub expires_ms: u64,
    /// Beyond this nobody can renew it.
    pub latest_ms: u64,
}

impl TokenDates {
    /// Of a token for `service`.
    pub fn new(service: &str, identifier: &Identifier, expires: SystemTime) -> Self {
        Self {
            service: service.to_owned(),
            owner: identifier.owner.clone(),
            sequence: identifier.sequence,
            issued_ms: ms(identifier.issued),
            expires_ms: ms(expires),
            latest_ms: ms(identifier.latest),
        }
    }
}

impl Dates {
    /// Until when all tokens are good.
    pub fn expire_ms(&self) -> u64 {
        self.tokens.iter().map(|token| token.expires_ms).min().unwrap_or(self.at_ms)
    }

    /// Beyond this not all can be renewed.
    pub fn latest_ms(&self) -> u64 {
        self.tokens.iter().map(|token| token.latest_ms).min().unwrap_or(self.at_ms)
    }

    /// When the first was given out.
    pub fn issued_ms(&self) -> u64 {
        self.tokens.iter().map(|token| token.issued_ms).min().unwrap_or(self.at_ms)
    }

    /// As they were kept; nothing where they were not.
    pub fn read(dir: &HadoopDir) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.dates()).ok()?).ok()
    }

    /// Keeps them for the next coordinator.
    ///
    /// # Errors
    /// The file system fails.
    pub fn keep(&self, dir: &HadoopDir) -> Result<(), tfcoord_fs::Error> {
        let json = serde_json::to_vec(self).expect("names and numbers");
        tfcoord_fs::write_atomic(&dir.dates(), &json, MODE_PRIVATE)
    }
}

impl fmt::Display for TokenDates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, owner, sequence, issued_ms, expires_ms, latest_ms } = self;
        let [issued, expires, latest] = [*issued_ms, *expires_ms, *latest_ms].map(utc);
        write!(f, "token {sequence} of {owner} for {service}, issued {issued}, good until {expires}, at most until {latest}")
    }
}

/// Milliseconds since 1970.
pub fn ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The present.
pub fn now_ms() -> u64 {
    ms(SystemTime::now())
}

/// `2026-01-31 12:00:00 UTC`.
pub fn utc(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days to a date by eras of 400 years that begin in March (Hinnant, chrono-Compatible Low-Level Date Algorithms).
    let since_march = days.saturating_add(719_468);
    let (era, of_era) = (since_march / 146_097, since_march % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_write_them() {
        let said = [0, 951_782_399_000, 951_782_400_000, 1_767_225_599_999, 1_798_761_600_000].map(utc);
        assert_eq!(
            said,
            [
                "1970-01-01 00:00:00 UTC",
                "2000-02-28 23:59:59 UTC",
                "2000-02-29 00:00:00 UTC",
                "2025-12-31 23:59:59 UTC",
                "2027-01-01 00:00:00 UTC"
            ]
        );
    }

    #[test]
    fn the_first_one_to_end_counts() {
        let token = |sequence, issued_ms, expires_ms, latest_ms| TokenDates {
            service: "nn:1".into(),
            owner: "alice".into(),
            sequence,
            issued_ms,
            expires_ms,
            latest_ms,
        };
        let dates = Dates { tokens: vec![token(1, 10, 40, 160), token(2, 12, 41, 150)], at_ms: 12, ticket_ends_ms: None, is_given: false };
        assert_eq!((dates.issued_ms(), dates.expire_ms(), dates.latest_ms()), (10, 40, 150));
        let dir = tempfile::tempdir().unwrap();
        let dir = HadoopDir::new(dir.path());
        assert_eq!(Dates::read(&dir), None);
        dates.keep(&dir).unwrap();
        assert_eq!(Dates::read(&dir), Some(dates));
    }
}
