//! Removing and sweeping.

use crate::fixture::{heads, id, names, parts, saved, write_part};
use crate::here::{list, remove, sweep};
use std::fs;

#[test]
fn a_checkpoint_goes_whole_and_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    saved(dir, id(100), 1, 2);
    saved(dir, id(200), 1, 2);
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    remove(dir, id(100)).unwrap();
    remove(dir, id(100)).unwrap();
    assert_eq!(names(dir), ["1-200-207.json", "1-200-207.ps-0.10.safetensors", "1-200-207.ps-1.11.safetensors", "notes.txt"]);
    parts(dir, id(300), 1, 1).unwrap();
    remove(dir, id(300)).unwrap();
    assert_eq!(names(dir).len(), 4, "also one that was never committed");
    remove(&dir.join("none"), id(300)).unwrap();
}

#[test]
fn the_newest_whole_ones_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for step in [100, 200, 300, 400, 500] {
        saved(dir, id(step), 1, 1);
    }
    fs::write(dir.join("1-400-407.json"), "damaged").unwrap();
    assert_eq!(sweep(dir, 2, &[id(100), id(500)]).unwrap(), [id(200)]);
    assert_eq!(list(dir).unwrap(), [id(500), id(400), id(300), id(100)], "a damaged one is not counted, one in use is not touched");
    assert_eq!(sweep(dir, 0, &[]).unwrap(), [id(400), id(300), id(100)]);
    assert_eq!(names(dir).len(), 2);
}

#[test]
fn what_was_saved_after_the_sweep_was_asked_for_is_not_judged_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for step in [100, 200, 300, 400] {
        saved(dir, id(step), 1, 1);
    }
    // Asked for when 200 was the newest: it does not know that 300 is what is gone back to, and 400 never will be.
    assert_eq!(sweep(dir, 1, &[id(200)]).unwrap(), [id(100)]);
    assert_eq!(list(dir).unwrap(), [id(400), id(300), id(200)]);
}

#[test]
fn without_a_whole_one_nothing_goes() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), id(100), 1, 1);
    parts(dir.path(), id(50), 1, 1).unwrap();
    fs::write(dir.path().join("1-100-107.json"), "damaged").unwrap();
    assert_eq!(sweep(dir.path(), 1, &[]).unwrap(), []);
    assert_eq!(names(dir.path()).len(), 3);
    assert_eq!(sweep(&dir.path().join("none"), 1, &[]).unwrap(), []);
}

#[test]
fn leftovers_go_but_for_what_is_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    saved(dir, id(300), 1, 1);
    // Of an attempt that failed, of one that is under way all the same, and of later ones.
    for step in [100, 200, 400] {
        write_part(dir, id(step), 4, &heads(1, 0, 4)).unwrap();
    }
    fs::write(dir.join(".1-100-107.json.12-0.tmp"), "half").unwrap();
    fs::write(dir.join(".1-400-407.json.12-0.tmp"), "half").unwrap();
    // Of a try before the one that was committed.
    fs::write(dir.join(".1-300-307.ps-0.10.safetensors.12-0.tmp"), "half").unwrap();
    fs::write(dir.join(".profile"), "mine").unwrap();
    assert_eq!(sweep(dir, 1, &[id(200)]).unwrap(), []);
    let left = [
        ".1-400-407.json.12-0.tmp",
        ".profile",
        "1-200-207.ps-4.14.safetensors",
        "1-300-307.json",
        "1-300-307.ps-0.10.safetensors",
        "1-400-407.ps-4.14.safetensors",
    ];
    assert_eq!(names(dir), left);
}

#[test]
fn parts_of_a_damaged_manifest_stay_while_it_does() {
    let dir = tempfile::tempdir().unwrap();
    for step in [100, 200, 300] {
        saved(dir.path(), id(step), 1, 1);
    }
    fs::write(dir.path().join("1-200-207.json"), "damaged").unwrap();
    sweep(dir.path(), 2, &[]).unwrap();
    assert!(dir.path().join("1-200-207.ps-0.10.safetensors").exists());
}
