//! Starting the embedded coordinator, and starting it again.

use super::fake::{self, Fake};
use super::process::{Home, Running, run, write_secret};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tfcoord_proto::v1::JobState;

// A coordinator that notes how it was started and says what the test writes into its pipe.
fn home() -> Home {
    let home = Home::new();
    let pipe = home.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    home.program("tfcoord-coordinator", &format!("echo \"$@\" >> {}\nhead -n 1 {}", home.path("starts").display(), pipe.display()));
    home
}

// Waits for the coordinator to be started, listens in its place, and says so.
fn serve(home: &Home, shared: Option<Arc<fake::Shared>>) -> Fake {
    let mut pipe = std::fs::File::options().write(true).open(home.path("pipe")).unwrap();
    let fake = match shared {
        Some(shared) => Fake::go_on(&home.socket(), shared),
        None => home.fake(),
    };
    write_secret(&home.path("state/token"), fake::TOKEN);
    std::fs::write(home.path("state/endpoint"), format!("unix:{}\n", home.socket().display())).unwrap();
    std::io::Write::write_all(&mut pipe, format!("ready unix:{}\n", home.socket().display()).as_bytes()).unwrap();
    fake
}

fn starts(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path("starts")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn it_is_started_once_and_found_again() {
    let home = home();
    let client = Running::start(home.embedded(&["list"]));
    let _fake = serve(&home, None);
    let ended = client.end();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("fashion-mnist-7"), "{}", ended.out);
    assert_eq!(run(home.embedded(&["status", "fashion-mnist-7"])).code, 0);
    assert_eq!(starts(&home), [format!("--embedded --state-dir {}", home.path("state").display())]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(home.path("state")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn one_that_died_is_started_again_and_tells_the_jobs_end() {
    let home = home();
    let client = Running::start(home.embedded(&["submit", "job.json"]));
    let fake = serve(&home, None);
    client.out.wait_for("2 workers");
    let shared = fake.shared.clone();
    drop(fake);
    std::fs::remove_file(home.socket()).unwrap();
    let mut fake = serve(&home, Some(shared.clone()));
    let said = "the coordinator was gone and is started again, fashion-mnist-7 goes on\n";
    client.out.wait_for(said);
    // Again, and the one that is started then is killed before it answers.
    drop(fake);
    std::fs::remove_file(home.socket()).unwrap();
    drop(serve(&home, Some(shared.clone())));
    std::fs::remove_file(home.socket()).unwrap();
    shared.change(|job| fake::end(job, JobState::Failed, "a worker died"));
    fake = serve(&home, Some(shared));
    let ended = client.end();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("failed: a worker died"), "{}", ended.err);
    assert!(starts(&home).len() >= 4 && ended.out.matches(said).count() >= 2, "{}", ended.out);
    drop(fake);
}

#[test]
fn one_that_does_not_start_exits_5_with_what_it_said() {
    let home = home();
    let note = format!("echo start >> {}\n", home.path("starts").display());
    for (script, text, at_once) in [
        ("echo 'error the log is damaged'", "the embedded coordinator did not start: the log is damaged\n  help: its log is ", true),
        ("echo hello", "the embedded coordinator did not start: it said \"hello\"", true),
        ("echo 'not-now no room: make some'", "the embedded coordinator did not start: no room: make some\n  help: its log is ", false),
        ("kill -9 $$", "the embedded coordinator did not start: it ended without a word", false),
    ] {
        let _none_yet = std::fs::remove_file(home.path("starts"));
        home.program("tfcoord-coordinator", &(note.clone() + script));
        let ended = run(home.embedded(&["list", "--patience", "0.5"]));
        assert_eq!(ended.code, 5, "{}", ended.err);
        assert!(ended.err.contains(text), "{}", ended.err);
        assert!((starts(&home).len() == 1) == at_once, "{script}: {} starts", starts(&home).len());
    }
}

#[test]
fn one_that_is_killed_or_has_no_room_at_first_is_started_again() {
    let home = home();
    let (count, pipe) = (home.path("starts"), home.path("pipe"));
    let script = format!(
        "echo \"$@\" >> {0}\ncase $(wc -l < {0}) in 1) kill -9 $$;; 2) echo 'not-now no space left on device';; *) head -n 1 {1};; esac",
        count.display(),
        pipe.display()
    );
    home.program("tfcoord-coordinator", &script);
    let client = Running::start(home.embedded(&["list"]));
    let _fake = serve(&home, None);
    let ended = client.end();
    assert!(ended.code == 0 && ended.out.contains("fashion-mnist-7"), "{}{}", ended.out, ended.err);
    assert_eq!(starts(&home).len(), 3);
}

#[test]
fn one_that_is_stopped_is_waited_for_as_long_as_patience_says() {
    let home = home();
    // As of one that is stopped: it can be connected to, and nothing comes back.
    let _stopped = std::os::unix::net::UnixListener::bind(home.socket()).unwrap();
    std::fs::create_dir(home.path("state")).unwrap();
    write_secret(&home.path("state/token"), fake::TOKEN);
    std::fs::write(home.path("state/endpoint"), format!("unix:{}\n", home.socket().display())).unwrap();
    for verb in [&["list"][..], &["status", "fashion-mnist-7"], &["submit", "job.json"], &["logs", "fashion-mnist-7"]] {
        let arguments = [verb, &["--patience", "1"]].concat();
        let ended = Running::start(home.embedded(&arguments)).end_within(Duration::from_secs(10));
        assert_eq!(ended.code, 6, "{}", ended.err);
        assert!(ended.err.contains("does not answer: it takes connections and says nothing, as if it was stopped"), "{}", ended.err);
    }
}

#[test]
fn a_long_log_is_put_aside() {
    let home = home();
    home.program("tfcoord-coordinator", "echo panic >&2; exit 101");
    std::fs::create_dir(home.path("state")).unwrap();
    for (bytes, aside) in [(16 << 20, false), ((16 << 20) + 1, true)] {
        let log = std::fs::File::create(home.path("state/coordinator.log")).unwrap();
        log.set_len(bytes).unwrap();
        run(home.embedded(&["list", "--patience", "0"]));
        let length = |name: &str| std::fs::metadata(home.path(name)).map(|log| log.len()).ok();
        assert_eq!(length("state/coordinator.log"), Some(if aside { 6 } else { bytes + 6 }));
        assert_eq!(length("state/coordinator.log.1"), aside.then_some(bytes));
    }
}

#[test]
fn a_state_directory_that_cannot_be_made_has_no_log() {
    let home = Home::new();
    home.program("tfcoord-coordinator", "exit 1");
    std::fs::write(home.path("state"), "").unwrap();
    let ended = run(home.embedded(&["list"]));
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("TFCOORD_STATE_DIR names another one") && !ended.err.contains("coordinator.log"), "{}", ended.err);
}

#[test]
fn one_that_does_not_answer_is_not_started_again_and_again() {
    let home = home();
    home.program("tfcoord-coordinator", &format!("echo start >> {}; echo ready unix:/nowhere", home.path("starts").display()));
    let ended = run(home.embedded(&["list", "--patience", "0.3"]));
    assert_eq!(ended.code, 6, "{}", ended.err);
    assert!(ended.err.contains("the embedded coordinator does not answer: "), "{}", ended.err);
    assert_eq!(starts(&home), ["start"]);
}

#[test]
fn a_missing_program_is_named() {
    let home = Home::new();
    let ended = run(home.embedded(&["list"]));
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("bin/tfcoord-coordinator is not there\n  help: "), "{}", ended.err);
}
