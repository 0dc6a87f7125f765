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
fn a_good_file_is_fine() {
    let home = Home::new();
    let ended = run(home.embedded(&["validate", "job.json"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.ends_with("job.json: fine, fashion-mnist would train for 10 epochs with 2 workers\n"), "{}", ended.out);
}
