//! Workers that join and leave while a job runs: nothing is lost, nothing counts twice, and the bits stay the same.

use crate::jobs::exactly_once;
use rustix::process::Signal;
use serde_json::{Value, json};
use tfcoord_client::{Bearer, Endpoint};
use tfcoord_proto::v1;
use tfcoord_proto::v1::coordinator_client::CoordinatorClient;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};
use tokio::runtime::Runtime;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

/// A client of a laboratory's coordinator and its only job.
pub(super) struct Asked {
    runtime: Runtime,
    client: CoordinatorClient<InterceptedService<Channel, Bearer>>,
    job: String,
}

impl Asked {
    /// Once the only job is there.
    pub(super) fn new(lab: &Lab) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let endpoint: Endpoint =
            wait_for(60, "the coordinator", || std::fs::read_to_string(lab.state_dir().join("endpoint")).ok()).trim().parse().unwrap();
        let token = Bearer::from_file(&lab.state_dir().join("token")).unwrap();
        let channel = runtime.block_on(endpoint.connect(std::time::Duration::from_secs(10))).unwrap();
        let mut client = CoordinatorClient::with_interceptor(channel, token);
        let job = wait_for(60, "the job", || {
            let jobs = runtime.block_on(client.list(v1::ListRequest { all: true })).unwrap().into_inner().jobs;
            jobs.into_iter().next().map(|job| job.id)
        });
        Self { runtime, client, job }
    }

    pub(super) fn job(&mut self) -> v1::Job {
        self.runtime.block_on(self.client.get(v1::GetRequest { job: self.job.clone() })).unwrap().into_inner()
    }

    pub(super) fn scale(&mut self, workers: u32) -> v1::Job {
        self.runtime.block_on(self.client.scale(v1::ScaleRequest { job: self.job.clone(), workers })).unwrap().into_inner()
    }

    pub(super) fn until(&mut self, what: &str, is: impl Fn(&v1::Job) -> bool) -> v1::Job {
        wait_for(60, what, || {
            let job = self.job();
            assert!(job.ended_at_ms == 0, "{what}: the job is over: {}", job.reason);
            is(&job).then_some(job)
        })
    }

    /// Waits until a step in the middle of an epoch is done, at least `more` steps from now.
    fn until_mid_epoch(&mut self, more: u64) {
        let job = self.job();
        let from = step(&job) + more;
        self.until("the middle of an epoch", |job| {
            let steps = job.plan.as_ref().unwrap().steps_per_epoch;
            step(job) >= from && (steps / 4..steps * 3 / 4).contains(&(step(job) % steps))
        });
    }

    /// Waits until these are the lanes of the workers, and no worker is there beside them.
    fn until_lanes(&mut self, lanes: &[u32]) -> v1::Job {
        self.until(&format!("lanes {lanes:?}"), |job| {
            let workers: Vec<_> = job.tasks.iter().filter(|task| task.task.starts_with("worker-") && task.state != "left").collect();
            workers.iter().map(|task| task.lanes).eq(lanes.iter().copied()) && workers.iter().all(|task| task.state == "registered")
        })
    }
}

pub(super) fn step(job: &v1::Job) -> u64 {
    job.progress.as_ref().map_or(0, |progress| progress.step)
}

fn mlp(name: &str) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 1600, 200);
    job["train"]["epochs"] = json!(40);
    job["worker"]["count"] = json!(2);
    job["parameter_server"]["count"] = json!(2);
    job
}

#[test]
fn from_2_to_4_to_1_in_the_middle_of_epochs_the_bits_are_those_of_an_undisturbed_run() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1800, 12, 4, 1);
    let submit = lab.spawn_submit(&mlp("scaled"));
    let mut asked = Asked::new(&lab);
    asked.until_mid_epoch(1);
    assert_eq!(asked.scale(4).plan.unwrap().workers, 4);
    asked.until_lanes(&[1; 4]);
    asked.until_mid_epoch(20);
    asked.scale(1);
    let job = asked.until_lanes(&[4]);
    for task in &job.tasks[3..] {
        assert_eq!((task.state.as_str(), task.last_exit.as_str(), task.restarts), ("left", "exited with code 0", 0), "{task:?}");
    }
    asked.until_mid_epoch(20);
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    assert!(text.contains("is scaled to 4 workers") && text.contains("is scaled to 1 worker"), "{text}");
    assert!(!text.contains("replaced"), "{text}");

    let quiet = Lab::new();
    idx::write_pictures(quiet.path(), 1800, 12, 4, 1);
    quiet.submit(&mlp("quiet"));
    let ((model, curve), (quiet_model, quiet_curve)) = (lab.bits("scaled"), quiet.bits("quiet"));
    assert!(curve == quiet_curve, "the curves differ");
    assert!(model == quiet_model, "the parameters differ");
}

#[test]
fn every_record_counts_once_while_workers_come_and_leave_on_a_disturbed_wire() {
    let lab = exactly_once::lab();
    exactly_once::disturb(&lab, "");
    let submit = lab.spawn_submit(&exactly_once::counting("comes-and-goes"));
    let mut asked = Asked::new(&lab);
    for workers in [4, 1, 3, 2, 4] {
        asked.until("a step", |job| step(job) > 0);
        asked.until_mid_epoch(5);
        asked.scale(workers);
        if workers == 3 {
            // Nobody waits for what comes next.
            continue;
        }
        asked.until("the new number of workers", |job| {
            let staying = job.tasks.iter().filter(|task| task.task.starts_with("worker-") && task.lanes > 0).count();
            staying == workers as usize
        });
    }
    let output = submit.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    exactly_once::check(&lab, "comes-and-goes");
}

#[test]
fn workers_may_die_while_they_join_and_while_they_leave() {
    let lab = exactly_once::lab();
    let mut job = exactly_once::counting("dies-scaled");
    let epochs = 60;
    job["train"]["epochs"] = json!(epochs);
    let submit = lab.spawn_submit(&job);
    let mut asked = Asked::new(&lab);
    asked.until_mid_epoch(1);
    asked.scale(4);
    lab.wait_for_task("worker-3").signal(Signal::KILL);
    let job = asked.until_lanes(&[1; 4]);
    assert_eq!((job.tasks[4].attempt, job.tasks[4].restarts), (2, 1));
    // One that does not run does not hear that it should stop.
    let stopped = lab.wait_for_task("worker-2");
    stopped.signal(Signal::STOP);
    asked.scale(2);
    asked.until("two workers with all lanes", |job| job.tasks[1..3].iter().all(|task| task.lanes == 2));
    let output = submit.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
    exactly_once::check_epochs(&lab, "dies-scaled", epochs);
}
