//! Faults as processes suffer them: each test runs this very program again with a plan.
#![allow(clippy::unwrap_used)]

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Passes two points five times, and says how often the second one failed and with what.
#[test]
#[ignore = "what the other tests run"]
fn child() {
    for round in 1..=5 {
        tfcoord_fault::point!("log.append.written");
        let outcome = tfcoord_fault::io!("log.append.sync").map_err(|error| error.raw_os_error());
        println!("round {round}: {outcome:?}");
    }
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--nocapture"]).envs(variables.iter().copied());
    command
}

fn run(variables: &[(&str, &str)]) -> Output {
    command(variables).output().unwrap()
}

fn rounds(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    // The harness may have begun a line.
    text.lines().filter_map(|line| Some(line.split_once("round ")?.1.to_owned())).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn without_a_plan_nothing_happens() {
    let output = run(&[]);
    assert!(output.status.success());
    assert_eq!(rounds(&output), ["1: Ok(())", "2: Ok(())", "3: Ok(())", "4: Ok(())", "5: Ok(())"]);
}

#[test]
fn a_process_is_killed_at_the_hit_that_is_planned() {
    let output = run(&[("TFCOORD_FAULT", "log.append.written=kill@3")]);
    assert_eq!(output.status.signal(), Some(9), "{output:?}");
    assert_eq!(rounds(&output), ["1: Ok(())", "2: Ok(())"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("fault point log.append.written, hit 3: SIGKILL"), "{output:?}");
}

#[test]
fn an_operation_fails_with_the_error_that_is_planned() {
    let output = run(&[("TFCOORD_FAULT", "log.append.sync=eio@2,log.append.sync=enospc@4+,log.append.written=delay:1ms")]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(rounds(&output), ["1: Ok(())", "2: Err(Some(5))", "3: Ok(())", "4: Err(Some(28))", "5: Err(Some(28))"]);
}

#[test]
fn a_process_stops_until_it_is_told_to_go_on() {
    let child = command(&[("TFCOORD_FAULT", "log.append.written=stop@2")]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let status = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT).unwrap().unwrap();
    assert!(status.stopped());
    kill_process(pid, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(rounds(&output).len(), 5);
}

#[test]
fn nonsense_ends_the_process_with_code_2() {
    let output = run(&[("TFCOORD_FAULT", "log.append.sunk=kill")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"log.append.sunk\" is no fault point"), "{output:?}");
    let output = run(&[("TFCOORD_FAULT_HITS", "/nowhere/hits")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("TFCOORD_FAULT_HITS: cannot make /nowhere/hits"), "{output:?}");
}

#[test]
fn each_process_notes_what_it_reached() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hits");
    let hits = ("TFCOORD_FAULT_HITS", text(&file));
    assert!(run(&[hits]).status.success());
    assert_eq!(run(&[hits, ("TFCOORD_FAULT", "log.append.written=kill")]).status.signal(), Some(9));
    let text = std::fs::read_to_string(&file).unwrap();
    let (names, pids): (Vec<&str>, Vec<u32>) =
        text.lines().map(|line| line.split_once(' ').unwrap()).map(|(n, p)| (n, p.parse::<u32>().unwrap())).unzip();
    assert_eq!(names, ["log.append.written", "log.append.sync", "log.append.written"], "the last one before it was killed");
    assert!(pids[0] == pids[1] && pids[1] != pids[2]);
}

#[test]
fn who_comes_in_a_dead_ones_place_gets_further() {
    let dir = tempfile::tempdir().unwrap();
    let plan = [("TFCOORD_FAULT", "log.append.written=kill@2"), ("TFCOORD_FAULT_ONCE", text(dir.path()))];
    assert_eq!(run(&plan).status.signal(), Some(9));
    assert!(run(&plan).status.success());
}
