//! A bad job file is told before anything is started.

use super::process::{Home, JOB_FILE, run};

#[test]
fn problems_have_places_and_nothing_is_started() {
    let home = Home::new();
    std::fs::write(home.path("job.json"), JOB_FILE.replace("\"epochs\": 10", "\"epochs\": 0")).unwrap();
    home.program("tfcoord-coordinator", "touch \"$(dirname \"$0\")/started\"");
    for verb in ["submit", "validate"] {
        let ended = run(home.embedded(&[verb, "job.json"]));
        assert_eq!(ended.code, 2, "{}", ended.err);
        assert!(
            ended.err.starts_with("error: job.json:5:32: train.epochs: there is nothing to train\n  help: use at least 1"),
            "{}",
            ended.err
        );
        assert_eq!(ended.out, "");
    }
    assert!(!home.path("bin/started").exists() && !home.path("state").exists());
}

#[test]
fn a_missing_file_is_named() {
    let home = Home::new();
    let ended = run(home.embedded(&["submit", "other.json"]));
    assert_eq!((ended.code, ended.err.as_str()), (2, "error: other.json: there is no such file\n"));
}

#[test]
fn one_is_not_several() {
    let home = Home::new();
    let job = JOB_FILE.replace("\"epochs\": 10", "\"epochs\": 1").replace("\"output\"", "\"worker\": {\"count\": 1}, \"output\"");
    std::fs::write(home.path("job.json"), job).unwrap();
    let ended = run(home.embedded(&["validate", "job.json"]));
    assert!(ended.out.ends_with("fashion-mnist would train for 1 epoch with 1 worker\n"), "{}{}", ended.out, ended.err);
}

#[test]
fn what_the_coordinator_refuses_has_its_place() {
    let home = Home::new();
    let fake = home.fake();
    fake.shared.refusals.lock().unwrap().push(tonic::Status::invalid_argument("data.train.files: a.csv is not there\n  help: check it"));
    let ended = run(home.standing(&["submit", "job.json"]));
    let expected = "error: job.json:4:39: data.train.files: a.csv is not there\n  help: check it\n";
    assert_eq!((ended.code, ended.err.as_str()), (2, expected));
}

#[test]
fn a_good_file_is_fine() {
    let home = Home::new();
    let ended = run(home.embedded(&["validate", "job.json"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.ends_with("job.json: fine, fashion-mnist would train for 10 epochs with 2 workers\n"), "{}", ended.out);
}
