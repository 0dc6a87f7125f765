//! The machine: what it is and what else it does.

use serde_json::{Value, json};
use std::fs::read_to_string;
use std::time::{Duration, Instant};

/// Ticks of `/proc/stat` a second: USER_HZ, 100 wherever Linux shows it to a process.
const TICKS_PER_S: f64 = 100.0;

/// Name, cores and memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory in MB.
    pub memory_mb: u64,
}

impl Machine {
    /// This machine; what it does not say is left empty.
    pub fn read() -> Self {
        let field = |file: &str, name: &str| {
            let text = read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: memory.unwrap_or(0) * 1024 / 1_000_000,
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({"cpu": self.cpu, "cores": self.cores, "memory_mb": self.memory_mb})
    }
}

/// The load average of the last minute; 0 where there is none.
pub fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Cores in use during one second in which this program does nothing: what others take from a benchmark.
pub fn busy_cores() -> f64 {
    let (ticks, begun) = (busy_ticks(), Instant::now());
    pause(Duration::from_secs(1));
    (busy_ticks() - ticks) / TICKS_PER_S / begun.elapsed().as_secs_f64()
}

/// Waits; measuring is done from threads that have nothing else to do.
pub fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the only thread there is, between two looks at other processes")]
    std::thread::sleep(time);
}

// User, nice, system, irq, softirq, steal.
fn busy_ticks() -> f64 {
    let text = read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<f64> = text.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum()
}
