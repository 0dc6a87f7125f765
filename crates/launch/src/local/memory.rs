//! How much memory this machine has for tasks.

use std::fs;

/// In bytes: all of the machine's, or what the control group that this process sees at its root may use, if that is less.
/// Nothing where neither can be told.
pub(super) fn bytes() -> Option<u64> {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    total.into_iter().chain(limit).min()
}

// `MemTotal:       16338484 kB` (proc_meminfo(5)); kB are 1,024 bytes there.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(total("MemTotal:       16338484 kB\nMemFree:         9999 kB\n"), Some(16_338_484 * 1024));
        assert_eq!((total("MemFree: 1 kB"), total("MemTotal: much")), (None, None));
        assert!(bytes().unwrap() > 64 << 20);
    }
}
