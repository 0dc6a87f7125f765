//! The command line.

use crate::bare::Kind;
use crate::benchmark::Benchmark;
use crate::hdfs::Way;
use crate::job::Example;
use crate::training::Case;
use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measures tfcoord: minimum and median over rounds, ratios, and the machine's load.
#[derive(Debug, Parser)]
#[command(name = "tfcoord-benches", args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// Which benchmarks; all if none is named
    #[arg(value_enum, value_name = "BENCHMARK")]
    pub benchmarks: Vec<Benchmark>,
    /// How often each is repeated
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Write all figures to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// What this program does for itself.
    #[command(subcommand)]
    pub inner: Option<Inner>,
}

/// What this program runs in a process of its own.
#[derive(Debug, Subcommand)]
pub enum Inner {
    /// Computes a job's steps in a bare loop and prints the milliseconds of one
    #[command(hide = true)]
    Bare {
        /// What computes.
        kind: Kind,
        /// Whose steps.
        model: Example,
        /// How long, in milliseconds.
        window_ms: u64,
    },
    /// Draws where a worker's time goes in the midst of a job, as an SVG; needs `perf`
    FlameGraph {
        /// The drawing.
        file: PathBuf,
        /// Whose job.
        #[arg(long, default_value = "cnn")]
        model: Example,
        /// How long the worker is watched.
        #[arg(long, default_value = "10")]
        seconds: u64,
    },
    /// Reads or writes in an HDFS and prints the seconds, and those of processors
    #[command(hide = true)]
    Hdfs {
        /// What is done.
        way: Way,
        /// Below what.
        root: String,
        /// How many records or chunks.
        count: u32,
    },
    /// Computes a kernel or a model's gradients again and again and prints the least milliseconds
    #[command(hide = true)]
    Training {
        /// What is computed.
        case: Case,
        /// Threads that compute.
        #[arg(long, default_value = "1")]
        threads: usize,
        /// How long, in milliseconds.
        #[arg(long, default_value = "700")]
        window_ms: u64,
    },
}

impl Arguments {
    /// The benchmarks that are to run.
    pub fn chosen(&self) -> Vec<Benchmark> {
        if self.benchmarks.is_empty() { Benchmark::value_variants().to_vec() } else { self.benchmarks.clone() }
    }
}
