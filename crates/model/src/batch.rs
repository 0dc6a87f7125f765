//! Batches: records with their labels, in buffers that can be used again.

use crate::error::Error;

/// Labels of a batch, one a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Classes, from 0.
    Classes(Vec<u32>),
    /// Numbers.
    Numbers(Vec<f32>),
    /// Not known: good for predictions only.
    None,
}

/// Some records: a micro-batch of training, or a part of an evaluation.
#[derive(Debug)]
pub struct Batch {
    pub(crate) records: usize,
    // [records, features of one]
    pub(crate) features: Vec<f32>,
    pub(crate) labels: Labels,
    pub(crate) indices: Vec<u64>,
}

/// What a [`Batch`] was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffers {
    /// Features, record by record.
    pub features: Vec<f32>,
    /// Labels.
    pub labels: Labels,
    /// The records' indices within the training set; only the counting model reads them, elsewhere they may be left out.
    pub indices: Vec<u64>,
}

impl Batch {
    /// A batch of `records` records. Takes the buffers without copying; [`Self::into_buffers`] gives them back.
    ///
    /// # Errors
    /// If a buffer has not the length that `records` asks for.
    pub fn new(records: usize, buffers: Buffers) -> Result<Self, Error> {
        let Buffers { features, labels, indices } = buffers;
        let refused = |problem: String| Err(Error::Batch { records, problem });
        if records == 0 {
            return refused("there is nothing to compute".into());
        }
        if !features.len().is_multiple_of(records) {
            return refused(format!("{} features are no whole number a record", features.len()));
        }
        let count = match &labels {
            Labels::Classes(classes) => classes.len(),
            Labels::Numbers(numbers) => numbers.len(),
            Labels::None => records,
        };
        if count != records {
            return refused(format!("there are {count} labels"));
        }
        if !indices.is_empty() && indices.len() != records {
            return refused(format!("there are {} indices", indices.len()));
        }
        Ok(Self { records, features, labels, indices })
    }

    /// How many records there are; at least 1.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The buffers, to be filled again.
    pub fn into_buffers(self) -> Buffers {
        Buffers { features: self.features, labels: self.labels, indices: self.indices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(features: usize, labels: usize, indices: usize) -> Buffers {
        Buffers { features: vec![0.5; features], labels: Labels::Classes(vec![0; labels]), indices: vec![0; indices] }
    }

    #[test]
    fn buffers_come_back() {
        let buffers = buffers(6, 2, 2);
        let (copy, place) = (buffers.clone(), buffers.features.as_ptr());
        let back = Batch::new(2, buffers).unwrap().into_buffers();
        assert_eq!((&back, back.features.as_ptr()), (&copy, place));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(Batch::new(0, buffers(0, 0, 0)).is_err());
        assert!(Batch::new(2, buffers(5, 2, 0)).is_err());
        assert!(Batch::new(2, buffers(4, 3, 0)).is_err());
        assert!(Batch::new(2, buffers(4, 2, 1)).is_err());
    }
}
