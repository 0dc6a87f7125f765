//! Cpus that are this process's alone.
//!
//! A worker is told how many cpus it has, not which. Only where its affinity mask names exactly so many, and not all of the
//! machine's, has somebody set them apart (a Kubernetes node with static cpus, Slurm, `taskset`): then a thread on each is
//! safe. Anywhere else workers on one machine would crowd on the same cpus, and the system places threads better.

/// The cpus of this process, if they are `count` and others are left to the rest of the machine; else none.
pub(super) fn set_apart(count: usize) -> Vec<usize> {
    let cpus = allowed();
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok().and_then(|ranges| counted(&ranges));
    if cpus.len() == count && online.is_some_and(|online| count < online) { cpus } else { Vec::new() }
}

// How many numbers there are in "0-3,8,10-11"; nothing if it cannot be read.
fn counted(ranges: &str) -> Option<usize> {
    ranges.trim().split(',').try_fold(0usize, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(target_os = "linux")]
fn allowed() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    // A mask that is too large for the set is no one's but the whole machine's.
    let mask = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|cpu| mask.is_set(*cpu)).collect()
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<usize> {
    Vec::new()
}

/// Keeps the calling thread on `cpu`, if the system lets it.
#[cfg(target_os = "linux")]
pub(super) fn pin(cpu: usize) {
    let mut mask = rustix::thread::CpuSet::new();
    mask.set(cpu);
    // Elsewhere it computes the same.
    let _kept = rustix::thread::sched_setaffinity(None, &mask);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_: usize) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_counted() {
        for (ranges, count) in [("0\n", Some(1)), ("0-1\n", Some(2)), ("0-3,8,10-11\n", Some(7))] {
            assert_eq!(counted(ranges), count);
        }
        for bad in ["", "x", "3-1", "0-", "0-18446744073709551615"] {
            assert_eq!(counted(bad), None, "{bad}");
        }
    }

    // Threads are this process's own, so that the others keep their cpus.
    #[cfg(target_os = "linux")]
    #[test]
    fn only_cpus_that_are_set_apart_are_used() {
        let all = allowed();
        assert!(!all.is_empty());
        assert_eq!(set_apart(all.len() + 1), Vec::<usize>::new());
        let last = all[all.len() - 1];
        let alone = std::thread::spawn(move || {
            pin(last);
            (allowed(), set_apart(1))
        });
        let (allowed, apart) = alone.join().unwrap();
        assert_eq!(allowed, [last]);
        assert!(all.len() == 1 || apart == [last], "{apart:?} of {all:?}");
    }
}
