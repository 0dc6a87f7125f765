//! From the first byte to the last one that is removed.

use super::fixture::{begun, directory, finished, id, names, parts, restored, saved, systems};
use tfcoord_checkpoint::{Error, Manifest, commit, find, list, read, remove, sweep, verify_lengths};
use tfcoord_fs::hdfs::Limits;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn it_is_written_committed_read_and_removed() {
    let mut form = Form::new(Security::Simple);
    form.block_size = 1 << 20;
    let Some(hadoop) = Hadoop::start(form) else { return };
    let systems = systems(&hadoop, "alice", Limits::default());

    println!("life");
    let dir = directory(&hadoop, &systems, "life/of/one");
    assert_eq!(list(&dir).unwrap(), []);
    let manifest = parts(&dir, id(100)).unwrap();
    assert_eq!(list(&dir).unwrap(), []);
    commit(&dir, &manifest).unwrap();
    commit(&dir, &Manifest { saved_at_ms: 5, ..manifest.clone() }).unwrap();
    assert_eq!(read(&dir, id(100)).unwrap(), manifest);
    verify_lengths(&dir, &manifest).unwrap();
    restored(&dir, &manifest).unwrap();
    assert_eq!(names(&systems, &dir), ["1-100-107.json", "1-100-107.ps-0.10.safetensors", "1-100-107.ps-1.11.safetensors"]);

    println!("zombies");
    let other = Manifest { kernel_path: "another".into(), ..manifest.clone() };
    assert!(matches!(commit(&dir, &other), Err(Error::Conflict { .. })));
    let scratch = tempfile::tempdir().unwrap();
    let again = finished(begun(&dir, scratch.path(), id(100), 0).unwrap(), id(100), 0);
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
    assert_eq!(read(&dir, id(100)).unwrap(), manifest, "the first one stays");
    restored(&dir, &manifest).unwrap();
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "what is gathered has no name");
    let won: usize = std::thread::scope(|scope| {
        let manifest = parts(&dir, id(150)).unwrap();
        let racer = |number: u64| Manifest { kernel_path: format!("path {number}"), ..manifest.clone() };
        let racers: Vec<_> = (0..4)
            .map(racer)
            .map(|manifest| {
                scope.spawn(|| {
                    let manifest = manifest;
                    commit(&dir, &manifest).is_ok()
                })
            })
            .collect();
        racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
    });
    assert_eq!(won, 1);

    println!("sweep");
    saved(&dir, id(200));
    assert_eq!(find(&dir).unwrap().whole.len(), 3);
    assert_eq!(sweep(&dir, 2, &[]).unwrap(), [id(100)]);
    parts(&dir, id(170)).unwrap();
    sweep(&dir, 1, &[]).unwrap();
    assert_eq!(names(&systems, &dir), ["1-200-207.json", "1-200-207.ps-0.10.safetensors", "1-200-207.ps-1.11.safetensors"]);
    remove(&dir, id(200)).unwrap();
    remove(&dir, id(200)).unwrap();
    assert!(names(&systems, &dir).is_empty());
}
