//! IDX files.

use super::label_is_number;
use crate::error::{Error, FileProblem};
use crate::identity::Identity;
use crate::idx::IdxFile;
use crate::reader::pictures::{check_labels, each_label, open};
use crate::reader::{described, used};
use crate::scratch::Scratch;
use crate::sources;
use std::path::PathBuf;
use tfcoord_types::job::{Format, JobFile, Source};
use tfcoord_types::manifest::{DataFile, DataSet, Label, Manifest};

pub(super) fn prepare(job: &JobFile, scratch: &Scratch) -> Result<Manifest, Error> {
    let mut found = Found { scratch, shape: None };
    let mut largest = 0;
    // All labels of the training files, whichever records are used: how many classes there are does not depend on
    // the split.
    let train = found.set("data.train", &job.data.train, |labels, _, _| {
        each_label(labels, 0, labels.header.records, |_, bytes| {
            largest = largest.max(bytes.iter().copied().max().unwrap_or(0));
            Ok(())
        })
    })?;
    // One class only would fit no loss.
    let classes = usize::from(largest.max(1)) + 1;
    let number = label_is_number(job);
    let check = |labels: &IdxFile, first, end| match number {
        true => Ok(()),
        false => each_label(labels, first, end, |first, bytes| check_labels(labels, first, bytes, classes)),
    };
    let eval = job.data.eval.as_ref().map(|eval| found.set("data.eval", eval, check)).transpose()?;
    let (input, _) = found.shape.expect("a data set has files");
    let label = if number { Label::Number } else { Label::Class { names: (0..classes).map(|n| n.to_string()).collect() } };
    let scale = 1.0 / 255.0;
    Ok(Manifest { format: Format::Idx, train, eval, input, label, columns: Vec::new(), scale, label_column: None, missing: Vec::new() })
}

struct Found<'a> {
    scratch: &'a Scratch,
    // Of all pictures, and where it was seen first.
    shape: Option<(Vec<u32>, PathBuf)>,
}

impl Found<'_> {
    // Lists and opens a data set, then calls `labels` with each file and the range of its records that is used.
    fn set(
        &mut self,
        field: &str,
        source: &Source,
        mut labels: impl FnMut(&IdxFile, u64, u64) -> Result<(), Error>,
    ) -> Result<DataSet, Error> {
        let listed = sources::list(field, Format::Idx, source)?;
        let mut files = Vec::new();
        for pair in &listed {
            let images = Identity::now(&pair.file)?;
            let of_labels = pair.labels.as_deref().map(Identity::now).transpose()?;
            let (opened, _) = open(&images, of_labels.as_ref(), self.scratch)?;
            self.check_shape(&opened, &images)?;
            files.push(described(&images, of_labels.as_ref(), opened.header.records));
        }
        let (first, records) = used(field, source, files.iter().map(|file| file.records).sum())?;
        let mut start = 0;
        for (file, pair) in files.iter().zip(&listed) {
            self.each_labels(pair, file, (first.saturating_sub(start), (first + records).saturating_sub(start)), &mut labels)?;
            start += file.records;
        }
        Ok(DataSet { files, first, records })
    }

    fn each_labels(
        &self,
        pair: &sources::Listed,
        file: &DataFile,
        (from, to): (u64, u64),
        labels: &mut impl FnMut(&IdxFile, u64, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(path) = &pair.labels else {
            return Ok(());
        };
        let opened = IdxFile::open(&Identity::now(path)?, self.scratch, crate::idx::Content::Labels)?;
        labels(&opened, from.min(file.records), to.min(file.records))
    }

    fn check_shape(&mut self, file: &IdxFile, identity: &Identity) -> Result<(), Error> {
        let found = &file.header.shape;
        match &self.shape {
            Some((expected, first)) if expected != found => {
                Err(file.problem(FileProblem::IdxShape { found: found.clone(), expected: expected.clone(), first: first.clone() }))
            }
            Some(_) => Ok(()),
            None => {
                self.shape = Some((found.clone(), identity.path.clone()));
                Ok(())
            }
        }
    }
}
