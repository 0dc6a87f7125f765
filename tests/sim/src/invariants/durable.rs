//! Nothing is said before it is durable, and a log that failed once takes nothing more.

use super::ensure;
use crate::disk::SimDisk;
use std::fmt::Display;

#[derive(Debug, Default)]
pub struct Durable {
    failed_at: Option<u64>,
}

impl Durable {
    /// A coordinator begins.
    pub fn begin(&mut self) {
        self.failed_at = None;
    }

    /// A coordinator could not start.
    pub fn refused(&self, disk_failed: bool, why: &str) {
        ensure(disk_failed, why, "what a crash leaves can be opened");
    }

    /// The coordinator says something that follows from its state.
    pub fn said(&self, disk: &SimDisk, what: impl Display) {
        ensure(disk.is_durable(), what, "nothing is said before it is durable");
    }

    /// An append has ended.
    pub fn appended(&mut self, disk: &SimDisk, fine: bool) {
        let failed = disk.failed();
        let since = self.failed_at.is_some();
        ensure(!since || !fine, format_args!("{failed} failures"), "a log that failed takes nothing more until it is opened again");
        if !fine {
            self.failed_at = Some(failed);
        }
    }
}
