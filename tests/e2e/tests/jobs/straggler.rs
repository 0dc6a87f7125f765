//! A worker that gets a tenth of its time is named, and its lanes move where the job wants that.

use crate::jobs::scaling::{Asked, step};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::processes::Process;
use tfcoord_testkit::{Lab, idx, job};

/// Stops a process for nine tenths of the time, until it is dropped.
struct Throttled {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Throttled {
    fn new(process: Process) -> Self {
        let (over, ended) = channel::<()>();
        let goes_on = move |ms| ended.recv_timeout(Duration::from_millis(ms)) == Err(RecvTimeoutError::Timeout);
        let thread = std::thread::spawn(move || {
            while goes_on(5) {
                process.signal(Signal::STOP);
                goes_on(45);
                process.signal(Signal::CONT);
            }
        });
        Self { over: Some(over), thread: Some(thread) }
    }
}

impl Drop for Throttled {
    fn drop(&mut self) {
        drop(self.over.take());
        self.thread.take().map(JoinHandle::join);
    }
}

// Steps take tens of milliseconds: far longer than a worker's turn.
fn heavy(name: &str, epochs: u32) -> Value {
    let layers = json!([
        {"flatten": {}},
        {"dense": {"units": 1024, "activation": "relu"}},
        {"dense": {"units": 1024, "activation": "relu"}},
        {"dense": {"units": 4}}
    ]);
    let mut job = job::pictures(name, layers, 1600, 200);
    job["train"]["batch_size"] = json!(256);
    job["train"]["epochs"] = json!(epochs);
    job["worker"]["count"] = json!(2);
    job["parameter_server"]["chunk_bytes"] = json!(1 << 20);
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    lab
}

#[test]
fn it_is_named_while_it_is_slow_and_keeps_its_lanes() {
    let lab = lab();
    let mut submit = lab.spawn_submit(&heavy("named", 10_000));
    let mut asked = Asked::new(&lab);
    asked.until("a step", |job| step(job) > 0);
    let slow = Throttled::new(lab.wait_for_task("worker-1"));
    let named = asked.until("the straggler's name", |job| !job.tasks[2].late.is_empty());
    assert!(named.tasks[2].late.contains("steps in a row") && named.tasks[1].late.is_empty(), "{:?}", named.tasks);
    // A step in time in between, and for five steps it has no name.
    wait_for(60, "its name in the status", || {
        let status = lab.run(&["status", &named.id]);
        String::from_utf8_lossy(&status.stdout).contains("straggler  worker-1: late in ").then_some(())
    });
    assert_eq!((named.tasks[1].lanes, named.tasks[2].lanes), (2, 2), "only named");
    drop(slow);
    asked.until("that it is none any more", |job| job.tasks[2].late.is_empty());
    submit.kill().unwrap();
    submit.wait().unwrap();
}

#[test]
fn its_lanes_move_where_the_job_wants_that_and_the_bits_are_the_same() {
    let (lab, quiet) = (lab(), lab());
    let mut job = heavy("moved", 12);
    job["worker"]["straggler"] = json!("move");
    let submit = lab.spawn_submit(&job);
    let mut asked = Asked::new(&lab);
    asked.until("a step", |job| step(job) > 0);
    let slow = Throttled::new(lab.wait_for_task("worker-1"));
    let moved = asked.until("its lanes at the other one", |job| (job.tasks[1].lanes, job.tasks[2].lanes) == (4, 0));
    assert!(moved.tasks[2].late.starts_with("its lanes have moved to the others: "), "{:?}", moved.tasks);
    assert_eq!((moved.tasks[2].state.as_str(), moved.tasks[2].restarts), ("registered", 0));
    // The others do not wait for it any more.
    let output = submit.wait_with_output().unwrap();
    drop(slow);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    quiet.submit(&heavy("quiet", 12));
    assert!(lab.bits("moved") == quiet.bits("quiet"), "the bits differ");
}
