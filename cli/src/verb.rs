//! The verbs, a file each.

pub mod cancel;
pub mod data;
pub mod doctor;
pub mod file;
pub mod list;
pub mod logs;
pub mod predict;
pub mod status;
pub mod submit;
pub mod validate;
pub mod version;

use std::time::SystemTime;

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
