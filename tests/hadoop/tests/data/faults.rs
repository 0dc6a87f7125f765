//! What happens to HDFS, or to the scratch disk, while records are read.

use super::set::{Place, RECORDS, copy, home, order, start, systems, write};
use serde_json::{Value, json};
use tempfile::TempDir;
use tfcoord_data::{Files, Reader, RecordBatch};
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_testkit::hadoop::Hadoop;
use tfcoord_testkit::tmpfs::Tmpfs;

const PIECE: u64 = 4 << 20;

fn pictures(root: &str) -> Value {
    json!({"format": "idx", "train": {"images": format!("{root}/images/a"), "labels": format!("{root}/labels/a")}})
}

// Data here and there, and what the records are.
fn prepared(hadoop: &Hadoop, name: &str) -> (Location, RecordBatch) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let there = home(hadoop, name);
    copy(hadoop, dir.path(), &there);
    let here = Place::of(FileSystems::of_environment());
    let manifest = here.prepare(&pictures(&dir.path().display().to_string())).unwrap();
    (there, here.read(&manifest))
}

// Reads all records in the order of `Place::read`; calls `between` after each of twenty parts.
fn read(reader: &mut Reader, mut between: impl FnMut(usize)) -> Result<RecordBatch, String> {
    let (mut all, mut batch) = (RecordBatch::default(), RecordBatch::default());
    for (part, records) in order(reader.records()).chunks(RECORDS as usize / 20).enumerate() {
        for step in records.chunks(64) {
            reader.read(step, &mut batch).map_err(|error| error.to_string())?;
            all.features.extend(&batch.features);
            all.classes.extend(&batch.classes);
            all.indices.extend(&batch.indices);
        }
        between(part);
    }
    Ok(all)
}

#[test]
fn datanodes_die_and_nobody_notices() {
    let Some(hadoop) = start(false) else { return };
    let (root, expected) = prepared(&hadoop, "datanodes");
    // So that pieces are fetched again and again.
    let place = Place::narrow(systems(&hadoop, "alice"), PIECE);
    let manifest = place.prepare(&pictures(&root.to_string())).unwrap();
    let records = read(&mut place.train(&manifest), |part| match part {
        2 => drop(hadoop.command("kill-datanode 0")),
        8 => drop((hadoop.command("restart-datanode 0"), hadoop.command("kill-datanode 1"))),
        14 => drop((hadoop.command("restart-datanode 1"), hadoop.command("kill-datanode 2"))),
        _ => {}
    });
    assert!(records.unwrap() == expected);
}

#[test]
fn the_namenode_changes_and_safe_mode_does_not_matter() {
    let Some(hadoop) = start(true) else { return };
    let (root, expected) = prepared(&hadoop, "namenode");
    let place = Place::narrow(systems(&hadoop, "alice"), PIECE);
    hadoop.command("safemode enter");
    let manifest = place.prepare(&pictures(&root.to_string())).unwrap();
    let records = read(&mut place.train(&manifest), |part| match part {
        3 => drop(hadoop.command("safemode leave")),
        5 => drop(hadoop.command("fail-over")),
        10 => drop(hadoop.command("fail-over")),
        _ => {}
    });
    assert!(records.unwrap() == expected);
    hadoop.command("fail-over");
    assert_eq!(place.prepare(&pictures(&root.to_string())).unwrap(), manifest, "also for whoever looks again");
}

#[test]
fn a_small_scratch_disk_is_enough_and_a_full_one_is_named() {
    let Some(hadoop) = start(false) else { return };
    let (root, expected) = prepared(&hadoop, "scratch");
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = Tmpfs::new(&dir.path().join("scratch"), 6 << 20) else { return };
    let new = |dir: TempDir| Place { files: Files::new(systems(&hadoop, "alice"), dir.path().join("scratch").as_path()), dir };
    let anew = |Place { dir, files }: Place| {
        drop(files);
        new(dir)
    };
    let place = new(dir);
    let manifest = place.prepare(&pictures(&root.to_string())).unwrap();
    assert!(read(&mut place.train(&manifest), |_| {}).unwrap() == expected, "nine megabytes through room for four");

    let place = anew(place);
    disk.fill();
    let error = read(&mut place.train(&manifest), |_| {}).unwrap_err();
    let scratch = place.dir.path().join("scratch").display().to_string();
    assert!(error.starts_with(&format!("cannot write {scratch}: ")), "{error}");
    assert!(error.contains("\n  help: free space on that disk: unpacked and fetched data"), "{error}");

    disk.make_room();
    let place = anew(place);
    assert!(read(&mut place.train(&manifest), |_| {}).unwrap() == expected);
    // Before its directory.
    drop(disk);
}
