//! Data sets in a secured HDFS.

use super::client::{run, tfcoord};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const LARGE: usize = 96 << 20;

#[test]
fn a_data_set_is_put_whole() {
    let mut form = Form::new(Security::Privacy);
    (form.aes, form.block_size) = (true, 4 << 20);
    let Some(hadoop) = Hadoop::start(form) else { return };
    hadoop.kinit("alice");
    let dir = tempfile::tempdir().unwrap();
    let archive = packed(dir.path());
    println!("an archive");
    let put = |more: &[&str]| run(tfcoord(&hadoop, "alice", &[&["data", "put", &archive, "hdfs:///user/alice/sets/small"], more].concat()));
    let done = put(&["-o", "json"]);
    done.says(0, &[]);
    assert_eq!((done.json()["files"].as_u64(), done.json()["bytes"].as_u64()), (Some(2), Some(5_000_004)));
    let read = hadoop.dfs("alice", &["-cat", "/user/alice/sets/small/set/inner/b.csv"]);
    assert!(read.stdout == noise(), "{}", String::from_utf8_lossy(&read.stderr));
    println!("its list");
    let listed = run(tfcoord(&hadoop, "alice", &["data", "ls", "-r", "hdfs:///user/alice/sets", "-o", "json"])).json();
    let names: Vec<&str> = listed["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["small", "small/set", "small/set/a.csv", "small/set/inner", "small/set/inner/b.csv"]);
    assert_eq!((listed["files"].as_u64(), listed["bytes"].as_u64()), (Some(2), Some(5_000_004)));
    println!("again");
    put(&[]).says(2, &["/user/alice/sets/small exists already", "--replace"]);
    put(&["--replace"]).says(0, &[]);
    println!("what is wrong");
    fs::write(dir.path().join("bad.tgz"), &fs::read(&archive).unwrap()[..3000]).unwrap();
    let bad = dir.path().join("bad.tgz").display().to_string();
    run(tfcoord(&hadoop, "alice", &["data", "put", &bad, "hdfs:///user/alice/sets/bad"]))
        .says(2, &["bad.tgz: the archive is cut", "again"]);
    let names = run(tfcoord(&hadoop, "alice", &["data", "ls", "hdfs:///user/alice/sets", "-o", "json"])).json();
    assert_eq!(names["entries"].as_array().unwrap().len(), 1, "{names}");
    refusals(&hadoop, &archive);
    killed(&hadoop, dir.path());
    hadoop.command("kill-namenode 0");
    run(tfcoord(&hadoop, "alice", &["--patience", "1", "data", "ls", "hdfs:///user/alice"])).says(6, &["onnection refused", "NameNode"]);
}

// What packs badly: what packs well is taken for a bomb.
fn noise() -> Vec<u8> {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..5_000_000).map(|_| next()).collect()
}

fn packed(dir: &Path) -> String {
    fs::create_dir_all(dir.join("set/inner")).unwrap();
    fs::write(dir.join("set/a.csv"), "1,2\n").unwrap();
    fs::write(dir.join("set/inner/b.csv"), noise()).unwrap();
    let archive = dir.join("set.tgz").display().to_string();
    let packed = Command::new("tar").args(["-czf", &archive, "-C"]).arg(dir).arg("set").status().unwrap();
    assert!(packed.success());
    archive
}

fn refusals(hadoop: &Hadoop, archive: &str) {
    println!("bob");
    hadoop.kinit("bob");
    let bob = run(tfcoord(hadoop, "bob", &["data", "put", archive, "hdfs:///user/alice/sets/bobs"]));
    bob.says(4, &[" as bob@BED.TEST (NameNode localhost:", "permission denied: ", "user=bob", "help: ask the owner"]);
    run(tfcoord(hadoop, "bob", &["data", "ls", "hdfs:///user/alice"])).says(4, &["user=bob"]);
    println!("nobody");
    run(tfcoord(hadoop, "tfcoord", &["data", "ls", "hdfs:///"])).says(4, &["neither a ticket nor a token", "kinit"]);
    println!("nothing there");
    run(tfcoord(hadoop, "alice", &["data", "ls", "hdfs:///user/alice/none"])).says(1, &["it is not there", "help: check the path"]);
    println!("safe mode");
    hadoop.command("safemode enter");
    let safe = run(tfcoord(hadoop, "alice", &["--patience", "1", "data", "put", archive, "hdfs:///user/alice/sets/safe"]));
    safe.says(6, &["safe mode", "dfsadmin -safemode get"]);
    hadoop.command("safemode leave");
}

fn killed(hadoop: &Hadoop, dir: &Path) {
    println!("killed");
    let large = dir.join("large.bin");
    fs::write(&large, vec![7; LARGE]).unwrap();
    let words = ["data", "put", large.to_str().unwrap(), "hdfs:///user/alice/large"];
    let names = || {
        let listed = run(tfcoord(hadoop, "alice", &["data", "ls", "hdfs:///user/alice", "-o", "json"])).json();
        let names = listed["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let mut put = tfcoord(hadoop, "alice", &words).stdout(Stdio::null()).spawn().unwrap();
    wait_for(60, "the put has begun", || names().iter().any(|name| name.starts_with(".large.put-")).then_some(()));
    put.kill().unwrap();
    put.wait().unwrap();
    assert!(!names().contains(&"large".to_owned()), "{:?}", names());
    let again = run(tfcoord(hadoop, "alice", &words));
    again.says(0, &["note: ", ".large.put-", "was left by a put that was killed"]);
    assert_eq!(names(), ["large", "sets"]);
    println!("interrupted");
    let mut put = tfcoord(hadoop, "alice", &[&words[..3], &["hdfs:///user/alice/larger"]].concat()).spawn().unwrap();
    wait_for(60, "the put has begun", || names().iter().any(|name| name.starts_with(".larger.put-")).then_some(()));
    let signalled = Command::new("kill").args(["-INT", &put.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    assert_eq!(put.wait().unwrap().code(), Some(130));
    assert_eq!(names(), ["large", "sets"]);
}
