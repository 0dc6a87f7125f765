//! A site's processes, as /proc shows them.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;

/// What a process is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `tfcoord`.
    Client,
    /// `tfcoord-coordinator`.
    Coordinator,
    /// `tfcoord-ps`.
    Server,
    /// `tfcoord-worker`.
    Worker,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    role: Role,
}

/// The living processes of tfcoord that have a path within `dir` among their arguments; zombies have no arguments.
pub fn within(dir: &Path) -> Vec<Process> {
    let Some(dir) = dir.to_str() else { return Vec::new() };
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let process = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let text = String::from_utf8_lossy(&text);
        let mut arguments = text.split('\0');
        let role = role(arguments.next()?)?;
        arguments.any(|argument| argument.starts_with(dir)).then_some(Process { pid, role })
    };
    pids.filter_map(process).collect()
}

fn role(program: &str) -> Option<Role> {
    match program.rsplit('/').next()? {
        "tfcoord" => Some(Role::Client),
        "tfcoord-coordinator" => Some(Role::Coordinator),
        "tfcoord-ps" => Some(Role::Server),
        "tfcoord-worker" => Some(Role::Worker),
        _ => None,
    }
}

impl Process {
    /// What it is there for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends it at once; nothing if it is gone.
    pub fn kill(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _gone_is_fine = kill_process(pid, Signal::KILL);
        }
    }

    /// Resident memory in MB: now.
    ///
    /// # Errors
    /// If it is gone.
    pub fn memory_mb(&self) -> anyhow::Result<f64> {
        self.status_mb("VmRSS:")
    }

    /// Resident memory in MB: the most it ever had.
    ///
    /// # Errors
    /// If it is gone.
    pub fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        self.status_mb("VmHWM:")
    }

    // The kernel says kB and means 1,024 bytes.
    fn status_mb(&self, field: &str) -> anyhow::Result<f64> {
        let file = format!("/proc/{}/status", self.pid);
        let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("{file}: no {field}"))?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{file}: {line}"))?;
        Ok(kibibytes * 1024.0 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_have_roles() {
        assert_eq!(role("/a/b/tfcoord-ps"), Some(Role::Server));
        assert_eq!(role("tfcoord"), Some(Role::Client));
        assert_eq!(role("/a/tfcoord-benches"), None);
    }

    #[test]
    fn this_process_has_memory() {
        let own = Process { pid: rustix::process::getpid().as_raw_pid(), role: Role::Client };
        let (now, peak) = (own.memory_mb().unwrap(), own.peak_memory_mb().unwrap());
        assert!(now > 0.5 && peak >= 0.9 * now, "{now} {peak}");
    }
}
