//! `tfcoord-worker predict`: an exported model on data.

mod model;

use crate::arguments::{Format, Predict};
use crate::figures::Figures;
use crate::input::{batch, reuse};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::process::ExitCode;
use tfcoord_data::{Files, Preprocessing, Reader, RecordBatch};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_model::{Model, ModelFile, Parameters, Prediction, Workspace};
use tfcoord_telemetry::causes;
use tfcoord_types::figures::Counts;
use tfcoord_types::job::{Format as DataFormat, OneOrMany, Source};
use tfcoord_types::manifest::Label;

const BAD_INPUT: u8 = 2;
const CANNOT_WRITE: u8 = 5;
const NOBODY_READS: u8 = 141;

/// Prints predictions, and how good they are where the data have labels.
///
/// # Errors
/// The model or the data cannot be read, or do not fit each other.
pub fn predict(arguments: &Predict) -> anyhow::Result<ExitCode> {
    let (description, model, parameters): (ModelFile<Preprocessing>, Model, Parameters) =
        model::read(&arguments.model_dir, arguments.threads)?;
    let preprocessing = &description.preprocessing;
    let temporary = tempfile::tempdir().context("no temporary directory")?;
    let scratch = arguments.scratch.clone().unwrap_or_else(|| temporary.path().to_owned());
    let files = Files::new(FileSystems::of_environment(), scratch.as_path());
    let mut reader = Reader::of_source(preprocessing, &source(arguments, preprocessing.format)?, &files)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let classes = matches!(preprocessing.label, Label::Class { .. });
    let size = u64::from(description.evaluation_batch_size.max(1));
    let mut counts = Counts::default();
    let mut record = RecordBatch::default();
    let mut workspace = Workspace::default();
    let mut from = 0;
    while from < reader.records() {
        let indices: Vec<u64> = (from..reader.records().min(from + size)).collect();
        reader.read(&indices, &mut record)?;
        let batch = batch(std::mem::take(&mut record), classes)?;
        if reader.labelled() {
            counts.add(&model.evaluate(&parameters, &batch, &mut workspace)?);
        }
        if arguments.output == Format::Jsonl || !reader.labelled() {
            let predictions = model.predict(&parameters, &batch, &mut workspace)?;
            print(&mut out, arguments.output, preprocessing, from, &predictions)?;
        }
        from += indices.len() as u64;
        reuse(&mut record, batch);
    }
    if reader.labelled() {
        let figures = Figures::new(&counts, model.classes());
        match arguments.output {
            Format::Text => print_text(&mut out, &figures)?,
            Format::Json | Format::Jsonl => writeln!(out, "{}", serde_json::to_string(&figures)?)?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Tells a failure, and gives its exit code: one of those in docs/commands.md.
pub fn failed(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<std::io::Error>() {
        // Nobody reads any more: as if ended by SIGPIPE.
        Some(io) if io.kind() == std::io::ErrorKind::BrokenPipe => return NOBODY_READS,
        _ => eprintln!("error: {}", causes::said(error.as_ref())),
    }
    // What is wrong with the model, the data or the command line has types of its own.
    let scratch = matches!(error.downcast_ref(), Some(tfcoord_data::Error::Scratch { .. }));
    if scratch || error.is::<std::io::Error>() { CANNOT_WRITE } else { BAD_INPUT }
}

fn source(arguments: &Predict, format: DataFormat) -> anyhow::Result<Source> {
    let here = Location::Local(std::env::current_dir().context("no working directory")?);
    let paths = |paths: &[String]| {
        let absolute = |path: &String| match Location::parse(path, Some(&here))? {
            Location::Local(path) => Ok(std::path::absolute(path)?.display().to_string()),
            remote @ Location::Remote(_) => Ok(remote.to_string()),
        };
        Ok::<_, anyhow::Error>(OneOrMany::Many(paths.iter().map(absolute).collect::<anyhow::Result<_>>()?))
    };
    let data = Some(paths(&arguments.data)?);
    let labels = if arguments.labels.is_empty() { None } else { Some(paths(&arguments.labels)?) };
    let records = arguments.records;
    match format {
        DataFormat::Idx => Ok(Source { images: data, labels, files: None, records }),
        DataFormat::Csv => {
            ensure!(labels.is_none(), "--labels is for idx; a csv's labels are a column of --data");
            Ok(Source { images: None, labels: None, files: data, records })
        }
    }
}

fn print(out: &mut impl Write, format: Format, preprocessing: &Preprocessing, from: u64, all: &[Prediction]) -> anyhow::Result<()> {
    for (record, prediction) in (from..).zip(all) {
        if !is_finite(prediction) {
            bail!(
                "record {record} (from 0): the model's output is no finite number: its training has diverged, or the record's \
                 values are far from those it was trained on\n  help: train again with a smaller learning rate or train.clip_norm, or \
                 look at the record"
            );
        }
        let (text, value): (String, Value) = match prediction {
            Prediction::Class { class, scores } => {
                let name = preprocessing.classes().get(*class as usize).map_or("", String::as_str);
                let score = scores.get(*class as usize).copied().unwrap_or_default();
                (format!("{name} ({score:.4})"), json!({"record": record, "class": name, "scores": scores}))
            }
            Prediction::Number(number) => (number.to_string(), json!({"record": record, "value": number})),
            Prediction::Error(error) => (error.to_string(), json!({"record": record, "error": error})),
        };
        match format {
            Format::Text => writeln!(out, "{record}: {text}")?,
            Format::Json | Format::Jsonl => writeln!(out, "{value}")?,
        }
    }
    Ok(())
}

fn is_finite(prediction: &Prediction) -> bool {
    match prediction {
        Prediction::Class { scores, .. } => scores.iter().all(|score| score.is_finite()),
        Prediction::Number(number) | Prediction::Error(number) => number.is_finite(),
    }
}

fn print_text(out: &mut impl Write, figures: &Figures) -> std::io::Result<()> {
    writeln!(out, "records   {}", figures.records)?;
    if let Some(loss) = figures.loss {
        writeln!(out, "loss      {loss:.6}")?;
    }
    if let (Some(accuracy), Some(correct)) = (figures.accuracy, figures.correct) {
        writeln!(out, "accuracy  {accuracy:.4}  ({correct} right)")?;
    }
    figures.auc.map_or(Ok(()), |auc| writeln!(out, "auc       {auc:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused_by_its_record_and_not_printed() {
        let class = |scores: [f32; 2]| Prediction::Class { class: 0, scores: scores.to_vec() };
        let preprocessing = Preprocessing {
            format: DataFormat::Idx,
            input: vec![1],
            label: Label::Class { names: vec!["a".into(), "b".into()] },
            columns: Vec::new(),
            scale: 1.0,
            label_column: None,
            missing: Vec::new(),
        };
        for bad in [class([f32::NAN; 2]), Prediction::Number(f32::INFINITY)] {
            for format in [Format::Text, Format::Json, Format::Jsonl] {
                let mut out = Vec::new();
                let all = [class([0.25, 0.75]), bad.clone(), class([1.0, 0.0])];
                let error = print(&mut out, format, &preprocessing, 40, &all).unwrap_err();
                assert!(error.to_string().starts_with("record 41 "), "{error}");
                assert_eq!((failed(&error), out.iter().filter(|byte| **byte == b'\n').count()), (BAD_INPUT, 1));
            }
        }
    }

    #[test]
    fn failures_have_the_exit_codes_of_the_commands() {
        let io = |kind: std::io::ErrorKind| failed(&anyhow::Error::from(std::io::Error::from(kind)));
        assert_eq!(failed(&anyhow::anyhow!("model.json is damaged")), BAD_INPUT);
        assert_eq!(io(std::io::ErrorKind::StorageFull), CANNOT_WRITE);
        assert_eq!(io(std::io::ErrorKind::BrokenPipe), NOBODY_READS);
    }
}
