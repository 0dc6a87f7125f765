//! A process that saves a second checkpoint dies at every fault point on its way: what is there afterwards is whole, and the
//! next attempt succeeds. The test runs this very program again with a plan.

use super::fixture::{directory, id, names, parts, restored, saved, systems};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use tfcoord_checkpoint::{Directory, commit, find, sweep};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::Limits;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const DIR: &str = "CHECKPOINT_DIR";
// They are of this machine's disks.
const NOT_HERE: [&str; 2] = ["checkpoint.manifest.sync", "checkpoint.manifest.synced"];

/// Saves the checkpoint of step 200, and keeps no other.
#[test]
#[ignore = "what the other test runs"]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Directory::open(&FileSystems::of_environment(), &dir).unwrap_or_else(|error| panic!("{error}"));
    let outcome = parts(&dir, id(200)).and_then(|manifest| commit(&dir, &manifest));
    println!("outcome: {}", outcome.as_ref().map_or_else(ToString::to_string, |()| "saved".to_owned()));
    if outcome.is_ok() {
        sweep(&dir, 1, &[]).unwrap();
    }
}

fn run(hadoop: &Hadoop, dir: &Directory, plan: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["checkpoints::kills::child", "--exact", "--ignored", "--nocapture"]).env(DIR, dir.at().to_string());
    command.env("TFCOORD_FAULT", plan).envs(hadoop.environment("alice")).output().unwrap()
}

fn points() -> impl Iterator<Item = &'static str> {
    let names = tfcoord_fault::POINTS.iter().map(|point| point.name);
    names.filter(|name| (name.starts_with("checkpoint.") || name.starts_with("hdfs.")) && !NOT_HERE.contains(name))
}

// All that is listed is whole, and has its bytes. Which is the newest?
fn newest(dir: &Directory, what: &str) -> u64 {
    let found = find(dir).unwrap();
    assert!(found.passed_over.is_empty(), "{what}: {:?}", found.passed_over);
    for manifest in &found.whole {
        restored(dir, manifest).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    found.whole.first().unwrap_or_else(|| panic!("{what}: nothing is left")).id.step
}

#[test]
fn a_death_anywhere_leaves_a_whole_checkpoint() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };
    let systems = systems(&hadoop, "alice", Limits::default());
    let committed =
        ["checkpoint.manifest.renamed", "checkpoint.manifest.dir_synced", "checkpoint.remove.manifest", "checkpoint.remove.parts"];
    let mut kills = 0;
    for point in points() {
        // In HDFS there are three files: two parts, and the manifest.
        let hits = if point.starts_with("hdfs.") { 1..=3 } else { 1..=2 };
        for hit in hits {
            let what = format!("{point}=kill@{hit}");
            let dir = directory(&hadoop, &systems, &format!("kills/{point}-{hit}"));
            saved(&dir, id(100));
            let output = run(&hadoop, &dir, &what);
            let killed = output.status.signal() == Some(9);
            assert!(killed || (hit > 1 && output.status.success()), "{what}: {output:?}");
            kills += u32::from(killed);
            let newer = !killed || committed.contains(&point) || (point, hit) == ("hdfs.renamed", 3);
            assert_eq!(newest(&dir, &what), if newer { 200 } else { 100 }, "{what}");
            let mut next = id(200);
            next.generation.0 += 1;
            saved(&dir, next);
            sweep(&dir, 1, &[]).unwrap();
            let left = ["2-200-207.json", "2-200-207.ps-0.10.safetensors", "2-200-207.ps-1.11.safetensors"];
            assert_eq!(names(&systems, &dir), left, "{what}");
        }
    }
    assert!(kills >= 25, "{kills} deaths");
}
