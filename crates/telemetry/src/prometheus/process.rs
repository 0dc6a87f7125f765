//! The process's own memory and CPU time, as the kernel counts them at this moment.

use std::fmt::Write;

use rustix::time::{ClockId, clock_gettime};

use super::PROCESS_METRICS;

/// Appends the process metrics; one that cannot be read is left out, as a wrong zero would be worse.
pub(super) fn render(text: &mut String) {
    for metric in PROCESS_METRICS {
        let value = match metric.name {
            "process_cpu_seconds_total" => Some(cpu_s().to_string()),
            "process_resident_memory_bytes" => resident_bytes().map(|bytes| bytes.to_string()),
            _ => None,
        };
        if let Some(value) = value {
            let (name, help, kind) = (metric.name, metric.help, metric.kind.word());
            // Infallible: the sink is a string.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n");
        }
    }
}

fn cpu_s() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    // Nanoseconds are below 1e9 and seconds of CPU far below 2^53: the sum is as exact as a double is.
    spent.tv_sec as f64 + spent.tv_nsec as f64 * 1e-9
}

fn resident_bytes() -> Option<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// `VmRSS` of the text of `/proc/PID/status`, which gives it in KiB (proc(5)).
fn resident_in(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = value.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_kib() {
        assert_eq!(resident_in("VmHWM:\t   99 kB\nVmRSS:\t    1234 kB\nRssAnon:\t 5 kB\n"), Some(1234 * 1024));
        assert_eq!(resident_in("VmHWM:\t   99 kB\n"), None);
        assert_eq!(resident_in("VmRSS:\t  many kB\n"), None);
    }

    #[test]
    fn memory_and_cpu_time_follow_the_process() {
        let before = (resident_bytes().unwrap(), cpu_s());
        // Twice as many bytes as asked for below, written so that they are resident, and some work for the clock to see.
        let held: Vec<u64> = (0..8 * 1024 * 1024).collect();
        let after = (resident_bytes().unwrap(), cpu_s());
        assert!(after.0 > before.0 + 32 * 1024 * 1024, "{before:?} {after:?}");
        assert!(after.1 > before.1, "{before:?} {after:?}");
        assert_eq!(std::hint::black_box(held).len(), 8 * 1024 * 1024);
    }
}
