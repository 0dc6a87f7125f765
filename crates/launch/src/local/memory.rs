//! How much memory this machine has for tasks.

use std::fs;
use std::path::Path;

/// In bytes: all of the machine's, or what this process's control groups may use, if that is less: a container's, a
/// service's, a batch job's. Nothing where neither can be told.
pub(super) fn bytes() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let total = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    total.into_iter().chain(limit(&groups, read)).min()
}

// `MemTotal:       16338484 kB` (proc_meminfo(5)); kB are 1,024 bytes there.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

// The least that a group of `groups` (cgroups(7): `ID:CONTROLLERS:PATH` a line) or one above it allows. Version 2 has no
// controllers on its line, and "max" where there is no limit; in version 1 that is a number beyond any memory.
fn limit(groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let of_line = |line: &str| {
        let [_, controllers, path] = *line.splitn(3, ':').collect::<Vec<_>>() else {
            return None;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        // In a container the path may be one of the host, of which only the root is seen here.
        let of_group = |group: &Path| read(&Path::new(root).join(group).join(file))?.trim().parse::<u64>().ok();
        Path::new(path.trim_start_matches('/')).ancestors().filter_map(of_group).min()
    };
    groups.lines().filter_map(of_line).min()
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

    #[test]
    fn the_least_limit_on_the_way_up_holds() {
        let second = |path: &Path| match path.to_str().unwrap() {
            "/sys/fs/cgroup/slurm/job_7/memory.max" => Some("2147483648\n".to_owned()),
            "/sys/fs/cgroup/slurm/job_7/step/memory.max" | "/sys/fs/cgroup/slurm/memory.max" => Some("max\n".to_owned()),
            _ => None,
        };
        assert_eq!(limit("0::/slurm/job_7/step\n", second), Some(2 << 30));
        assert_eq!(limit("0::/slurm\n", second), None);
        let first = |path: &Path| match path.to_str().unwrap() {
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes" => Some("9223372036854771712\n".to_owned()),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes" => Some("4096\n".to_owned()),
            _ => None,
        };
        assert_eq!(limit("3:cpu,memory:/a\n2:cpuset:/b\n0::/\n", first), Some(4096));
        assert_eq!(limit("nonsense\n", first), None);
    }
}
