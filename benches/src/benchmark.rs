//! The benchmarks, one file each.

mod checkpoint;
mod cold_start;
mod fault_free;
mod first_step;
mod hdfs;
mod hdfs_checkpoint;
mod hdfs_read;
mod many_tasks;
mod memory;
mod step;
mod whole_job;

use crate::job::Example;
use crate::series::Series;
use clap::ValueEnum;
use std::fmt;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Benchmark {
    /// The client from its start to its end
    ColdStart,
    /// From submit to the end of the first training step
    FirstStep,
    /// Memory of coordinator and server
    Memory,
    /// A worker's mlp step, with and without exchange, and in candle alone
    StepMlp,
    /// A worker's cnn step, with and without exchange, and in candle alone
    StepCnn,
    /// The demo job from submit to its end
    WholeJob,
    /// A coordinator with 10,000 tasks that report
    ManyTasks,
    /// What checkpoints add to the steps of a large model; takes two minutes a round
    Checkpoint,
    /// What leases, cursors and fences cost where nothing goes wrong
    FaultFree,
    /// A part of a checkpoint that is written to HDFS, and the client library alone
    HdfsCheckpoint,
    /// A file of 2 GB from HDFS into batches, by the client library alone, and by hdfs dfs -cat
    HdfsRead,
}

impl Benchmark {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ColdStart => "cold-start",
            Self::FirstStep => "first-step",
            Self::Memory => "memory",
            Self::StepMlp => "step-mlp",
            Self::StepCnn => "step-cnn",
            Self::WholeJob => "whole-job",
            Self::ManyTasks => "many-tasks",
            Self::Checkpoint => "checkpoint",
            Self::FaultFree => "fault-free",
            Self::HdfsCheckpoint => "hdfs-checkpoint",
            Self::HdfsRead => "hdfs-read",
        }
    }

    /// Measures so many rounds.
    ///
    /// # Errors
    /// If a program fails.
    pub fn run(self, rounds: u32) -> anyhow::Result<Vec<Series>> {
        match self {
            Self::ColdStart => cold_start::run(rounds),
            Self::FirstStep => first_step::run(rounds),
            Self::Memory => memory::run(rounds),
            Self::StepMlp => step::run(rounds, Example::Mlp),
            Self::StepCnn => step::run(rounds, Example::Cnn),
            Self::WholeJob => whole_job::run(rounds),
            Self::ManyTasks => many_tasks::run(rounds),
            Self::Checkpoint => checkpoint::run(rounds),
            Self::FaultFree => fault_free::run(rounds),
            Self::HdfsCheckpoint => hdfs_checkpoint::run(rounds),
            Self::HdfsRead => hdfs_read::run(rounds),
        }
    }
}

impl fmt::Display for Benchmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for benchmark in Benchmark::value_variants() {
            assert_eq!(benchmark.to_possible_value().unwrap().get_name(), benchmark.name());
        }
    }
}
