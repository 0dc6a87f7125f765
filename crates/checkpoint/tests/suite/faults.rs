//! A process that saves a second checkpoint dies at every fault point on its way, or its disk fails there: what is there
//! afterwards is whole, and the next attempt succeeds. Each test runs this very program again with a plan.

use crate::fixture::{everything, heads, id, names, parts, restored, saved};
use crate::here::{begin, commit, find, list, read, sweep};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use tfcoord_checkpoint::{Error, PartName};
use tfcoord_types::id::Incarnation;

const DIR: &str = "CHECKPOINT_DIR";

/// Saves the checkpoint of step 200, and keeps no other.
#[test]
#[ignore = "what the other tests run"]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let dir = Path::new(&dir);
    let outcome = crate::fixture::parts(dir, id(200), 1, 2).and_then(|manifest| commit(dir, &manifest));
    println!("outcome: {}", outcome.as_ref().map_or_else(ToString::to_string, |()| "saved".to_owned()));
    if outcome.is_ok() {
        sweep(dir, 1, &[]).unwrap();
    }
}

fn run(dir: &Path, plan: &str, hits: Option<&Path>) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["faults::child", "--exact", "--ignored", "--nocapture"]).env(DIR, dir).env("TFCOORD_FAULT", plan);
    command.envs(hits.map(|path| ("TFCOORD_FAULT_HITS", path))).output().unwrap()
}

fn points() -> Vec<&'static str> {
    let files = |name: &&str| name.starts_with("checkpoint.") || name.starts_with("fs.file.");
    // It replaces nothing, so it takes no part of the usual way to a final name.
    let not_here = ["fs.file.rename", "fs.file.renamed", "fs.file.durable"];
    let points = tfcoord_fault::POINTS.iter().map(|point| point.name).filter(files);
    points.filter(|name| !not_here.contains(name)).collect()
}

// All that is listed is whole. Which is the newest?
fn whole(dir: &Path, what: &str) -> u64 {
    let found = find(dir).unwrap();
    assert!(found.passed_over.is_empty(), "{what}: {:?}", found.passed_over);
    let manifest = found.whole.into_iter().next().unwrap_or_else(|| panic!("{what}: nothing is left"));
    for id in list(dir).unwrap() {
        let restored = read(dir, id).and_then(|manifest| restored(dir, &manifest, &everything()));
        restored.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    manifest.id.step
}

// Another attempt, of a later generation, succeeds and leaves nothing else.
fn goes_on(dir: &Path, what: &str) {
    let mut next = id(200);
    next.generation.0 += 1;
    saved(dir, next, 2, 1);
    sweep(dir, 1, &[]).unwrap();
    assert_eq!(names(dir), ["2-200-207.json", "2-200-207.ps-0.10.safetensors"], "{what}");
}

#[test]
fn every_point_is_reached() {
    let dir = tempfile::tempdir().unwrap();
    let (checkpoints, hits) = (dir.path().join("checkpoints"), dir.path().join("hits"));
    saved(&checkpoints, id(100), 2, 1);
    let output = run(&checkpoints, "", Some(&hits));
    assert!(String::from_utf8_lossy(&output.stdout).contains("outcome: saved"), "{output:?}");
    let text = std::fs::read_to_string(&hits).unwrap();
    let reached: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(reached, points().into_iter().collect());
    assert_eq!(names(&checkpoints), ["1-200-207.json", "1-200-207.ps-0.10.safetensors", "1-200-207.ps-1.11.safetensors"]);
}

#[test]
fn a_death_anywhere_leaves_a_whole_checkpoint() {
    let committed =
        ["checkpoint.manifest.renamed", "checkpoint.manifest.dir_synced", "checkpoint.remove.manifest", "checkpoint.remove.parts"];
    for point in points() {
        // Some are passed once for each of the two parts.
        for hit in [1, 2] {
            let dir = tempfile::tempdir().unwrap();
            saved(dir.path(), id(100), 2, 1);
            let what = format!("{point}=kill@{hit}");
            let output = run(dir.path(), &what, None);
            let killed = output.status.signal() == Some(9);
            assert!(killed || (hit > 1 && output.status.success()), "{what}: {output:?}");
            let expected = if killed && !committed.contains(&point) { 100 } else { 200 };
            assert_eq!(whole(dir.path(), &what), expected, "{what}");
            goes_on(dir.path(), &what);
        }
    }
}

#[test]
fn a_failing_disk_is_an_error_and_loses_nothing() {
    for point in tfcoord_fault::POINTS.iter().filter(|point| points().contains(&point.name) && point.kind == tfcoord_fault::Kind::Io) {
        for (error, text) in [("enospc", "No space left on device"), ("eio", "Input/output error")] {
            let dir = tempfile::tempdir().unwrap();
            saved(dir.path(), id(100), 2, 1);
            let before = names(dir.path());
            let output = run(dir.path(), &format!("{}={error}", point.name), None);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("outcome: cannot ") && said.contains(text), "{}: {output:?}", point.name);
            assert_eq!(whole(dir.path(), point.name), 100);
            // Parts that were finished before are a later sweep's.
            let left: Vec<String> = names(dir.path()).into_iter().filter(|name| !before.contains(name)).collect();
            assert!(left.iter().all(|name| name.ends_with(".safetensors")), "{}: {left:?}", point.name);
            assert!(!point.name.starts_with("checkpoint.part.") || left.is_empty(), "{}: {left:?}", point.name);
            goes_on(dir.path(), point.name);
        }
    }
}

#[test]
fn a_directory_that_is_removed_meanwhile_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let (saves, id) = (dir.path().join("saves"), id(200));
    let told = |error: Error| {
        let text = error.of_writing().to_string();
        assert!(text.contains("was removed while the checkpoint was being written: see that nobody removes"), "{text}");
    };
    let heads = heads(1, 0, 1);
    let name = PartName { id, slot: 0, incarnation: Incarnation(1) };
    let mut writer = begin(&saves, name, &heads).unwrap();
    for (place, head) in heads.iter().enumerate() {
        writer.write(place, &vec![0; usize::try_from(head.bytes).unwrap()]).unwrap();
    }
    std::fs::remove_dir_all(&saves).unwrap();
    told(writer.finish().unwrap_err());
    let manifest = parts(&saves, id, 1, 1).unwrap();
    std::fs::remove_dir_all(&saves).unwrap();
    told(commit(&saves, &manifest).unwrap_err());
    // The next one finds it made again.
    saved(&saves, id, 1, 1);
}
