//! The command line of `tfcoord-worker`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tfcoord_client::Endpoint;
use tfcoord_types::id::{JobId, TaskId};

/// Computes gradients for a job, looks at its data, or uses its model.
#[derive(Debug, Parser)]
#[command(name = "tfcoord-worker", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take part in a job. Started by the coordinator.
    Run(Run),
    /// Look at a job's data. Started by the coordinator.
    Prepare(Prepare),
    /// Use an exported model on data.
    Predict(Predict),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Where the coordinator listens: unix:/PATH or HOST:PORT.
    #[arg(long)]
    pub coordinator: Endpoint,
    /// The job: NAME-NUMBER.
    #[arg(long)]
    pub job: JobId,
    /// Which of its tasks this is: worker-N.
    #[arg(long)]
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
    /// Where unpacked data and indexes are kept.
    #[arg(long)]
    pub scratch: PathBuf,
    /// Threads that compute; rounded up.
    #[arg(long, default_value_t = 1.0)]
    pub cpus: f64,
    /// How long to go on without the coordinator, in milliseconds.
    #[arg(long, default_value_t = 60_000, hide = true)]
    pub orphan_grace_ms: u64,
    /// Where to serve /metrics: ADDRESS:PORT, port 0 for any; the address is written to `metrics-address` in --dir.
    #[arg(long, env = "TFCOORD_METRICS_LISTEN")]
    pub metrics_listen: Option<std::net::SocketAddr>,
    /// The name of the host, where it is not the system's own.
    #[arg(long, env = "TFCOORD_HOST")]
    pub host: Option<String>,
}

impl Run {
    /// The host that this runs on.
    pub fn host(&self) -> String {
        self.host.clone().unwrap_or_else(tfcoord_client::host::own_name)
    }

    /// Threads that compute.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1024, or 0 for NaN")]
    pub fn threads(&self) -> usize {
        (self.cpus.ceil().clamp(1.0, 1024.0) as usize).max(1)
    }
}

/// Arguments of `prepare`.
#[derive(Debug, Args)]
pub struct Prepare {
    /// The job file, resolved, as JSON.
    #[arg(long)]
    pub job_file: PathBuf,
    /// Where unpacked data and indexes are kept.
    #[arg(long)]
    pub scratch: PathBuf,
    /// Where the manifest goes.
    #[arg(long)]
    pub out: PathBuf,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tfcoord predict out/fashion-mnist-2/model --data t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
  tfcoord predict out/fashion-mnist-2/model --data pictures.idx --records 0..10 -o jsonl
  tfcoord predict out/tabular-40/model --data hdfs://default/new/*.csv")]
pub struct Predict {
    /// The directory with model.safetensors and model.json: a path, or hdfs://.
    pub model_dir: PathBuf,
    /// Files with features: IDX pictures or CSV rows; paths, or hdfs://. May be repeated.
    #[arg(long, required = true, num_args = 1..)]
    pub data: Vec<String>,
    /// Files with labels, where the format has files of their own for them (idx).
    #[arg(long, num_args = 1..)]
    pub labels: Vec<String>,
    /// Use only these records: FROM..TO, TO not included.
    #[arg(long, value_parser = records)]
    pub records: Option<[u64; 2]>,
    /// The form of what is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Format::Text)]
    pub output: Format,
    /// Threads that compute.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Where unpacked data are kept; a temporary directory if absent.
    #[arg(long)]
    pub scratch: Option<PathBuf>,
}

/// How predictions are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: the summary; without labels, a line a record.
    Text,
    /// The summary as a line of JSON; without labels, a line a record.
    Json,
    /// A line of JSON a record, then the summary, if there are labels.
    Jsonl,
}

fn records(text: &str) -> Result<[u64; 2], String> {
    let range = text.split_once("..").and_then(|(from, to)| Some([from.parse().ok()?, to.parse().ok()?]));
    range.filter(|[from, to]| from < to).ok_or_else(|| "expected FROM..TO, such as 0..100".into())
}
