//! Replay = snapshot + tail, byte for byte.

use super::*;
use crate::leader::fixture;
use crate::log::FileLog;
use proptest::prelude::*;
use tfcoord_types::id::{Attempt, TaskId};

fn open(dir: &Path, snapshot_every: u64) -> (Journal, Cluster) {
    let log = FileLog::open(dir, 2000).unwrap();
    Journal::open(dir, Box::new(log), snapshot_every).unwrap()
}

fn all(_: &Cluster, _: Revision, _: &Command) -> Result<(), Denied> {
    Ok(())
}

// What may happen to two jobs, sensible or not.
fn command() -> impl Strategy<Value = Command> {
    let job = (1u64..4).prop_map(|number| tfcoord_types::id::JobId { name: "fashion".into(), number });
    prop_oneof![
        2 => (0u8..3).prop_map(|n| Command::SubmitJob {
            request_id: format!("request {n}"),
            file: Box::new(fixture::job_file()),
            manifest: fixture::summary(),
            resume: None,
        }),
        4 => (job.clone(), 0u32..3, 0u8..2).prop_map(|(job, task, nonce)| Command::RegisterTask {
            job,
            task: if task == 0 { TaskId::server(0) } else { TaskId::worker(task - 1) },
            attempt: Attempt(1),
            process: fixture::process(nonce),
        }),
        1 => job.clone().prop_map(|job| Command::CancelJob { job, reason: "enough".into() }),
        1 => job.prop_map(|job| Command::CollectTask { job, task: TaskId::worker(0), attempt: Attempt(1), exit: None }),
        1 => Just(Command::Tick {}),
        1 => Just(Command::TakeOffice { adopts: true }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_history_is_the_same_however_it_is_read(commands in proptest::collection::vec((command(), 0u64..90_000), 1..40), every in 1u64..12) {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (mut whole, mut state) = open(dirs[0].path(), u64::MAX);
        let (mut cut, mut cut_state) = open(dirs[1].path(), every);
        let mut at_ms = 1000;
        for (command, later) in commands {
            at_ms += later;
            let applied = whole.commit(&mut state, at_ms, vec![command.clone()], all).unwrap();
            prop_assert_eq!(cut.commit(&mut cut_state, at_ms, vec![command], all).unwrap(), applied);
        }
        drop((whole, cut));
        let expected = snapshot::save(&state);
        prop_assert_eq!(&snapshot::save(&open(dirs[0].path(), u64::MAX).1), &expected);
        prop_assert_eq!(&snapshot::save(&open(dirs[1].path(), every).1), &expected);
    }
}

#[test]
fn what_the_log_cannot_hold_is_refused_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, mut state) = open(dir.path(), u64::MAX);
    let job = tfcoord_types::id::JobId { name: "fashion".into(), number: 1 };
    let cancel = |bytes: usize| Command::CancelJob { job: job.clone(), reason: "x".repeat(bytes) };
    let applied = journal.commit(&mut state, 1, vec![Command::Tick {}, cancel(PAYLOAD_BYTES_MAX), Command::Tick {}], all).unwrap();
    let Outcome::Refused(refusal) = &applied[1].outcome else { panic!("{}", applied[1].outcome) };
    let text = refusal.to_string();
    assert!(text.contains("would be an entry of 335545") && text.contains("takes at most 33554432 bytes"), "{text}");
    assert_eq!((applied.len(), state.revision().0), (3, 2), "it has no entry");
    journal.commit(&mut state, 2, vec![cancel(10)], all).unwrap();
    drop(journal);
    assert_eq!(open(dir.path(), u64::MAX).1, state);
}

#[test]
fn a_damaged_snapshot_is_made_up_for_by_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, mut state) = open(dir.path(), 10);
    for at_ms in 0..35 {
        journal.commit(&mut state, at_ms, vec![Command::Tick {}], all).unwrap();
    }
    drop(journal);
    let snapshot_of = |index: u64| dir.path().join(format!("snapshot-{index:020}"));
    assert!(snapshot_of(20).exists() && !snapshot_of(10).exists());
    std::fs::write(snapshot_of(30), "damaged").unwrap();
    assert_eq!(open(dir.path(), 10).1, state);
}

#[test]
fn without_any_snapshot_a_purged_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = FileLog::open(dir.path(), 10).unwrap();
    let (mut journal, mut state) = Journal::open(dir.path(), Box::new(log), 5).unwrap();
    for at_ms in 0..30 {
        journal.commit(&mut state, at_ms, vec![Command::Tick {}], all).unwrap();
    }
    for index in [25, 30] {
        std::fs::remove_file(dir.path().join(format!("snapshot-{index:020}"))).unwrap();
    }
    let log = FileLog::open(dir.path(), 10).unwrap();
    let error = Journal::open(dir.path(), Box::new(log), 5).err().unwrap().to_string();
    assert!(error.contains("begins at entry 26"), "{error}");
}

#[test]
fn a_snapshot_outlives_a_torn_log() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, mut state) = open(dir.path(), 5);
    for at_ms in 0..5 {
        journal.commit(&mut state, at_ms, vec![Command::Tick {}], all).unwrap();
    }
    drop(journal);
    let segment = dir.path().join(format!("segment-{:020}", 1));
    let length = std::fs::metadata(&segment).unwrap().len();
    std::fs::File::options().write(true).open(&segment).unwrap().set_len(length - 3).unwrap();
    let (mut journal, mut again) = open(dir.path(), 5);
    assert_eq!(again, state);
    journal.commit(&mut again, 9, vec![Command::Tick {}], all).unwrap();
    assert_eq!(again.revision().0, 6);
}

#[test]
fn an_index_that_is_taken_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, mut state) = open(dir.path(), SNAPSHOT_EVERY);
    let refusal = || Refusal::Job { problem: "taken".into() };
    let free_from =
        |free: u64| move |_: &Cluster, index: Revision, _: &Command| if index.0 < free { Err(Denied::Here(refusal())) } else { Ok(()) };
    let applied = journal.commit(&mut state, 1, vec![Command::TakeOffice { adopts: true }], free_from(3)).unwrap();
    assert_eq!((applied.len(), state.revision()), (1, Revision(3)));
    // What is refused at all, or finds no free index, says so.
    let anywhere = |_: &Cluster, _: Revision, _: &Command| Err(Denied::Anywhere(refusal()));
    for applied in [
        journal.commit(&mut state, 2, vec![Command::Tick {}], anywhere),
        journal.commit(&mut state, 2, vec![Command::Tick {}], free_from(u64::MAX)),
    ] {
        assert_eq!(applied.unwrap()[0].outcome, Outcome::Refused(refusal()));
    }
    drop(journal);
    assert_eq!(open(dir.path(), SNAPSHOT_EVERY).1.revision(), state.revision(), "read again, it is the same");
}
