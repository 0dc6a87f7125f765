//! The JVM in which the servers run, and the conversation with it: a line for a line.

use super::form::Form;
use super::kdc::REALM;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long a start or a command may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(4);

/// Lines of its log that a failure shows.
const LOG_LINES: usize = 40;

pub(super) struct Jvm {
    java: PathBuf,
    installed: PathBuf,
    log: PathBuf,
    process: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Jvm {
    /// Starts the servers, and gives where they listen once they do.
    pub fn start(java: &Path, installed: &Path, dir: &Path, form: &Form) -> (Self, Value) {
        let log = dir.join("servers.log");
        let mut command = bare(java, installed, dir, "");
        command.arg("tfcoord.bed.Main").arg(format!("folder={}", dir.display())).arg(format!("realm={REALM}"));
        command.args(form.arguments());
        // The superuser's name where names are taken on trust.
        command.env("HADOOP_USER_NAME", "hdfs");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).expect("a log can be made"));
        let mut process = command.spawn().expect("java can be started");
        let stdin = process.stdin.take().expect("it is piped");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut jvm = Self { java: java.to_owned(), installed: installed.to_owned(), log, process, stdin, lines };
        let line = jvm.line("READY");
        let ready = line.strip_prefix("READY ").and_then(|json| serde_json::from_str(json).ok());
        let ready = ready.unwrap_or_else(|| panic!("HDFS did not start: {line}\n{}", jvm.end_of_log()));
        (jvm, ready)
    }

    /// Carries out a command.
    pub fn command(&mut self, command: &str) -> Result<String, String> {
        let sent = writeln!(self.stdin, "{command}").and_then(|()| self.stdin.flush());
        assert!(sent.is_ok(), "{command}: the servers are gone\n{}", self.end_of_log());
        let line = self.line(command);
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("OK", answer) => Ok(answer.to_owned()),
            (_, error) => Err(error.to_owned()),
        }
    }

    fn line(&mut self, awaited: &str) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.unwrap_or_else(|error| panic!("{awaited}: no answer ({error})\n{}", self.end_of_log()))
    }

    /// `hdfs dfs` with the configuration in `conf`, ready to run.
    pub fn dfs(&self, dir: &Path, conf: &Path, arguments: &[&str]) -> Command {
        let mut command = bare(&self.java, &self.installed, dir, &format!(":{}", conf.display()));
        command.arg("org.apache.hadoop.fs.FsShell").args(arguments).stdin(Stdio::null());
        command
    }

    /// The same with the bed's own, and without the flags for a quick start.
    pub fn shell(&self, dir: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.java);
        command.arg("-Djava.net.preferIPv4Stack=true");
        class_path(&mut command, &self.installed, dir, &conf(dir));
        command.arg("org.apache.hadoop.fs.FsShell").args(arguments).stdin(Stdio::null());
        command
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        // Nothing of it is worth an orderly end.
        let _dead_is_fine = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Java with flags for a quick start, the jars (`tests/hadoop/archive.sh` has the same), and `behind` on the class path. Temporary
/// files go to a folder of its own, since web servers leave theirs behind.
fn bare(java: &Path, installed: &Path, dir: &Path, behind: &str) -> Command {
    let tmp = dir.join("tmp");
    fs::create_dir_all(&tmp).expect("a folder can be made");
    let mut command = Command::new(java);
    command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true"]);
    // Without the archive it is slower, and that is all.
    command.arg(format!("-XX:SharedArchiveFile={}", installed.join("bed.jsa").display())).arg("-Xlog:disable");
    command.arg(format!("-Djava.io.tmpdir={}", tmp.display()));
    class_path(&mut command, installed, dir, behind);
    command
}

// Where the configuration lies, behind the jars.
fn conf(dir: &Path) -> String {
    format!(":{}/conf", dir.display())
}

fn class_path(command: &mut Command, installed: &Path, dir: &Path, behind: &str) {
    command.arg(format!("-Djava.security.krb5.conf={}", dir.join("krb5.conf").display()));
    command.arg("-cp").arg(format!("{0}/bed.jar:{0}/lib/*{behind}", installed.display()));
}
