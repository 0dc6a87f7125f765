//! What happens to a running HDFS while a checkpoint is written.

use super::fixture::{begun, directory, finished, id, manifest, names, parts, restored, saved, systems};
use std::io::Read;
use std::time::Duration;
use tfcoord_checkpoint::{Directory, Kind, PartName, PartWriter, TensorHead, commit, find};
use tfcoord_fs::hdfs::Limits;
use tfcoord_fs::storage::FileSystem;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_types::id::Incarnation;

#[test]
fn a_datanode_dies_and_hdfs_refuses() {
    let mut form = Form::new(Security::Simple);
    form.block_size = 1 << 20;
    let Some(hadoop) = Hadoop::start(form) else { return };
    let systems_of_alice = systems(&hadoop, "alice", Limits::default());
    let dir = directory(&hadoop, &systems_of_alice, "faults");
    saved(&dir, id(100));

    println!("refusals");
    refused(&hadoop, &dir);

    println!("a DataNode dies before a part goes out");
    let scratch = tempfile::tempdir().unwrap();
    let one = begun(&dir, scratch.path(), id(200), 0).unwrap();
    hadoop.command("kill-datanode 1");
    let one = finished(one, id(200), 0).unwrap_or_else(|error| panic!("{error}"));
    let two = finished(begun(&dir, scratch.path(), id(200), 1).unwrap(), id(200), 1).unwrap_or_else(|error| panic!("{error}"));
    let whole = manifest(id(200), vec![one, two]);
    commit(&dir, &whole).unwrap_or_else(|error| panic!("{error}"));
    restored(&dir, &whole).unwrap();
    assert_eq!(find(&dir).unwrap().whole.len(), 2);
    hadoop.command("restart-datanode 1");

    println!("a DataNode dies while a part goes out");
    let bytes: Vec<u8> = (0u32..4 << 20).flat_map(u32::to_le_bytes).collect();
    let head = TensorHead { slab: 0, kind: Kind::Values, offset: 0, bytes: bytes.len() as u64 };
    let name = PartName { id: id(300), slot: 0, incarnation: Incarnation(10) };
    let mut part = PartWriter::begin(&dir, scratch.path(), name, &[head]).unwrap();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    part.write(0, first).unwrap();
    let is_going_out = || names(&systems_of_alice, &dir).iter().any(|name| name.ends_with(".tmp"));
    wait_for(60, "the part's beginning in HDFS", || is_going_out().then_some(()));
    hadoop.command("kill-datanode 2");
    part.write(0, second).unwrap();
    part.finish().unwrap_or_else(|error| panic!("{error}"));
    let system: std::sync::Arc<dyn FileSystem> = systems_of_alice.get(dir.at()).unwrap();
    let mut read = Vec::new();
    system.open(&dir.at().join(&name.to_string())).unwrap().stream(0..u64::MAX).unwrap().read_to_end(&mut read).unwrap();
    assert!(read.ends_with(&bytes), "{} bytes", read.len());
    wait_for(60, "what was begun is gone", || (!is_going_out()).then_some(()));
}

// Each is said with place, user, NameNode and remedy, and what was there stays.
fn refused(hadoop: &Hadoop, dir: &Directory) {
    let limits = Limits { safe_mode: Duration::from_millis(600), ..Limits::default() };
    let said = |user: &str| {
        let systems = systems(hadoop, user, limits);
        parts(&directory(hadoop, &systems, "faults"), id(150)).unwrap_err().to_string()
    };
    let check = |user: &str, whats: &[&str]| {
        let said = said(user);
        let through = format!(" as {user} (NameNode localhost:{}", hadoop.rpc_port(0));
        assert!(said.contains(&dir.at().to_string()) && said.contains(&through), "{said}");
        whats.iter().for_each(|what| assert!(said.contains(what), "{said}"));
    };
    check("bob", &["permission denied: ", "user=bob", "act as a user who has it"]);
    hadoop.command(&format!("set-quota /user/alice/faults {}", 8 << 20));
    check("alice", &["a quota is used up: ", "hdfs dfsadmin -setSpaceQuota"]);
    hadoop.command("set-quota /user/alice/faults -1");
    hadoop.command("safemode enter");
    check("alice", &["the NameNode is in safe mode", "dfsadmin -safemode get"]);
    hadoop.command("safemode leave");
    assert_eq!(find(dir).unwrap().whole.len(), 1);
}
