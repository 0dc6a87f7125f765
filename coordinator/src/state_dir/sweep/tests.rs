//! What stays and what goes.

use super::*;
use std::os::unix::net::UnixListener;
use tfcoord_types::job::Format;
use tfcoord_types::manifest::{DataFile, DataSet, Derived, Label};

fn manifest(path: &str) -> Manifest {
    let file = DataFile {
        path: path.into(),
        labels: Some(format!("{path}-labels")),
        length: 7,
        modified_ns: 8,
        labels_length: 9,
        labels_modified_ns: 10,
        records: 1,
    };
    Manifest {
        format: Format::Idx,
        train: DataSet { files: vec![file], first: 0, records: 1 },
        eval: None,
        input: vec![1, 2, 2],
        label: Label::Number,
        columns: vec![],
        scale: 1.0,
        label_column: None,
        missing: vec![],
    }
}

fn unpacked(path: &str) -> String {
    Derived::Unpacked.name(path.as_bytes(), 7, 8)
}

struct Place {
    dir: tempfile::TempDir,
    state: StateDir,
    wanted: Wanted,
}

impl Place {
    /// Three jobs: a-1 in use, b-2 for people, c-3 forgotten; each with all that a job leaves.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path()).unwrap();
        let mut wanted = Wanted::default();
        for (job, kept) in [("a-1", Some(Kept::InUse)), ("b-2", Some(Kept::ForPeople)), ("c-3", None)] {
            let digest = state.keep_manifest(&manifest(&format!("/d/{job}"))).unwrap();
            let number = &job[2..];
            let log = dir.path().join("jobs").join(job).join("tasks/ps-0/1");
            fs::create_dir_all(&log).unwrap();
            fs::write(log.join("log"), "hello").unwrap();
            fs::write(dir.path().join("jobs").join(job).join("token"), "t").unwrap();
            // Left as after kill -9: nobody listens any more.
            drop(UnixListener::bind(dir.path().join(format!("{number}-ps-0-1.sock"))).unwrap());
            let name = unpacked(&format!("/d/{job}"));
            fs::write(state.scratch().join(format!(".{name}.77-0.tmp")), "half").unwrap();
            fs::write(state.scratch().join(name), "plain").unwrap();
            if let Some(kept) = kept {
                wanted.jobs.insert(job.parse().unwrap(), kept);
                wanted.manifests.insert(digest, kept);
            }
        }
        fs::create_dir(state.scratch().join("prepare-xyz")).unwrap();
        for other in ["jobs/applications-2026/letter.txt", "manifests/notes.json", "scratch/notes.txt"] {
            let path = dir.path().join(other);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "of somebody").unwrap();
        }
        drop(UnixListener::bind(dir.path().join("coordinator.sock")).unwrap());
        fs::write(dir.path().join("3-notes.sock"), "no socket").unwrap();
        Self { dir, state, wanted }
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(self.dir.path().join(dir)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn what_jobs_in_use_need_stays_and_of_the_others_what_people_may_ask_for() {
    let place = Place::new();
    assert!(place.state.sweep(&place.wanted));
    assert_eq!(place.names("jobs"), ["a-1", "applications-2026", "b-2"]);
    assert_eq!((place.names("jobs/a-1"), place.names("jobs/b-2")), (vec!["tasks".into(), "token".into()], vec!["tasks".into()]));
    assert!(place.dir.path().join("jobs/b-2/tasks/ps-0/1/log").exists());
    let root = ["1-ps-0-1.sock", "3-notes.sock", "coordinator.sock", "jobs", "log", "manifests", "scratch"];
    assert_eq!(place.names(""), root);
    assert_eq!(place.names("manifests").len(), 3);
    let name = unpacked("/d/a-1");
    assert_eq!(place.names("scratch"), [format!(".{name}.77-0.tmp"), "notes.txt".into(), name]);
}

#[tokio::test]
async fn what_is_claimed_stays_until_the_claim_is_dropped() {
    let place = Place::new();
    let claim = place.state.claim().await;
    assert!(!place.state.sweep(&place.wanted));
    assert_eq!((place.names("manifests").len(), place.names("scratch").len(), place.names("jobs").len()), (4, 8, 3));
    drop(claim);
    assert!(place.state.sweep(&place.wanted));
    assert_eq!(place.names("scratch").len(), 3);
}

#[test]
fn where_a_manifest_cannot_be_read_unpacked_data_stay() {
    let mut place = Place::new();
    place.wanted.manifests.insert("ab".into(), Kept::InUse);
    place.state.sweep(&place.wanted);
    assert_eq!(place.names("scratch").len(), 8);
}
