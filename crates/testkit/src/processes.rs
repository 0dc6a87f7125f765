//! Processes on this machine, as /proc shows them.

use rustix::process::{Pid, Signal, kill_process};

/// A process, told by its id and its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its arguments, the program first.
    pub arguments: Vec<String>,
}

/// All living processes that have every one of `arguments` among their own; zombies are left out.
pub fn with_arguments(arguments: &[&str]) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let process = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let own: Vec<String> = text.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        arguments.iter().all(|wanted| own.iter().any(|a| a == wanted)).then_some(Process { pid, arguments: own })
    };
    pids.filter_map(process).collect()
}

impl Process {
    /// Sends it a signal; nothing if it is gone.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _gone_is_fine = kill_process(pid, signal);
        }
    }

    /// Whether it is stopped, as by SIGSTOP.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('T'))
    }

    /// A line of its status that counts memory, such as `VmHWM` or `VmRSS`, in bytes; nothing once it has ended.
    pub fn memory(&self, line: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let value = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
    }

    /// Its program's file name.
    pub fn program(&self) -> &str {
        self.arguments.first().map_or("", |path| path.rsplit('/').next().unwrap_or(path))
    }
}
