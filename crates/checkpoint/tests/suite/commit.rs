//! The commit point.

use crate::fixture::{everything, id, manifest, names, parts, restored, saved};
use crate::here::{commit, find, list, read, verify_lengths};
use std::fs;
use tfcoord_checkpoint::{Error, Found, Manifest};
use tfcoord_types::checkpoint::PartFile;

#[test]
fn a_checkpoint_is_there_when_its_manifest_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(list(&dir.join("none")).unwrap(), []);
    let manifest = parts(dir, id(500), 1, 2).unwrap();
    assert_eq!(list(dir).unwrap(), []);
    commit(dir, &manifest).unwrap();
    assert_eq!(list(dir).unwrap(), [id(500)]);
    assert_eq!(names(dir), ["1-500-507.json", "1-500-507.ps-0.10.safetensors", "1-500-507.ps-1.11.safetensors"]);
    assert_eq!(read(dir, id(500)).unwrap(), manifest);
    verify_lengths(dir, &manifest).unwrap();
    restored(dir, &manifest, &everything()).unwrap();
}

#[test]
fn once_more_is_no_error_and_something_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = saved(dir.path(), id(500), 1, 2);
    commit(dir.path(), &Manifest { saved_at_ms: 5, evaluations: Vec::new(), ..manifest.clone() }).unwrap();
    let other = Manifest { kernel_path: "another".into(), ..manifest.clone() };
    let error = commit(dir.path(), &other).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert_eq!(read(dir.path(), id(500)).unwrap(), manifest, "the first one stays");
    assert_eq!(names(dir.path()).len(), 3, "nothing else is left");
}

#[test]
fn of_those_that_race_one_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = parts(dir.path(), id(500), 1, 1).unwrap();
    let done = std::thread::scope(|scope| {
        let commit = |number: u64| {
            let other = Manifest { kernel_path: format!("path {number}"), ..manifest.clone() };
            commit(dir.path(), &other).map(|()| other)
        };
        let racers: Vec<_> = (0..8).map(|number| scope.spawn(move || commit(number))).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect::<Vec<_>>()
    });
    let (won, lost): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert!(won.len() == 1 && lost.iter().all(|lost| matches!(lost, Err(Error::Conflict { .. }))), "{won:?} {lost:?}");
    assert_eq!(read(dir.path(), id(500)).unwrap(), *won[0].as_ref().unwrap());
}

#[test]
fn parts_are_looked_at_again() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = parts(dir.path(), id(500), 1, 2).unwrap();
    let path = dir.path().join(&manifest.parts[1].file);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    let error = commit(dir.path(), &manifest).unwrap_err().to_string();
    assert!(
        error.contains(&format!("1-500-507.ps-1.11.safetensors: it has {} bytes, but its manifest says {}", bytes.len() - 4, bytes.len())),
        "{error}"
    );
    fs::remove_file(&path).unwrap();
    let error = commit(dir.path(), &manifest).unwrap_err().to_string();
    assert!(error.starts_with("cannot look at ") && error.ends_with("or put the file back from a backup"), "{error}");
    fs::create_dir(&path).unwrap();
    assert!(commit(dir.path(), &manifest).unwrap_err().to_string().contains("it is no file"));
    assert_eq!(list(dir.path()).unwrap(), []);
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = parts(dir.path(), id(500), 1, 2).unwrap();
    let part = |file: &str| PartFile { file: file.into(), length: 8, crc32c: 0 };
    let check = |manifest: Manifest, expect: &str| {
        let error = commit(dir.path(), &manifest).unwrap_err().to_string();
        assert!(error.starts_with("the manifest of checkpoint 1-500-507: ") && error.contains(expect), "{error}");
    };
    check(manifest(id(500), 1, Vec::new()), "it names no parts");
    check(manifest(id(500), 1, vec![part("../1-500-507.ps-0.10.safetensors")]), "is no part of it");
    check(manifest(id(500), 1, vec![part("/etc/passwd")]), "is no part of it");
    check(manifest(id(500), 1, vec![part("1-501-507.ps-0.10.safetensors")]), "is no part of it");
    check(manifest(id(500), 1, vec![good.parts[0].clone(), part("1-500-507.ps-0.11.safetensors")]), "of a server that has another one");
    check(manifest(id(500), 0, good.parts.clone()), "no multiple of 4096");
    let plan = tfcoord_types::plan::TrainPlan { micro_batches: 0, ..good.plan };
    check(Manifest { plan, ..good.clone() }, "is no plan");
    let mut train = good.train.clone();
    train.clip_norm = Some(f64::NAN);
    check(Manifest { train, ..good }, "cannot be written as JSON");
}

#[test]
fn whole_ones_are_found_and_the_others_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(find(dir).unwrap().whole.is_empty());
    let saved: Vec<Manifest> = [100, 900, 1000].into_iter().map(|step| saved(dir, id(step), 1, 1)).collect();
    assert_eq!(list(dir).unwrap(), [id(1000), id(900), id(100)], "by number, not by text");
    let whole = |found: &Found| found.whole.iter().map(|manifest| manifest.id).collect::<Vec<_>>();
    assert_eq!(whole(&find(dir).unwrap()), [id(1000), id(900), id(100)]);
    fs::write(dir.join("1-1000-1007.json"), "{}").unwrap();
    fs::remove_file(dir.join(&saved[1].parts[0].file)).unwrap();
    let found = find(dir).unwrap();
    assert_eq!((whole(&found), &found.whole[0]), (vec![id(100)], &saved[0]));
    assert_eq!(found.passed_over.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id(1000), id(900)]);
}
