//! What a coordinator is told at its start, checked before anything is bound.

use crate::errand::ERRAND;
use crate::tokens::Action;
use clap::Parser;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A parameter server, a worker and a coordinator lie in one directory; this names another one.
const BIN_DIR_VARIABLE: &str = "TFCOORD_BIN_DIR";
const CONFIG_BYTES_MAX: u64 = 1 << 20;
const ENDED_JOBS_KEPT: usize = 100;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "tfcoord-coordinator", version, about = "Admits jobs, launches their tasks and watches over them")]
#[command(group(clap::ArgGroup::new("kind").required(true).args(["embedded", "config"])))]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What it does instead of being a coordinator
    #[command(subcommand)]
    pub instead: Option<Instead>,
    /// Serve one user's state directory, as `tfcoord` starts it; end when idle
    #[arg(long, requires = "state_dir")]
    pub embedded: bool,
    /// The state directory of an embedded coordinator
    #[arg(long, value_name = "DIR", requires = "embedded")]
    pub state_dir: Option<PathBuf>,
    /// How long an embedded coordinator waits without jobs and clients before it ends, in ms
    #[arg(long, value_name = "MS", default_value_t = 60_000, requires = "embedded")]
    pub linger_ms: u64,
    /// Where an embedded coordinator serves /metrics: a loopback ADDRESS:PORT, port 0 for any; the address is written
    /// to `metrics-address` in the state directory
    #[arg(long, value_name = "ADDRESS", env = "TFCOORD_METRICS_LISTEN", value_parser = loopback)]
    pub metrics_listen: Option<SocketAddr>,
    /// Stand by itself, as this JSON file says
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The name of [`Instead::Supervise`].
pub const SUPERVISE: &str = "supervise";
/// The name of [`Instead::Tokens`].
pub const TOKENS: &str = "tokens";

/// What the program does beside a coordinator.
#[derive(Debug, clap::Subcommand)]
pub enum Instead {
    /// Supervise one launch of a task, as a coordinator starts it
    #[command(name = SUPERVISE, hide = true)]
    Supervise {
        /// The launch's directory
        dir: PathBuf,
    },
    /// Do something with a job's files in HDFS, as a coordinator says it
    #[command(name = ERRAND, hide = true)]
    Errand,
    /// Do one step with a job's HDFS tokens, as a coordinator starts it
    #[command(name = TOKENS, hide = true)]
    Tokens {
        /// What to do
        action: Action,
        /// The folder with the job's site
        dir: PathBuf,
    },
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket in the state directory's socket directory.
    Default,
    /// A Unix socket: its absolute path.
    Unix(PathBuf),
    /// A TCP port of the loopback interface; 0 for any.
    Tcp(SocketAddr),
}

/// What a coordinator is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The state directory, absolute.
    pub state_dir: PathBuf,
    /// Where to listen: at least one. Tasks use the first.
    pub listen: Vec<Listen>,
    /// The file with the client's token; made if it is missing. In the state directory if absent.
    pub token_file: Option<PathBuf>,
    /// Where to serve metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// The directory with the other programs.
    pub bin_dir: PathBuf,
    /// End after this time without active jobs and without clients: an embedded coordinator.
    pub linger: Option<Duration>,
    /// Of how many jobs that ended, the last ones, the files are kept: what their tasks printed.
    pub ended_jobs_kept: usize,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; name a configuration file that this user may read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {source}; it is one JSON object with state_dir and listen, see deploy/README.md for all fields")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong where.
        source: serde_json::Error,
    },
    /// A field makes no sense.
    #[error("{path}: {field}: {problem}")]
    Field {
        /// The file.
        path: PathBuf,
        /// Which field.
        field: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The directory of the programs is not known.
    #[error("cannot tell where this program lies: {0}; set {BIN_DIR_VARIABLE}")]
    BinDir(std::io::Error),
    /// The state directory's path makes no sense.
    #[error("the state directory: {0}; name an absolute path")]
    StateDir(std::io::Error),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    state_dir: PathBuf,
    listen: OneOrMany,
    token_file: Option<PathBuf>,
    metrics_listen: Option<String>,
    bin_dir: Option<PathBuf>,
    ended_jobs_kept: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an endpoint or a list of endpoints")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Config {
    /// What the command line says.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn new(arguments: &Arguments) -> Result<Self, Error> {
        match (&arguments.config, &arguments.state_dir) {
            (Some(path), _) => Self::read(path),
            (None, state_dir) => Ok(Self {
                state_dir: std::path::absolute(state_dir.as_deref().unwrap_or(Path::new(""))).map_err(Error::StateDir)?,
                listen: vec![Listen::Default],
                token_file: None,
                metrics_listen: arguments.metrics_listen,
                bin_dir: bin_dir()?,
                linger: Some(Duration::from_millis(arguments.linger_ms)),
                ended_jobs_kept: ENDED_JOBS_KEPT,
            }),
        }
    }

    fn read(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let field = |field, problem: String| Error::Field { path: path.to_owned(), field, problem };
        let text = std::fs::File::open(path).and_then(|file| std::io::read_to_string(std::io::Read::take(file, CONFIG_BYTES_MAX)));
        let file: File =
            serde_json::from_str(&text.map_err(unreadable)?).map_err(|source| Error::Malformed { path: path.to_owned(), source })?;
        let listen = match file.listen {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        };
        if listen.is_empty() {
            return Err(field("listen", "there is no endpoint; name one, such as \"unix:/run/tfcoord/coordinator.sock\"".into()));
        }
        let listen = listen.iter().map(|text| listen_at(text)).collect::<Result<_, _>>().map_err(|problem| field("listen", problem))?;
        let metrics_listen = file.metrics_listen.map(|text| loopback(&text)).transpose();
        let paths = [("state_dir", Some(&file.state_dir)), ("token_file", file.token_file.as_ref()), ("bin_dir", file.bin_dir.as_ref())];
        for (name, path) in paths {
            if path.is_some_and(|path| !path.is_absolute()) {
                return Err(field(name, "the path is not absolute: begin it with /".into()));
            }
        }
        Ok(Self {
            state_dir: file.state_dir,
            listen,
            token_file: file.token_file,
            metrics_listen: metrics_listen.map_err(|problem| field("metrics_listen", problem))?,
            bin_dir: file.bin_dir.map_or_else(bin_dir, Ok)?,
            linger: None,
            ended_jobs_kept: file.ended_jobs_kept.unwrap_or(ENDED_JOBS_KEPT),
        })
    }
}

fn bin_dir() -> Result<PathBuf, Error> {
    if let Some(dir) = std::env::var_os(BIN_DIR_VARIABLE).filter(|dir| !dir.is_empty()) {
        return std::path::absolute(dir).map_err(Error::BinDir);
    }
    let exe = std::env::current_exe().map_err(Error::BinDir)?;
    Ok(exe.parent().unwrap_or(Path::new("/")).to_owned())
}

fn listen_at(text: &str) -> Result<Listen, String> {
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') => Ok(Listen::Unix(path.into())),
        Some(_) => Err(format!("{text:?} has no absolute path: write unix:/PATH")),
        None => loopback(text).map(Listen::Tcp),
    }
}

// There is no TLS yet: tokens must not leave the machine.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = text.parse().map_err(|_| format!("{text:?} is no endpoint: write unix:/PATH or 127.0.0.1:PORT"))?;
    let refused = || format!("{text} can be reached from other machines, and there is no TLS yet: use unix:/PATH or 127.0.0.1:PORT");
    address.ip().is_loopback().then_some(address).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.json");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_standing_coordinator_is_configured() {
        let config = read(r#"{"state_dir": "/s", "listen": ["unix:/run/c.sock", "localhost:7600"], "bin_dir": "/b"}"#).unwrap();
        assert_eq!(config.listen, [Listen::Unix("/run/c.sock".into()), Listen::Tcp("127.0.0.1:7600".parse().unwrap())]);
        assert_eq!((config.linger, config.bin_dir, config.ended_jobs_kept), (None, "/b".into(), 100));
        assert_eq!(read(r#"{"state_dir": "/s", "listen": "unix:/c", "ended_jobs_kept": 3}"#).unwrap().ended_jobs_kept, 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, has: &str| {
            let error = read(text).unwrap_err();
            assert!(error.contains(has), "{error}");
        };
        check(r#"{"state_dir": "/s", "listen": "0.0.0.0:7600"}"#, "listen: 0.0.0.0:7600 can be reached from other machines");
        check(r#"{"state_dir": "/s", "listen": "unix:c"}"#, "no absolute path");
        check(r#"{"state_dir": "s", "listen": "unix:/c"}"#, "state_dir: the path is not absolute");
        check(r#"{"state_dir": "/s", "listen": "unix:/c", "metrics_listen": "10.0.0.1:1"}"#, "metrics_listen:");
        check(r#"{"state_dir": "/s", "listn": "unix:/c"}"#, "unknown field `listn`");
        check("{", "line 1");
    }

    #[test]
    fn the_command_line_is_one_of_two() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("c --embedded --state-dir /s").is_ok());
        assert!(parse("c --config /c").is_ok());
        let supervise = parse("c supervise /d").unwrap().instead;
        assert!(matches!(supervise, Some(Instead::Supervise { dir }) if dir == Path::new("/d")));
        for line in ["c", "c --embedded", "c --state-dir /s", "c --embedded --state-dir /s --config /c", "c --config /c supervise /d"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
