use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tfcoord_telemetry::tensorboard::EventWriter;

use tfcoord_testkit::tools::tool;

#[test]
fn tensorboard_reads_what_was_written() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = two_curves(dir.path())?;
    let Some(python) = tool("venv/bin/python") else { return Ok(()) };

    let seen = read(&python, "read_events.py", dir.path())?;
    let loss = json!([[1_700_000_001.5, 0, "2.5"], [1_700_000_002.0, 1, "0.0"], [1_700_000_002.5, 2, "nan"]]);
    assert_eq!(seen, json!({ "train/loss": loss, "eval/accuracy": [[1_700_000_003.0, 2, "0.875"]] }));

    // The dashboard's own way: the reader turns plain values into the scalar plugin's tensors.
    let run = dir.path().join("dashboard");
    let mut writer = EventWriter::create(&run, "", UNIX_EPOCH)?;
    writer.scalar("eval/accuracy", 2, UNIX_EPOCH, 0.875)?;
    writer.flush()?;
    let seen = read(&python, "read_plugin.py", &run)?;
    assert_eq!(seen, json!({ ".": { "eval/accuracy": [[2, 0.875]] } }));

    // A damaged record is refused by its checksum, so the sums that were accepted above were looked at.
    let mut bytes = std::fs::read(&path)?;
    let last = bytes.len() - 6;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes)?;
    let seen = read(&python, "read_events.py", path.parent().expect("a file lies in a folder"));
    assert!(seen.map_or(true, |seen| seen.get("eval/accuracy").is_none()), "a damaged record was read");
    Ok(())
}

fn two_curves(dir: &Path) -> Result<std::path::PathBuf> {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs_f64(seconds);
    let mut writer = EventWriter::create(dir, ".worker-0", at(1_700_000_000.0))?;
    writer.scalar("train/loss", 0, at(1_700_000_001.5), 2.5)?;
    writer.scalar("train/loss", 1, at(1_700_000_002.0), 0.0)?;
    writer.scalar("train/loss", 2, at(1_700_000_002.5), f32::NAN)?;
    writer.scalar("eval/accuracy", 2, at(1_700_000_003.0), 0.875)?;
    writer.flush()?;
    Ok(writer.path().to_owned())
}

fn read(python: &Path, script: &str, dir: &Path) -> Result<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools").join(script);
    let output = Command::new(python).arg(script).arg(dir).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
