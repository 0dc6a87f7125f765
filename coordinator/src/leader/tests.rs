//! What the leader does when its log fails.

use super::fixture::{FakeLauncher, job_file, summary};
use super::*;
use crate::log::{Entry, Error, FileLog, Log, SEGMENT_BYTES, Vote};
use std::ops::Range;

/// A log on a disk that breaks.
struct Breaking {
    log: FileLog,
    appends_left: u32,
}

impl Log for Breaking {
    fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        self.appends_left = self.appends_left.checked_sub(1).ok_or(Error::Poisoned)?;
        self.log.append(entries)
    }

    fn truncate_after(&mut self, index: u64) -> Result<(), Error> {
        self.log.truncate_after(index)
    }

    fn purge_before(&mut self, index: u64) -> Result<(), Error> {
        self.log.purge_before(index)
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, Error> {
        self.log.read(range)
    }

    fn range(&self) -> Range<u64> {
        self.log.range()
    }

    fn save_vote(&mut self, vote: &Vote) -> Result<(), Error> {
        self.log.save_vote(vote)
    }

    fn read_vote(&self) -> Result<Option<Vote>, Error> {
        self.log.read_vote()
    }
}

#[tokio::test]
async fn what_is_not_durable_is_not_answered_and_the_leader_ends() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path()).unwrap();
    let log = Breaking { log: FileLog::open(&state.log(), SEGMENT_BYTES).unwrap(), appends_left: 2 };
    let (journal, cluster) = Journal::open(&state.log(), Box::new(log), SNAPSHOT_EVERY).unwrap();
    let fake = Arc::new(FakeLauncher::default());
    let lock = Arc::new(tfcoord_fs::lock(&state.lock()).unwrap());
    let outputs = Outputs::new(&state).unwrap();
    let parts = Parts {
        journal,
        cluster,
        state: state.clone(),
        outputs,
        errands: crate::errand::Errands::of_this_program(&state),
        lock,
        keeper: crate::tokens::Keeper::nobody(),
        ended_jobs_kept: 100,
    };
    let (leader, _) = Leader::start(parts, |_| Ok::<_, std::io::Error>(fake.clone() as Arc<dyn Launcher>)).unwrap();
    let submit = async |request: &str| {
        let (request_id, file_name, claim) = (request.to_owned(), String::new(), state.claim().await);
        let mut file = Box::new(job_file());
        file.output.dir = dir.path().to_str().unwrap().into();
        let submit =
            |reply| Request::Submit { request_id, file, file_name, manifest: summary(), resume: None, claim, submission: None, reply };
        leader.handle().ask(submit).await
    };
    assert_eq!(submit("one").await.unwrap().unwrap().0.to_string(), "fashion-2");
    let Err(Gone::Failed(words)) = submit("two").await else { panic!("nobody says why") };
    assert!(words.starts_with("the log failed: ") && words.contains("see that the disk"), "{words}");
    assert_eq!(submit("three").await, Err(Gone::Failed(words)), "also to who asks later");
    assert!(matches!(leader.join(), Err(super::Error::Log(Error::Poisoned))));
    assert_eq!(fake.running().len(), 3, "only the first job was launched");
    assert!(dir.path().join("fashion-2").exists() && !dir.path().join("fashion-3").exists(), "nor has the other one a folder");
}
