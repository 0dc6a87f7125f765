//! IDX files.

use super::fit;
use crate::error::{Error, FileProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::idx::{Content, IdxFile};
use crate::reader::pictures::{check_labels, each_label, open};
use crate::reader::{described, labels_identity, used};
use crate::sources::{self, Named};
use std::ops::Range;
use tfcoord_types::job::{Format, JobFile, LabelUse, Source};
use tfcoord_types::manifest::{DataSet, Label, Manifest};

/// The classes that a byte can name.
const BYTES: usize = 256;

pub(super) fn prepare(job: &JobFile, files: &Files) -> Result<Manifest, Error> {
    let mut found = Found { files, shape: None };
    let train = found.set("data.train", &job.data.train)?;
    let eval = job.data.eval.as_ref().map(|eval| found.set("data.eval", eval)).transpose()?;
    let (input, _) = found.shape.expect("a data set has files");
    let label = match job.model.label_use() {
        LabelUse::Number | LabelUse::None => Label::Number,
        LabelUse::Class | LabelUse::Anomaly => classes(job, &input, &train, eval.as_ref(), files)?,
    };
    let scale = 1.0 / 255.0;
    Ok(Manifest { format: Format::Idx, train, eval, input, label, columns: Vec::new(), scale, label_column: None, missing: Vec::new() })
}

// The largest label of the training files says how many classes there are, whichever records are used: that does not
// depend on the split. Labels that the model has no output for are none of them; no record that is used may have one.
fn classes(job: &JobFile, input: &[u32], train: &DataSet, eval: Option<&DataSet>, files: &Files) -> Result<Label, Error> {
    let possible = fit::classes(job, input)?.unwrap_or(BYTES);
    let check = |labels: &IdxFile, used: Range<u64>| {
        each_label(labels, used.start, used.end, |first, bytes| check_labels(labels, first, bytes, possible))
    };
    let mut largest = 0;
    each_file(train, files, |labels, used| {
        check(labels, used)?;
        each_label(labels, 0, labels.header.records, |_, bytes| {
            largest = bytes.iter().copied().filter(|label| usize::from(*label) < possible).fold(largest, u8::max);
            Ok(())
        })
    })?;
    eval.map_or(Ok(()), |eval| each_file(eval, files, check))?;
    // One class only would fit no loss.
    let classes = usize::from(largest.max(1)) + 1;
    Ok(Label::Class { names: (0..classes).map(|n| n.to_string()).collect() })
}

// Calls `each` with every file of labels and the range of its records that is used.
fn each_file(set: &DataSet, files: &Files, mut each: impl FnMut(&IdxFile, Range<u64>) -> Result<(), Error>) -> Result<(), Error> {
    let mut start = 0;
    for file in &set.files {
        if let Some(labels) = labels_identity(file)? {
            let local = |record: u64| record.saturating_sub(start).min(file.records);
            each(&IdxFile::open(&labels, files, Content::Labels)?, local(set.first)..local(set.first + set.records))?;
        }
        start += file.records;
    }
    Ok(())
}

struct Found<'a> {
    files: &'a Files,
    // Of all pictures, and where it was seen first.
    shape: Option<(Vec<u32>, String)>,
}

impl Found<'_> {
    // Lists and opens a data set.
    fn set(&mut self, field: &str, source: &Source) -> Result<DataSet, Error> {
        let named = Named::Job(field);
        let mut all = Vec::new();
        for pair in sources::list(named, Format::Idx, source, self.files)? {
            let images = Identity::now(&pair.file, self.files)?;
            let labels = pair.labels.as_ref().map(|labels| Identity::now(labels, self.files)).transpose()?;
            let (opened, _) = open(&images, labels.as_ref(), self.files)?;
            self.check_shape(&opened, &images)?;
            all.push(described(&images, labels.as_ref(), opened.header.records));
        }
        let (first, records) = used(named, source, all.iter().map(|file| file.records).sum())?;
        Ok(DataSet { files: all, first, records })
    }

    fn check_shape(&mut self, file: &IdxFile, identity: &Identity) -> Result<(), Error> {
        let found = &file.header.shape;
        match &self.shape {
            Some((expected, first)) if expected != found => {
                Err(file.problem(FileProblem::IdxShape { found: found.clone(), expected: expected.clone(), first: first.clone() }))
            }
            Some(_) => Ok(()),
            None => {
                self.shape = Some((found.clone(), identity.at.to_string()));
                Ok(())
            }
        }
    }
}
