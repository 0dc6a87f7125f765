//! What a worker takes of memory beside the parameters, told before anything is launched.
//!
//! Each part is what the module that it belongs to allocates at most; the parameters, their versions and sums are the
//! coordinator's reckoning (`tfcoord_coordinator_core::memory`), which knows the chunks.

use crate::input;
use tfcoord_data::{Order, READ_BYTES_MAX, REMOTE_BYTES_MAX};
use tfcoord_model::model::PIECE;
use tfcoord_model::{Model, Workspace};
use tfcoord_types::figures::EVALUATION_BATCH;
use tfcoord_types::job::Format;
use tfcoord_types::manifest::{DataFile, DataSet, Manifest};
use tfcoord_types::plan::TrainPlan;

/// The records that a worker's workspace has room for: a micro-batch, and a piece of an evaluation if there is one.
pub fn workspace_records(plan: &TrainPlan, evaluates: bool) -> usize {
    let micro_batch = usize::try_from(micro_batch(plan)).expect("a batch's size is a u32");
    micro_batch.max(if evaluates { PIECE } else { 1 })
}

/// The bytes that a worker with so many threads takes beside its program and what belongs to the parameters: activations,
/// gradients, records.
pub fn bytes((model, threads): (&Model, usize), plan: &TrainPlan, manifest: &Manifest, shuffle: bool) -> u64 {
    let workspace = Workspace::bytes(model, workspace_records(plan, manifest.eval.is_some()), threads);
    let features = manifest.input.iter().map(|d| u64::from(*d)).fold(1, u64::saturating_mul);
    // Features, a label, and the record's number.
    let batch = |records: u64| records.saturating_mul(features.saturating_mul(4).saturating_add(12));
    let micro_batch = micro_batch(plan);
    let ahead = plan.steps().saturating_mul(u64::from(plan.micro_batches)).min(input::BATCHES_MAX);
    // Neighbours are read together: those of an epoch in an order of its own are few.
    let together = if shuffle && manifest.format == Format::Idx { 1 } else { micro_batch };
    let train = batch(micro_batch).saturating_mul(ahead).saturating_add(read(manifest, &manifest.train, together));
    let eval = manifest.eval.as_ref().map_or(0, |set| {
        let records = set.records.min(EVALUATION_BATCH);
        batch(records).saturating_add(read(manifest, set, records))
    });
    let order = if shuffle { Order::bytes_max(plan) } else { 0 };
    let remote = if is_remote(manifest) { REMOTE_BYTES_MAX } else { 0 };
    [workspace, train, eval, order, remote].into_iter().fold(0, u64::saturating_add)
}

// Files of this machine have absolute paths.
fn is_remote(manifest: &Manifest) -> bool {
    let files = std::iter::once(&manifest.train).chain(&manifest.eval).flat_map(|set| &set.files);
    files.flat_map(|file| std::iter::once(&file.path).chain(&file.labels)).any(|path| !path.starts_with('/'))
}

fn micro_batch(plan: &TrainPlan) -> u64 {
    u64::from(plan.micro_batch_size()).min(plan.records)
}

// The bytes of files that are read together for so many records. How long a table's rows are is told by its file's length,
// if it is not compressed.
fn read(manifest: &Manifest, set: &DataSet, records: u64) -> u64 {
    let record = match manifest.format {
        Format::Idx => manifest.input.iter().map(|d| u64::from(*d)).fold(1, u64::saturating_mul),
        Format::Csv => {
            let sum = |of: fn(&DataFile) -> u64| set.files.iter().map(of).fold(0, u64::saturating_add);
            sum(|file| file.length) / sum(|file| file.records).max(1)
        }
    };
    records.saturating_mul(record).min(READ_BYTES_MAX.max(record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_model::{Isa, Options};
    use tfcoord_types::job::Input;
    use tfcoord_types::manifest::Label;

    #[test]
    fn each_part_is_what_its_module_allocates_at_most() {
        let set = |records| DataSet { files: Vec::new(), first: 0, records };
        let label = Label::Class { names: vec!["0".into(), "1".into()] };
        let manifest = |eval| Manifest {
            format: Format::Idx,
            train: set(1000),
            eval,
            input: vec![1, 10, 10],
            label: label.clone(),
            columns: Vec::new(),
            scale: 1.0,
            label_column: None,
            missing: Vec::new(),
        };
        let spec = serde_json::from_str(r#"{"layers": [{"flatten": {}}, {"dense": {"units": 2}}], "loss": "softmax_cross_entropy"}"#);
        let options = Options { threads: 1, train_records: 1000, isa: Isa::detect() };
        let model = Model::new(&spec.unwrap(), &Input::plain(&[1, 10, 10], 2), options).unwrap();
        let plan = TrainPlan { records: 1000, batch_size: 64, micro_batches: 4, epochs: 3 };
        let told = |plan: &TrainPlan, eval, shuffle| bytes((&model, 1), plan, &manifest(eval), shuffle);
        // Ten micro-batches of 16 records of 100 features; 16 neighbours are read together.
        let in_order = Workspace::bytes(&model, 16, 1) + 10 * 16 * 412 + 16 * 100;
        assert_eq!(told(&plan, None, false), in_order);
        // An order a shard and epoch; records are far apart.
        assert_eq!(told(&plan, None, true), in_order - 15 * 100 + 3 * 4000);
        // Pieces of 32 records, in batches of 256.
        let evaluated = in_order - Workspace::bytes(&model, 16, 1) + Workspace::bytes(&model, 32, 1) + 256 * 512;
        assert_eq!(told(&plan, Some(set(2000)), false), evaluated);
        assert_eq!(told(&plan, Some(set(100)), false), evaluated - 156 * 512);
        // No more micro-batches than there are; no more records than there are.
        let short = TrainPlan { records: 10, batch_size: 64, micro_batches: 1, epochs: 2 };
        assert_eq!(told(&short, None, false), Workspace::bytes(&model, 10, 1) + 2 * 10 * 412 + 10 * 100);
        // What is under way from HDFS.
        let file = r#"{"path": "hdfs://nn/i", "labels": "/l", "length": 9, "modified_ns": 1, "labels_length": 9, "labels_modified_ns": 1, "records": 1000}"#;
        let far = |file: &str| DataSet { files: vec![serde_json::from_str(file).unwrap()], ..set(1000) };
        let with = |train| bytes((&model, 1), &plan, &Manifest { train, ..manifest(None) }, false);
        assert_eq!(with(far(file)), in_order + REMOTE_BYTES_MAX);
        assert_eq!(with(far(&file.replace("hdfs://nn", ""))), in_order);
    }
}
