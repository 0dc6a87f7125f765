//! `tfcoord-worker prepare`: looks at a job's data once, for the coordinator. A process of its own, with the job's
//! rights only.

mod results;

use crate::arguments::Prepare;
use crate::memory;
use anyhow::Context;
use serde_json::json;
use std::process::ExitCode;
use tfcoord_data::Files;
use tfcoord_fs::FileSystems;
use tfcoord_model::{Isa, Model, Options};
use tfcoord_types::job::{Input, JobFile, threads};
use tfcoord_types::manifest::{Beside, Manifest, ManifestSummary};
use tfcoord_types::memory::{SERVER_PROGRAM_BYTES, WORKER_PROGRAM_BYTES};
use tfcoord_types::plan::TrainPlan;

/// Exit code for what the person who submitted must change.
const BAD_JOB: u8 = 2;
/// Exit code for what is wrong with the coordinator's own disk.
const BAD_HOST: u8 = 5;

fn code(error: &tfcoord_data::Error) -> u8 {
    if matches!(error, tfcoord_data::Error::Scratch { .. }) { BAD_HOST } else { BAD_JOB }
}

// What a worker takes beside its parameters. A model that cannot be takes nothing: the coordinator says what is wrong.
fn beside(job: &JobFile, manifest: &Manifest) -> u64 {
    let records = manifest.train.records;
    let plan = TrainPlan { records, batch_size: job.train.batch_size, micro_batches: job.micro_batches(), epochs: job.train.epochs };
    let options = Options { threads: 1, train_records: records, isa: Isa::detect() };
    let threads = threads(job.worker.cpus) as usize;
    let of_model = Model::new(&job.model, &Input::from(manifest), options)
        .map(|model| memory::bytes((&model, threads), &plan, manifest, job.data.shuffle));
    WORKER_PROGRAM_BYTES.saturating_add(of_model.unwrap_or_default())
}

/// Writes `{"manifest": …, "summary": …, "unheld": …}` to the file asked for, the last of them saying why it is not known who
/// holds the data, if so; what is wrong with the data goes to stderr.
///
/// # Errors
/// The job file or the output cannot be read or written.
pub fn prepare(arguments: &Prepare) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&arguments.job_file).with_context(|| arguments.job_file.display().to_string())?;
    let job: JobFile = serde_json::from_str(&text).with_context(|| arguments.job_file.display().to_string())?;
    let files = Files::new(FileSystems::of_environment(), arguments.scratch.as_path());
    let found = tfcoord_data::prepare(&job, &files).and_then(|manifest| {
        let holders = tfcoord_data::holders(&manifest, &files)?;
        Ok((manifest, holders))
    });
    let (manifest, holders) = match found {
        Ok(found) => found,
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(code(&error)));
        }
    };
    if let Err(problem) = results::probe(&job) {
        eprintln!("{problem}");
        return Ok(ExitCode::from(BAD_JOB));
    }
    let (_, summary) = tfcoord_data::summary(&manifest);
    let beside = Beside { worker: beside(&job, &manifest), server: SERVER_PROGRAM_BYTES };
    let (holders, unheld) =
        holders.map_or((None, None), |(holders, problem)| (Some(Box::new(holders)), problem.map(|problem| problem.to_string())));
    let summary = ManifestSummary { beside, holders, ..summary };
    let bytes = serde_json::to_vec(&json!({"manifest": manifest, "summary": summary, "unheld": unheld}))?;
    tfcoord_fs::write_atomic(&arguments.out, &bytes, 0o600)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_data::Error;

    #[test]
    fn a_full_disk_is_not_the_jobs_fault() {
        let path = std::path::PathBuf::from("scratch/unpacked-0");
        let full = tfcoord_fs::Error::Io { operation: "write", path, source: std::io::ErrorKind::StorageFull.into() };
        assert_eq!(code(&Error::Scratch { cause: full }), BAD_HOST);
        assert_eq!(code(&Error::NoSuchRecord { index: 1, records: 1 }), BAD_JOB);
    }
}
