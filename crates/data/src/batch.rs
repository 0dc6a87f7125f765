//! Records, ready to be computed on.

/// Some records: features row by row, labels, numbers. Its buffers are used again.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordBatch {
    /// Features of all records, one record behind the other; each in the shape of the data set's input.
    pub features: Vec<f32>,
    /// Labels that are classes; empty where labels are numbers, or where there are none.
    pub classes: Vec<u32>,
    /// Labels that are numbers; empty where labels are classes, or where there are none.
    pub numbers: Vec<f32>,
    /// The records' numbers in the data set, as they were asked for.
    pub indices: Vec<u64>,
}

impl RecordBatch {
    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Forgets all records and keeps the memory.
    pub fn clear(&mut self) {
        self.features.clear();
        self.classes.clear();
        self.numbers.clear();
        self.indices.clear();
    }
}
