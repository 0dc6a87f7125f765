//! The command line and the environment of `tfcoord-ps`.

use clap::Parser;
use std::path::PathBuf;
use tfcoord_client::Endpoint;
use tfcoord_types::id::{JobId, Role, TaskId};

/// Holds a part of a job's parameters: sums gradients, applies the optimizer. Started by the coordinator.
#[derive(Debug, Parser)]
#[command(name = "tfcoord-ps", version)]
pub struct Arguments {
    /// Where the coordinator listens: unix:/PATH or HOST:PORT.
    #[arg(long)]
    pub coordinator: Endpoint,
    /// The job: NAME-NUMBER.
    #[arg(long)]
    pub job: JobId,
    /// Which of its tasks this is: ps-N.
    #[arg(long, value_parser = server)]
    pub task: TaskId,
    /// Which launch of the task this is.
    #[arg(long)]
    pub attempt: u32,
    /// The file with the job's token; nobody else may read it.
    #[arg(long)]
    pub token_file: PathBuf,
    /// This launch's directory.
    #[arg(long)]
    pub dir: PathBuf,
    /// Where the Unix socket is made: a short path that nobody else can enter.
    #[arg(long)]
    pub socket_dir: PathBuf,
    /// Threads: one updates parameters, the others move bytes; rounded up, at least two.
    #[arg(long, default_value_t = 1.0)]
    pub cpus: f64,
    /// How long to go on without the coordinator, in milliseconds.
    #[arg(long, default_value_t = 60_000, hide = true)]
    pub orphan_grace_ms: u64,
    /// Where to listen beside the Unix socket: ADDRESS:PORT, port 0 for any.
    #[arg(long, env = "TFCOORD_LISTEN", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// What workers are told instead of the real addresses, the fastest first: where proxies or NAT stand between.
    #[arg(long, env = "TFCOORD_ADVERTISE", value_delimiter = ',')]
    pub advertise: Vec<String>,
    /// A file for the real addresses, one a line, written once they are bound.
    #[arg(long, env = "TFCOORD_ADDRESS_FILE")]
    pub address_file: Option<PathBuf>,
    /// Where to serve /metrics: ADDRESS:PORT, port 0 for any; the address is written to `metrics-address` in --dir.
    #[arg(long, env = "TFCOORD_METRICS_LISTEN")]
    pub metrics_listen: Option<std::net::SocketAddr>,
    /// The name of the host, where it is not the system's own.
    #[arg(long, env = "TFCOORD_HOST")]
    pub host: Option<String>,
}

impl Arguments {
    /// The host that Unix sockets made here are good on.
    pub fn host(&self) -> String {
        self.host.clone().unwrap_or_else(tfcoord_client::host::own_name)
    }

    /// Threads that move bytes.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 2 to 64, or 0 for NaN")]
    pub fn io_threads(&self) -> usize {
        (self.cpus.ceil().clamp(2.0, 64.0) as usize).saturating_sub(1).max(1)
    }
}

fn server(text: &str) -> Result<TaskId, String> {
    let task: TaskId = text.parse().map_err(|error: tfcoord_types::id::ParseError| error.to_string())?;
    if task.role == Role::ParameterServer { Ok(task) } else { Err(format!("{text} is no parameter server: expected ps-N")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &[&str]) -> Result<Arguments, clap::Error> {
        let needed = ["tfcoord-ps", "--coordinator", "unix:/c", "--job", "a-1", "--attempt", "1", "--token-file", "t", "--dir", "d"];
        Arguments::try_parse_from(needed.iter().chain(&["--socket-dir", "s"]).chain(more))
    }

    #[test]
    fn only_servers_run_here() {
        assert!(parse(&["--task", "worker-0"]).unwrap_err().to_string().contains("expected ps-N"));
        assert_eq!(parse(&["--task", "ps-1"]).unwrap().task, TaskId::server(1));
    }

    #[test]
    fn threads_follow_cpus() {
        for (cpus, threads) in [("0.5", 1), ("1", 1), ("2", 1), ("2.5", 2), ("4", 3), ("NaN", 1), ("1e9", 63)] {
            assert_eq!(parse(&["--task", "ps-0", "--cpus", cpus]).unwrap().io_threads(), threads, "{cpus}");
        }
    }
}
