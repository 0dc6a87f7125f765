//! A process that appends to the log dies at every fault point on its way, or its disk fails there: whatever it was told is
//! durable is there afterwards. Each test runs this very program again with a plan.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use tfcoord_coordinator::log::{Entry, FileLog, Log, Snapshot, Snapshots};
use tfcoord_fault::{Kind, POINTS};

const DIR: &str = "LOG_DIR";
const ENTRIES: u64 = 60;
const SEGMENT_BYTES: u64 = 400;

fn entry(index: u64) -> Entry {
    Entry { index, term: 1, payload: format!("entry {index}").into_bytes() }
}

/// Appends entries, and takes snapshots, as a leader does; says what is durable. After an error it tries once more.
#[test]
#[ignore = "what the other tests run"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let mut log = FileLog::open(dir, SEGMENT_BYTES).unwrap();
    let snapshots = Snapshots::new(dir);
    let mut step = |index: u64| {
        log.append(&[entry(index)]).map_err(|error| format!("{error}; then: {}", log.append(&[entry(index)]).unwrap_err()))?;
        println!("durable: {index}");
        if index.is_multiple_of(10) {
            let snapshot = Snapshot { index, term: 1, payload: index.to_le_bytes().to_vec() };
            let oldest = snapshots.save(&snapshot).map_err(|error| error.to_string())?;
            log.purge_before(oldest + 1).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let outcome: Result<(), String> = (1..=ENTRIES).try_for_each(&mut step);
    println!("outcome: {outcome:?}");
}

fn run(dir: &Path, plan: &str, hits: Option<&Path>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--nocapture"]).env(DIR, dir).env("TFCOORD_FAULT", plan);
    command.envs(hits.map(|path| ("TFCOORD_FAULT_HITS", path))).output().unwrap()
}

fn points() -> Vec<&'static str> {
    let here = |name: &&str| name.starts_with("log.") || name.starts_with("fs.file.");
    POINTS.iter().map(|point| point.name).filter(here).collect()
}

// The last entry that the process was told is durable.
fn told(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| line.split_once("durable: ")?.1.parse().ok()).max().unwrap_or(0)
}

// Every entry up to `told` is there, or a snapshot stands for it; and the log goes on.
fn nothing_is_lost(dir: &Path, told: u64, what: &str) {
    let mut log = FileLog::open(dir, SEGMENT_BYTES).unwrap_or_else(|error| panic!("{what}: {error}"));
    let snapshot = Snapshots::new(dir).newest().unwrap().map_or(0, |snapshot| snapshot.index);
    let range = log.range();
    assert!(range.start <= snapshot + 1, "{what}: {range:?} with a snapshot of {snapshot}");
    assert!(range.end > told, "{what}: {range:?}, but {told} was durable");
    let entries = log.read(range.clone()).unwrap();
    assert!(entries.iter().all(|found| *found == entry(found.index)), "{what}");
    log.append(&[entry(range.end)]).unwrap();
}

#[test]
fn every_point_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let (log, hits) = (dir.path().join("log"), dir.path().join("hits"));
    std::fs::create_dir(&log).unwrap();
    let output = run(&log, "", Some(&hits));
    assert_eq!(told(&output), ENTRIES, "{output:?}");
    let text = std::fs::read_to_string(&hits).unwrap();
    let reached: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(reached, points().into_iter().collect());
    nothing_is_lost(&log, ENTRIES, "undisturbed");
}

#[test]
fn a_death_anywhere_loses_nothing_that_was_durable() {
    for point in points() {
        for hit in [1, 3] {
            let dir = tempfile::tempdir().unwrap();
            let what = format!("{point}=kill@{hit}");
            let output = run(dir.path(), &what, None);
            assert_eq!(output.status.signal(), Some(9), "{what}: {output:?}");
            nothing_is_lost(dir.path(), told(&output), &what);
        }
    }
}

#[test]
fn a_failing_disk_is_an_error_and_loses_nothing_that_was_durable() {
    for point in POINTS.iter().filter(|point| points().contains(&point.name) && point.kind == Kind::Io) {
        for error in ["enospc", "eio"] {
            let dir = tempfile::tempdir().unwrap();
            // The log is there, and has entries.
            let what = format!("{}={error}@2", point.name);
            let output = run(dir.path(), &what, None);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("outcome: Err(") && told(&output) > 0, "{what}: {output:?}");
            // What was written after a failed sync may be on the disk or not.
            let appending = ["log.append.write", "log.append.sync", "log.segment.create"].contains(&point.name);
            assert_eq!(said.contains("then: the log takes no more entries"), appending, "{what}: {output:?}");
            nothing_is_lost(dir.path(), told(&output), &what);
        }
    }
}
