//! Records of a data set, by number.

use crate::batch::RecordBatch;
use crate::csv::{CsvFile, LabelNeed, Table};
use crate::error::{Change, Error, FileProblem};
use crate::files::Files;
use crate::identity::Identity;
use crate::idx::IdxFile;
use crate::preprocessing::Preprocessing;
use crate::sources::{self, Named};
use std::collections::VecDeque;
use std::ops::Range;
use tfcoord_fs::storage::Location;
use tfcoord_types::job::{Format, Source};
use tfcoord_types::manifest::{DataFile, DataSet};
use windows::Windows;

pub(crate) mod pictures;
pub(crate) mod windows;

/// The most files that are open at once.
const OPEN_MAX: usize = 64;
/// So many times it is remembered what was said to be wanted soon.
const EXPECTED_MAX: usize = 64;

/// Reads records of a data set by their number. Opens files as they are needed; blocks while it reads.
#[derive(Debug)]
pub struct Reader {
    preprocessing: Preprocessing,
    places: Files,
    need: LabelNeed,
    files: Vec<DataFile>,
    // The first record of each file, over all files.
    starts: Vec<u64>,
    first: u64,
    records: u64,
    features: usize,
    labelled: bool,
    // (file, its reader), the most recently used last.
    open: Vec<(usize, Opened)>,
    bytes: Vec<u8>,
    windows: Windows,
    expected: VecDeque<Range<u64>>,
    local: Vec<u64>,
}

#[derive(Debug)]
enum Opened {
    Idx { images: IdxFile, labels: Option<IdxFile> },
    Csv { file: CsvFile, table: Table },
}

impl Reader {
    /// A reader of a manifest's data set; `preprocessing` is the manifest's.
    ///
    /// # Errors
    /// A file is missing, or has changed since it was prepared.
    pub fn open(preprocessing: &Preprocessing, set: &DataSet, files: &Files) -> Result<Self, Error> {
        let reader = Self::new(preprocessing, set, files, LabelNeed::Required)?;
        for file in &reader.files {
            data_identity(file)?.check_now(files)?;
            if let Some(labels) = labels_identity(file)? {
                labels.check_now(files)?;
            }
        }
        Ok(reader)
    }

    /// A reader of new data, read as the training data were: for `predict`. Labels may be missing, in all files or
    /// in none; see [`Reader::labelled`].
    ///
    /// # Errors
    /// The files are not what the preprocessing takes, or have fewer records than `source.records` asks for.
    pub fn of_source(preprocessing: &Preprocessing, source: &Source, files: &Files) -> Result<Self, Error> {
        let listed = sources::list(Named::Predict, preprocessing.format, source, files)?;
        let set = DataSet { files: Vec::new(), first: 0, records: 0 };
        let mut reader = Self::new(preprocessing, &set, files, LabelNeed::Optional)?;
        let mut total = 0;
        for listed in listed {
            let (file, opened) = opened(&listed.file, listed.labels.as_ref(), &reader)?;
            let labelled = opened.labelled();
            if !reader.files.is_empty() && labelled != reader.labelled {
                let column = preprocessing.label_column.clone().unwrap_or_default();
                let without = if labelled { &data_identity(&reader.files[0])?.at } else { &listed.file };
                return Err(Error::file(without)(FileProblem::LabelsOnlyInSome { column }));
            }
            reader.labelled = labelled;
            reader.starts.push(total);
            total += file.records;
            reader.files.push(file);
        }
        (reader.first, reader.records) = used(Named::Predict, source, total)?;
        Ok(reader)
    }

    fn new(preprocessing: &Preprocessing, set: &DataSet, places: &Files, need: LabelNeed) -> Result<Self, Error> {
        let mut total = 0u64;
        let starts = set.files.iter().map(|file| {
            total = total.saturating_add(file.records);
            total - file.records
        });
        Ok(Self {
            features: preprocessing.features()?,
            preprocessing: preprocessing.clone(),
            places: places.clone(),
            need,
            starts: starts.collect(),
            files: set.files.clone(),
            first: set.first,
            records: set.records.min(total.saturating_sub(set.first)),
            labelled: preprocessing.format == Format::Csv || set.files.iter().all(|file| file.labels.is_some()),
            open: Vec::new(),
            bytes: Vec::new(),
            windows: Windows::default(),
            expected: VecDeque::new(),
            local: Vec::new(),
        })
    }

    /// How many records it has.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many features a record has.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Whether its records have labels.
    pub fn labelled(&self) -> bool {
        self.labelled
    }

    /// Reads the records `indices` (from 0, in any order) into `batch`, in place of what it held.
    ///
    /// # Errors
    /// A record is not what it should be, or its file has changed; `batch` then holds nothing of use.
    pub fn read(&mut self, indices: &[u64], batch: &mut RecordBatch) -> Result<(), Error> {
        batch.clear();
        if let Some(&index) = indices.iter().find(|index| **index >= self.records) {
            return Err(Error::NoSuchRecord { index, records: self.records });
        }
        batch.features.reserve(indices.len() * self.features);
        let mut local = std::mem::take(&mut self.local);
        let mut rest = indices;
        while let Some(index) = rest.first() {
            let file = self.starts.partition_point(|start| *start <= self.first + index) - 1;
            let (start, count) = (self.starts[file], self.files[file].records);
            local.clear();
            local.extend(rest.iter().map(|index| (self.first + index).wrapping_sub(start)).take_while(|record| *record < count));
            self.read_from(file, &local, batch)?;
            rest = &rest[local.len()..];
        }
        self.local = local;
        batch.indices.extend_from_slice(indices);
        Ok(())
    }

    /// Says that `records` are wanted soon, all of them: what of them is far away is fetched meanwhile. To say it again does
    /// nothing more.
    pub fn expect(&mut self, records: Range<u64>) {
        if self.expected.contains(&records) {
            return;
        }
        if self.expected.len() == EXPECTED_MAX {
            self.expected.pop_front();
        }
        self.expected.push_back(records.clone());
        let mut record = records.start;
        while record < records.end.min(self.records) {
            let file = self.starts.partition_point(|start| *start <= self.first + record) - 1;
            let start = self.first + record - self.starts[file];
            let end = self.files[file].records.min(start + records.end - record);
            // Whoever reads them hears of errors.
            if self.expect_from(file, start..end).is_err() {
                return;
            }
            record += end - start;
        }
    }

    fn expect_from(&mut self, file: usize, records: Range<u64>) -> Result<(), Error> {
        if matches!(data_identity(&self.files[file])?.at, Location::Local(_)) {
            return Ok(());
        }
        self.look_up(file)?;
        match self.open.last() {
            Some((_, Opened::Csv { file, .. })) => file.expect(records)?,
            Some((_, Opened::Idx { images, .. })) => images.expect(records),
            None => {}
        }
        Ok(())
    }

    fn read_from(&mut self, file: usize, records: &[u64], batch: &mut RecordBatch) -> Result<(), Error> {
        self.look_up(file)?;
        let (at, opened) = &self.open[self.open.len() - 1];
        match opened {
            Opened::Csv { file, table } => file.read(records, &mut self.bytes, |row| table.read(row, batch)),
            Opened::Idx { images, labels } => {
                pictures::read(images, self.preprocessing.scale, records, &mut self.bytes, batch)?;
                let Some(labels) = labels else { return Ok(()) };
                let memory = (&mut self.windows, &mut self.bytes);
                pictures::read_labels((*at, labels), &self.preprocessing.label, records, memory, batch)
            }
        }
    }

    // Opens a file unless it is; it is the last one then.
    fn look_up(&mut self, file: usize) -> Result<(), Error> {
        match self.open.iter().rposition(|(open, _)| *open == file) {
            Some(at) => self.open[at..].rotate_left(1),
            None => {
                let opened = self.open_file(file)?;
                if self.open.len() >= OPEN_MAX {
                    self.open.remove(0);
                }
                self.open.push((file, opened));
            }
        }
        Ok(())
    }

    fn open_file(&self, file: usize) -> Result<Opened, Error> {
        let file = &self.files[file];
        let source = data_identity(file)?;
        let opened = Opened::new(&source, labels_identity(file)?.as_ref(), self)?;
        // The same identity and another content: the manifest is not of this file.
        if opened.records() != file.records {
            return Err(source.changed(Change::Content));
        }
        Ok(opened)
    }
}

impl Opened {
    fn new(file: &Identity, labels: Option<&Identity>, reader: &Reader) -> Result<Self, Error> {
        match reader.preprocessing.format {
            Format::Csv => {
                let file = CsvFile::open(file, &reader.places)?;
                let table = Table::new(&reader.preprocessing, &file.header, reader.need).map_err(Error::file(file.at()))?;
                Ok(Self::Csv { file, table })
            }
            Format::Idx => {
                let (images, labels) = pictures::open(file, labels, &reader.places)?;
                if images.header.shape != reader.preprocessing.input {
                    return Err(images.problem(FileProblem::IdxShape {
                        found: images.header.shape.clone(),
                        expected: reader.preprocessing.input.clone(),
                        first: "the model".to_owned(),
                    }));
                }
                Ok(Self::Idx { images, labels })
            }
        }
    }

    fn records(&self) -> u64 {
        match self {
            Self::Idx { images, .. } => images.header.records,
            Self::Csv { file, .. } => file.records(),
        }
    }

    fn labelled(&self) -> bool {
        match self {
            Self::Idx { labels, .. } => labels.is_some(),
            Self::Csv { table, .. } => table.labelled(),
        }
    }
}

// A file that no manifest describes.
fn opened(at: &Location, labels: Option<&Location>, reader: &Reader) -> Result<(DataFile, Opened), Error> {
    let file = Identity::now(at, &reader.places)?;
    let labels = labels.map(|labels| Identity::now(labels, &reader.places)).transpose()?;
    let opened = Opened::new(&file, labels.as_ref(), reader)?;
    Ok((described(&file, labels.as_ref(), opened.records()), opened))
}

/// What a manifest says about a file.
pub(crate) fn described(file: &Identity, labels: Option<&Identity>, records: u64) -> DataFile {
    DataFile {
        path: file.at.to_string(),
        labels: labels.map(|labels| labels.at.to_string()),
        length: file.length,
        modified_ns: file.modified_ns,
        labels_length: labels.map_or(0, |labels| labels.length),
        labels_modified_ns: labels.map_or(0, |labels| labels.modified_ns),
        records,
    }
}

/// The first record that `source` uses of `total`, and how many.
pub(crate) fn used(named: Named<'_>, source: &Source, total: u64) -> Result<(u64, u64), Error> {
    let [from, to] = source.records.unwrap_or([0, total]);
    if from < to && to <= total {
        return Ok((from, to - from));
    }
    if total == 0 {
        return Err(Error::job(named.whole(), "the files hold no records", "name files that hold some"));
    }
    let message = format!("records [{from}, {to}] are asked for, but the files hold {total}");
    Err(Error::job(named.part("records"), message, format!("use numbers from 0 to {total}, the first below the second")))
}

pub(crate) fn data_identity(file: &DataFile) -> Result<Identity, Error> {
    Ok(Identity { at: located(&file.path)?, length: file.length, modified_ns: file.modified_ns })
}

pub(crate) fn labels_identity(file: &DataFile) -> Result<Option<Identity>, Error> {
    let Some(labels) = &file.labels else { return Ok(None) };
    Ok(Some(Identity { at: located(labels)?, length: file.labels_length, modified_ns: file.labels_modified_ns }))
}

// What preparation wrote; anything else is no manifest of ours.
fn located(text: &str) -> Result<Location, Error> {
    Location::parse(text, None).map_err(|invalid| Error::job("data", invalid.to_string(), "submit the job again"))
}

#[cfg(test)]
mod tests;
