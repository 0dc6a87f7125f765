//! The micro-batches of a job's first epoch, decoded and in memory.

use std::path::Path;
use tfcoord_data::{Files, Order, Preprocessing, Reader, RecordBatch, prepare};
use tfcoord_fs::FileSystems;
use tfcoord_types::job::{Input, JobFile};
use tfcoord_types::plan::TrainPlan;

/// What a loop computes on.
pub struct Batches {
    /// A record, as a model sees it.
    pub input: Input,
    /// The full steps of an epoch, lane by lane.
    pub steps: Vec<Vec<RecordBatch>>,
}

/// Reads the full steps of the first epoch, as workers would.
///
/// # Errors
/// If the data are not what they should be.
pub fn read(job: &JobFile, scratch: &Path) -> anyhow::Result<Batches> {
    let files = Files::new(FileSystems::of_environment(), scratch);
    let manifest = prepare(job, &files)?;
    let preprocessing = Preprocessing::from(&manifest);
    let mut reader = Reader::open(&preprocessing, &manifest.train, &files)?;
    let (batch_size, micro_batches) = (job.train.batch_size, job.micro_batches());
    let plan = TrainPlan { records: manifest.train.records, batch_size, micro_batches, epochs: job.train.epochs };
    let mut order = Order::new(&plan, job.train.seed, job.data.shuffle);
    let mut lane = |step, lane| {
        let mut batch = RecordBatch::default();
        reader.read(&order.records(0, plan.micro_batch(step, lane)), &mut batch)?;
        Ok(batch)
    };
    let full = plan.records / u64::from(batch_size);
    let steps: anyhow::Result<Vec<Vec<_>>> = (0..full).map(|step| (0..micro_batches).map(|n| lane(step, n)).collect()).collect();
    Ok(Batches { input: Input::from(&manifest), steps: steps? })
}
