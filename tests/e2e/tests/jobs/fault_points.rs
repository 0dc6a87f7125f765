//! A process dies at every fault point there is, while a job runs; each job ends with the bits of the quiet run.
//!
//! `make fault-points` shows the table.

mod rounds;

use rounds::{From, ROUNDS, Round};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tfcoord_client::{Bearer, Endpoint};
use tfcoord_fault::{POINTS, Point};
use tfcoord_proto::v1::CancelRequest;
use tfcoord_proto::v1::coordinator_client::CoordinatorClient;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const AT_ONCE: usize = 2;
/// Calls of `tfcoord submit` until one is answered.
const SUBMITS_MAX: usize = 6;
/// Entries that nearly fill the log's first segment.
const LONG: usize = 3_900;
const CALLS_AT_ONCE: usize = 64;

fn file(name: &str) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["train"]["epochs"] = json!(40);
    (job["worker"], job["lease_seconds"]) = (json!({"count": 2}), json!(0.5));
    job["parameter_server"]["count"] = json!(2);
    job["checkpoint"] = json!({"every_steps": 10, "keep": 2});
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

/// What a round has shown: by point, how many processes came there, and how many died there.
struct Shown {
    reached: BTreeMap<String, usize>,
    killed: BTreeMap<String, usize>,
    same_bits: bool,
    seconds: f64,
}

/// The files in which all processes of a round note what has happened.
struct Notes {
    hits: PathBuf,
    once: PathBuf,
}

impl Notes {
    fn new(dir: &Path) -> Self {
        let once = dir.join("once");
        fs::create_dir(&once).unwrap();
        Self { hits: dir.join("hits"), once }
    }

    fn plan(&self, lab: &mut Lab, round: &Round) {
        let plan: Vec<String> = round.plan.iter().map(|(point, hit)| format!("{point}=kill@{hit}")).collect();
        lab.set("TFCOORD_FAULT", &plan.join(","));
        lab.set("TFCOORD_FAULT_HITS", self.hits.to_str().unwrap());
        lab.set("TFCOORD_FAULT_ONCE", self.once.to_str().unwrap());
    }

    fn carried_out(&self) -> BTreeSet<String> {
        fs::read_dir(&self.once).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    names.fold(BTreeMap::new(), |mut counts, name| {
        *counts.entry(name).or_default() += 1;
        counts
    })
}

fn run(round: &Round, quiet: &(Vec<u8>, Vec<u8>)) -> Shown {
    let (mut lab, started) = (lab(), Instant::now());
    let notes = Notes::new(lab.path());
    match round.from {
        From::TheStart => {
            notes.plan(&mut lab, round);
            submit(&lab, round.name);
        }
        From::MidJob => {
            lab.run(&["list"]);
            notes.plan(&mut lab, round);
            struck_in_mid_job(&lab, round, || ());
        }
        From::MidJobWithALongLog => {
            let (job, runtime) = cancelled(&lab);
            let grow = |lab: &Lab, entries| runtime.block_on(cancel_again(lab, &job, entries));
            grow(&lab, LONG);
            notes.plan(&mut lab, round);
            let all = || notes.carried_out().len() == round.plan.len();
            let until_all = || {
                wait_for(60, "all deaths", || {
                    grow(&lab, CALLS_AT_ONCE);
                    all().then_some(())
                })
            };
            struck_in_mid_job(&lab, round, until_all);
        }
    }
    let carried_out = notes.carried_out();
    let missed: Vec<_> = round.plan.iter().filter(|(point, hit)| !carried_out.contains(&format!("{point}@{hit}"))).collect();
    assert!(missed.is_empty(), "{}: nobody came so far: {missed:?}\n{}", round.name, lab.logs());
    let hits = fs::read_to_string(&notes.hits).unwrap();
    Shown {
        reached: count(hits.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))),
        killed: count(carried_out.iter().filter_map(|name| Some(name.split_once('@')?.0.to_owned()))),
        same_bits: lab.bits(round.name) == *quiet,
        seconds: started.elapsed().as_secs_f64(),
    }
}

// Until one is answered: only a coordinator that dies in its first moments leaves a client without an answer.
fn submit(lab: &Lab, name: &str) {
    let path = lab.write_job(&file(name));
    let call = || lab.run(&["submit", path.to_str().unwrap(), "--wait-timeout", "120"]);
    let mut unanswered = Vec::new();
    while unanswered.len() < SUBMITS_MAX {
        let output = call();
        if output.status.success() {
            return;
        }
        let text = said(&output);
        assert!(matches!(output.status.code(), Some(5 | 6)), "{name}: {text}\n{}", lab.logs());
        unanswered.push(text);
    }
    panic!("{name}: no answer: {unanswered:?}\n{}", lab.logs());
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

// A coordinator that has no plan is killed, and a worker, so that those that follow, which have it, have much to do.
fn struck_in_mid_job(lab: &Lab, round: &Round, then: impl FnOnce()) {
    std::thread::scope(|scope| {
        let submitted = scope.spawn(|| submit(lab, round.name));
        lab.wait_for_step();
        lab.kill_coordinator();
        lab.wait_for_task("worker-1").signal(Signal::KILL);
        then();
        submitted.join().unwrap();
    });
}

fn cancelled(lab: &Lab) -> (String, Runtime) {
    let job = lab.submit_detached(&file("cancelled"));
    lab.run(&["cancel", &job]);
    (job, tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap())
}

// The log grows by up to so many entries of 4 KB, fewer if the coordinator dies: a job that was cancelled is cancelled again.
async fn cancel_again(lab: &Lab, job: &str, entries: usize) {
    let Ok(endpoint) = fs::read_to_string(lab.state_dir().join("endpoint")) else { return };
    let endpoint: Endpoint = endpoint.trim().parse().unwrap();
    let token = Bearer::from_file(&lab.state_dir().join("token")).unwrap();
    let Ok(channel) = endpoint.connect(Duration::from_secs(5)).await else { return };
    let client = CoordinatorClient::with_interceptor(channel, token);
    let request = CancelRequest { job: job.to_owned(), reason: "again ".repeat(680) };
    let mut calls = JoinSet::new();
    for _ in 0..entries {
        let (mut client, request) = (client.clone(), request.clone());
        calls.spawn(async move { drop(client.cancel(request).await) });
        if calls.len() >= CALLS_AT_ONCE {
            calls.join_next().await;
        }
    }
    while calls.join_next().await.is_some() {}
}

#[test]
fn whoever_dies_wherever_it_is_the_bits_are_those_of_the_quiet_run() {
    let quiet = {
        let lab = lab();
        lab.submit(&file("quiet"));
        lab.bits("quiet")
    };
    let (next, shown) = (Mutex::new(ROUNDS.iter()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(round) = { next.lock().unwrap().next() } {
            let result = run(round, &quiet);
            shown.lock().unwrap().push((round, result));
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
    let shown = shown.into_inner().unwrap();
    let table = table(&shown);
    println!("{table}");
    let other: Vec<_> = shown.iter().filter(|(_, shown)| !shown.same_bits).map(|(round, _)| round.name).collect();
    assert!(other.is_empty(), "other bits than those of the quiet run: {other:?}\n{table}");
    let killed: BTreeSet<&str> = shown.iter().flat_map(|(_, shown)| shown.killed.keys().map(String::as_str)).collect();
    let all: BTreeSet<&str> = here().map(|point| point.name).collect();
    assert_eq!(killed, all, "every point is one where somebody dies");
}

// Those of HDFS have tests with one.
fn here() -> impl Iterator<Item = &'static Point> {
    POINTS.iter().filter(|point| !point.name.starts_with("hdfs."))
}

fn table(shown: &[(&Round, Shown)]) -> String {
    let mut text = format!("{:34} {:>9} {:>5}  same bits in\n", "fault point", "processes", "kills");
    for point in here() {
        let sum =
            |of: fn(&Shown) -> &BTreeMap<String, usize>| shown.iter().filter_map(|(_, shown)| of(shown).get(point.name)).sum::<usize>();
        let rounds = shown.iter().filter(|(_, shown)| shown.killed.contains_key(point.name));
        let rounds: Vec<String> = rounds.map(|(round, shown)| round.name.to_owned() + if shown.same_bits { "" } else { " (NO)" }).collect();
        text += &format!("{:34} {:>9} {:>5}  {}\n", point.name, sum(|s| &s.reached), sum(|s| &s.killed), rounds.join(", "));
    }
    for (round, shown) in shown {
        let (kills, seconds) = (shown.killed.values().sum::<usize>(), shown.seconds);
        text += &format!("job {:12} {kills:>2} kills {seconds:>5.1} s\n", round.name);
    }
    let kills: usize = shown.iter().flat_map(|(_, shown)| shown.killed.values()).sum();
    text + &format!("{} points, {kills} kills, {} jobs", here().count(), shown.len())
}
