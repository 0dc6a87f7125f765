//! Export: the model's files and the curve, complete or not there at all.

use crate::figures::Metrics;
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::Read;
use std::path::Path;
use tfcoord_data::Preprocessing;
use tfcoord_model::file::{self, FORMAT, ModelFile};
use tfcoord_model::{Model, Parameters};
use tfcoord_types::figures::{CurvePoint, EVALUATION_BATCH};
use tfcoord_types::report::Exported;
use tfcoord_types::view::Export;

/// The folder of the model's files in the job's outputs.
const MODEL_DIR: &str = "model";
/// The file with the job's evaluations.
const METRICS: &str = "metrics.json";
/// The file with the curve.
const CURVE: &str = "curve.csv";

/// Writes `model/` and `curve.csv` into the directory of the job's outputs. What an earlier attempt completed is
/// left as it is: it has the same bits.
///
/// # Errors
/// If something cannot be written.
pub fn write(
    export: &Export,
    preprocessing: &Preprocessing,
    curve: &[CurvePoint],
    model: &Model,
    parameters: &Parameters,
) -> anyhow::Result<Exported> {
    for (index, variable) in model.variables().iter().enumerate() {
        let finite = parameters.values(index).iter().all(|value| value.is_finite());
        ensure!(finite, "{} is not finite after the last step: try a smaller learning rate or train.clip_norm", variable.name);
    }
    let outputs = Path::new(&export.dir);
    std::fs::create_dir_all(outputs).with_context(|| export.dir.clone())?;
    tfcoord_fs::write_atomic(&outputs.join(CURVE), curve_text(curve).as_bytes(), 0o644)?;
    let (temp, to) = (outputs.join(format!(".{MODEL_DIR}-{}", export.attempt)), outputs.join(MODEL_DIR));
    if temp.exists() {
        std::fs::remove_dir_all(&temp).with_context(|| temp.display().to_string())?;
    }
    std::fs::create_dir(&temp).with_context(|| temp.display().to_string())?;
    let description = ModelFile {
        format: FORMAT,
        model: model.spec().clone(),
        input: model.input().to_vec(),
        classes: model.classes(),
        evaluation_batch_size: u32::try_from(EVALUATION_BATCH).expect("a small constant"),
        preprocessing: preprocessing.clone(),
        tensors_sha256: None,
    };
    file::write(&temp, description, model.variables(), parameters)?;
    let metrics = Metrics::new(&export.evaluations, model.classes());
    let metrics = serde_json::to_string_pretty(&metrics)? + "\n";
    tfcoord_fs::write_atomic(&temp.join(METRICS), metrics.as_bytes(), 0o644)?;
    let files = digests(&temp)?;
    if let Err(error) = tfcoord_fs::commit_directory(&temp, &to) {
        // Another attempt may have been first, in this very moment.
        if !to.exists() {
            return Err(error.into());
        }
        ensure!(digests(&to)? == files, "{} is there already and is another model: move it away", to.display());
        std::fs::remove_dir_all(&temp).with_context(|| temp.display().to_string())?;
    }
    Ok(Exported { dir: to.to_str().context("the path of the outputs is not UTF-8")?.to_owned(), files })
}

// Length and SHA-256 of a file, which may be larger than memory.
fn digest(path: &Path) -> std::io::Result<(u64, [u8; 32])> {
    let (mut file, mut hash, mut length) = (std::fs::File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((length, hash.finalize().into())),
            Ok(read) => {
                hash.update(&buffer[..read]);
                length += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

// (name, length, SHA-256) of each file, by name.
fn digests(dir: &Path) -> anyhow::Result<Vec<(String, u64, String)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        let (length, digest) = digest(&path).with_context(|| path.display().to_string())?;
        let name = path.file_name().and_then(|n| n.to_str()).context("a file's name is not UTF-8")?.to_owned();
        let mut hex = String::new();
        digest.iter().for_each(|byte| {
            let _infallible = write!(hex, "{byte:02x}");
        });
        files.push((name, length, hex));
    }
    files.sort();
    Ok(files)
}

// The shortest decimals that read back to the same value, and the sum's bits.
fn curve_text(curve: &[CurvePoint]) -> String {
    let mut text = String::from("step,loss,accuracy,loss_sum_bits\n");
    for point in curve {
        let (loss, accuracy) = (point.loss_sum / point.records, point.correct / point.records);
        let _infallible = writeln!(text, "{},{loss},{accuracy},{:08x}", point.step, point.loss_sum.to_bits());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_digested_piece_by_piece() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..200_001u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(dir.path().join("long"), &bytes).unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let expected = [("empty".to_owned(), 0, hex(b"")), ("long".to_owned(), 200_001, hex(&bytes))];
        assert_eq!(digests(dir.path()).unwrap(), expected);
    }
}
