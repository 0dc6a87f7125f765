//! What was measured: a line for people, and one of JSON in a ledger that is only ever appended to.

use anyhow::Context;
use serde_json::json;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

/// A number with its bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// How much.
    pub value: f64,
    /// Of what: `s`, `ms`, `share`
    pub unit: &'static str,
    /// What it should be.
    pub bar: Option<Bar>,
}

/// What a value should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

impl Figure {
    /// One without a bar.
    pub fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, bar: None }
    }

    /// The same, with a bar.
    #[must_use]
    pub fn at_least(self, bar: f64) -> Self {
        Self { bar: Some(Bar::AtLeast(bar)), ..self }
    }

    /// The same, with a bar.
    #[must_use]
    pub fn at_most(self, bar: f64) -> Self {
        Self { bar: Some(Bar::AtMost(bar)), ..self }
    }

    /// Whether it is what it should be.
    pub fn holds(&self) -> bool {
        match self.bar {
            None => true,
            Some(Bar::AtLeast(bar)) => self.value >= bar,
            Some(Bar::AtMost(bar)) => self.value <= bar,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit, bar } = self;
        write!(f, "{name:<62} {value:>10.3} {unit:<6}")?;
        let verdict = if self.holds() { "holds" } else { "MISSED" };
        match bar {
            None => Ok(()),
            Some(Bar::AtLeast(bar)) => write!(f, " bar >= {bar:.3} {verdict}"),
            Some(Bar::AtMost(bar)) => write!(f, " bar <= {bar:.3} {verdict}"),
        }
    }
}

/// The file that figures are appended to.
pub struct Ledger {
    path: PathBuf,
    commit: String,
}

impl Ledger {
    /// One at `path`, for what is built of the present commit.
    pub fn new(path: PathBuf) -> Self {
        let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
        let commit = git.ok().filter(|output| output.status.success());
        let commit = commit.map_or_else(|| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self { path, commit }
    }

    /// Says a figure, and appends it, with the machine's load.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&self, figure: &Figure) -> anyhow::Result<()> {
        println!("{figure}");
        let at_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Option<f64> = load.split(' ').next().and_then(|first| first.parse().ok());
        let line = json!({
            "at_s": at_s, "commit": self.commit, "figure": figure.name, "value": figure.value, "unit": figure.unit,
            "holds": figure.holds(), "load": load, "optimized": !cfg!(debug_assertions),
        });
        let file = File::options().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.with_context(|| self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bar_is_said_and_noted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        let ledger = Ledger::new(path.clone());
        let figure = Figure::new("goodput", 0.5, "share").at_least(0.95);
        assert!(figure.to_string().ends_with("0.500 share  bar >= 0.950 MISSED"), "{figure}");
        ledger.note(&figure).unwrap();
        ledger.note(&Figure::new("time", 1.0, "s").at_most(1.5)).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!([&lines[0]["holds"], &lines[1]["holds"]], [false, true]);
        assert_eq!((&lines[0]["figure"], &lines[0]["value"]), (&json!("goodput"), &json!(0.5)));
    }
}
