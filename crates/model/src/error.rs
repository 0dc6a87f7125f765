//! What can go wrong with a model.

use tfcoord_types::job::GraphError;

/// What can go wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A layer does not fit what comes before it.
    #[error("{}: {_0}", _0.path)]
    Graph(#[from] GraphError),
    /// The model as a whole cannot be built.
    #[error("model: {problem}")]
    Spec {
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Threads could not be started.
    #[error("cannot start {count} threads: {cause}")]
    Threads {
        /// How many were asked for.
        count: usize,
        /// What the system said.
        cause: String,
    },
    /// A batch does not fit the model.
    #[error("batch of {records} records: {problem}")]
    Batch {
        /// Its records.
        records: usize,
        /// What is wrong.
        problem: String,
    },
    /// A label that is no class.
    #[error("record {record} of the batch has label {label}, but there are only {classes} classes (from 0)")]
    Label {
        /// Its place in the batch.
        record: usize,
        /// Its label.
        label: u32,
        /// How many classes there are.
        classes: u32,
    },
    /// A value that names no row of an embedding's table.
    #[error(
        "record {record} of the batch has {value} at place {place}, but {layer} takes whole numbers from 0 to {last} there: look at the data"
    )]
    Row {
        /// The embedding.
        layer: String,
        /// Its place in the batch.
        record: usize,
        /// The value's place in the record, from 0.
        place: usize,
        /// The value.
        value: f32,
        /// The last row that it may name.
        last: u32,
    },
    /// Parameters that do not fit the model's variables.
    #[error("parameters: {problem}")]
    Parameters {
        /// What is wrong.
        problem: String,
    },
    /// A value is NaN or infinite.
    #[error("{tensor} is not finite: try a smaller learning rate, train.clip_norm, or look at the data")]
    NotFinite {
        /// The first bad tensor in the order of computing: `features`, `labels`, a variable, `dense_1/output`, `loss`.
        tensor: String,
    },
    /// Buffers for a batch are not to be had.
    #[error("there is not enough memory for a batch of {records} records: {bytes} bytes for {what}; use a smaller batch or smaller layers")]
    Memory {
        /// The batch's records.
        records: usize,
        /// What was to be made.
        what: String,
        /// How long.
        bytes: usize,
    },
}
