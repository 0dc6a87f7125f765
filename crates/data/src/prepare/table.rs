//! CSV files.

mod infer;
mod rows;

use super::gather::{Features, Labels};
use crate::FEATURES_MAX;
use crate::batch::RecordBatch;
use crate::csv::{CsvFile, Fields, LabelNeed, Table};
use crate::error::Error;
use crate::files::Files;
use crate::identity::Identity;
use crate::preprocessing::Preprocessing;
use crate::reader::{described, used};
use crate::sources::{self, Named};
use csv::ByteRecord;
use tfcoord_types::job::{Feature, Format, Input, JobFile, LabelUse, Preset, Source};
use tfcoord_types::manifest::{Column, DataFile, DataSet, Label, Manifest};

pub(super) fn prepare(job: &JobFile, files: &Files) -> Result<Manifest, Error> {
    let data = &job.data;
    let label_use = job.model.label_use();
    // A column that is not looked at is no feature either.
    let label_column = data.label.as_deref();
    if label_column.is_none() && label_use != LabelUse::None {
        return Err(Error::job("data.label", "there is no label", "name the label's column"));
    }
    let train = Set::open("data.train", &data.train, files)?;
    let wanted = match data.features.is_empty() {
        true => infer::infer(&train, data, label_column.unwrap_or_default(), category(job))?,
        false => data.features.clone(),
    };
    let mut features = Features::new(&wanted);
    let label_column = label_column.filter(|_| label_use != LabelUse::None);
    let mut labels = label_column.map(|column| Labels::new(column, label_use));
    train.each_file(|file, first, count| {
        let fields = Fields::new(&file.header, &data.missing);
        let places = features.places(&fields).map_err(Error::file(file.at()))?;
        let label = label_column.map(|column| fields.place(column)).transpose().map_err(Error::file(file.at()))?;
        file.rows(first, count, |row| {
            fields.check(row)?;
            features.add(&fields, &places, row)?;
            match labels.as_mut().zip(label) {
                Some((labels, place)) => labels.add(fields.text(row, place)?),
                None => Ok(()),
            }
        })
    })?;
    let label = labels.map_or(Label::Number, Labels::label);
    let mut columns = features.columns();
    let input = vec![width(&columns)?];
    let limited = rows::limit(job, &Input::of(&input, &columns, &label), &mut columns)?;
    let mut manifest = Manifest {
        format: Format::Csv,
        input,
        train: train.described(),
        eval: None,
        label,
        columns,
        scale: 1.0,
        label_column: label_column.map(str::to_owned),
        missing: data.missing.clone(),
    };
    if limited {
        check(&train, &Preprocessing::from(&manifest))?;
    }
    if let Some(eval) = &data.eval {
        let eval = Set::open("data.eval", eval, files)?;
        check(&eval, &Preprocessing::from(&manifest))?;
        manifest.eval = Some(eval.described());
    }
    Ok(manifest)
}

// What an inferred column of words becomes: the wide and the deep part look it up in tables.
fn category(job: &JobFile) -> fn(String) -> Feature {
    match job.model.preset {
        Some(Preset::WideDeep { .. }) => Feature::Index,
        _ => Feature::Category,
    }
}

fn width(columns: &[Column]) -> Result<u32, Error> {
    let width = columns.iter().map(Column::width).sum::<usize>() as u64;
    match u32::try_from(width) {
        Ok(0) => {
            Err(Error::job("data.features", "no column becomes a feature", "name some, or use files with more columns than the label"))
        }
        Ok(fits) if width <= FEATURES_MAX => Ok(fits),
        _ => {
            let widest = columns.iter().max_by_key(|column| column.width()).map_or("", |column| &column.name);
            let message = format!("the columns make {width} features, at most {FEATURES_MAX} are possible; most come from {widest:?}");
            Err(Error::job("data.features", message, "leave it out, or make it a number or an index"))
        }
    }
}

// Reads every record as a worker will.
fn check(set: &Set<'_>, preprocessing: &Preprocessing) -> Result<(), Error> {
    let mut batch = RecordBatch::default();
    set.each_file(|file, first, count| {
        let table = Table::new(preprocessing, &file.header, LabelNeed::Required).map_err(Error::file(file.at()))?;
        file.rows(first, count, |row: &ByteRecord| {
            batch.clear();
            table.read(row, &mut batch)
        })
    })
}

// Files are opened one at a time: there may be more of them than a process may hold open.
struct Set<'a> {
    places: &'a Files,
    files: Vec<(Identity, DataFile)>,
    first: u64,
    records: u64,
}

impl<'a> Set<'a> {
    fn open(field: &str, source: &Source, places: &'a Files) -> Result<Self, Error> {
        let named = Named::Job(field);
        let mut files = Vec::new();
        for listed in sources::list(named, Format::Csv, source, places)? {
            let identity = Identity::now(&listed.file, places)?;
            let records = CsvFile::open(&identity, places)?.records();
            let file = described(&identity, None, records);
            files.push((identity, file));
        }
        let (first, records) = used(named, source, files.iter().map(|(_, file)| file.records).sum())?;
        Ok(Self { places, files, first, records })
    }

    fn described(&self) -> DataSet {
        DataSet { files: self.files.iter().map(|(_, file)| file.clone()).collect(), first: self.first, records: self.records }
    }

    fn header(&self) -> Result<Vec<String>, Error> {
        Ok(CsvFile::open(&self.files[0].0, self.places)?.header)
    }

    // Calls `each` with every file, the first of its records that is used, and how many are.
    fn each_file(&self, mut each: impl FnMut(&CsvFile, u64, u64) -> Result<(), Error>) -> Result<(), Error> {
        let mut start = 0;
        for (identity, file) in &self.files {
            let end = start + file.records;
            let (from, to) = (self.first.clamp(start, end), (self.first + self.records).clamp(start, end));
            each(&CsvFile::open(identity, self.places)?, from - start, to - from)?;
            start = end;
        }
        Ok(())
    }
}
