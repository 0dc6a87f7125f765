//! The leader behind real gRPC, with tasks that the tests play.

mod place;

use super::*;
use crate::leader::fixture::JOB_FILE;
use place::{PATIENCE, Place, exported, variables};
use tfcoord_client::session::Ended;
use tfcoord_launch::{Exit, Launch};
use tfcoord_proto::v1;
use tfcoord_types::id::{Attempt, JobId, TaskId};
use tfcoord_types::report::{Body, Fault, FaultKind, WorkerReport};
use tfcoord_types::view::Directive;
use tokio::time::timeout;
use tonic::Code;

const PS: TaskId = TaskId::server(0);
const W0: TaskId = TaskId::worker(0);
const W1: TaskId = TaskId::worker(1);

fn worker(change: impl FnOnce(&mut WorkerReport)) -> Body {
    let mut report = WorkerReport { variables: variables(), ..WorkerReport::default() };
    change(&mut report);
    Body::Worker(report)
}

#[tokio::test]
async fn a_job_from_its_submission_to_its_model() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    assert_eq!(place.submit("one").await.unwrap(), job, "the same request is the same job");
    let mut states = place.client.watch(v1::WatchRequest { job: job.to_string(), after_revision: 0 }).await.unwrap().into_inner();

    let (ps, w0, w1) = (place.task(&job, PS, 1).await, place.task(&job, W0, 1).await, place.task(&job, W1, 1).await);
    assert_eq!(ps.directive(), Directive::Wait);
    w0.report(worker(|_| {}));
    let view = ps.until(|view| view.directive == Directive::Run).await;
    assert_eq!((view.servers.len(), view.workers.len(), view.run_until), (1, 2, 32));
    assert_eq!(w1.until(|v| v.directive == Directive::Run).await.owners, view.owners);

    ps.reach(10);
    ps.reach(32);
    let view = w0.until(|view| view.export.is_some()).await;
    w0.report(worker(|report| report.exported = Some(exported(&view.export.clone().unwrap().dir))));
    w1.until(|view| matches!(view.directive, Directive::Stop { .. })).await;

    let mut seen = Vec::new();
    while let Some(job) = timeout(PATIENCE, states.message()).await.unwrap().unwrap() {
        seen.push(job);
    }
    assert!(seen.windows(2).all(|pair| pair[0].revision <= pair[1].revision), "revisions never go back");
    let last = seen.last().unwrap();
    assert_eq!((last.state(), last.reason.as_str()), (v1::JobState::Succeeded, "trained 2 epochs in 32 steps"));
    assert_eq!((last.file_name.as_str(), &last.classes[..]), ("/srv/ann/job.json", &["a", "b", "c", "d"].map(String::from)[..]));
    let progress = last.progress.as_ref().unwrap();
    assert_eq!((progress.step, progress.steps, progress.loss), (32, 32, Some(0.5)));
    assert_eq!(last.outputs.as_ref().unwrap().files[0].name, "model.json");

    for task in [PS, W0, W1] {
        place.end(&job, task, 1, Exit::Code(0));
    }
    let job = place.until(&job, |job| job.tasks.iter().all(|task| task.state == "ended")).await;
    assert!(job.tasks.iter().all(|task| task.last_exit == "exited with code 0"), "{:?}", job.tasks);
    assert_eq!(place.launcher.list(), []);
    assert_eq!(place.client.list(v1::ListRequest { all: false }).await.unwrap().into_inner().jobs, []);
    assert_eq!(place.client.list(v1::ListRequest { all: true }).await.unwrap().into_inner().jobs.len(), 1);
}

#[tokio::test]
async fn a_session_that_is_opened_again_gets_its_view_again() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let first = place.task(&job, W0, 1).await;
    let view = first.view();
    // The same incarnation from another connection, as after a break.
    let second = place.session(&job, first.report_now()).await.unwrap();
    assert_eq!(second, view);
    // The first one's stream has ended by that: its keeper opens a third one.
    first.report(worker(|_| {}));
    first.until(|view| view.placement.is_some()).await;
}

#[tokio::test]
async fn a_silent_worker_is_replaced_and_fenced() {
    let mut place = Place::new(Duration::from_millis(1500)).await;
    let job = place.submit("one").await.unwrap();
    let (_ps, w0) = (place.task(&job, PS, 1).await, place.task(&job, W0, 1).await);
    let report = w0.report_now();
    drop(w0);
    let launched = place.until(&job, |job| job.tasks.iter().any(|t| t.task == "worker-0" && t.attempt == 2)).await;
    let task = launched.tasks.iter().find(|t| t.task == "worker-0").unwrap();
    assert_eq!((task.restarts, task.last_exit.as_str()), (1, "did not report for 1.5 s"));
    let view = place.session(&job, report).await.unwrap();
    assert_eq!(view.directive, Directive::Fenced, "the old one learns it when it comes back");
    let refused = place.open(&job, W0, 1).await.unwrap_err();
    assert!(matches!(refused, Ended::Refused { code: Code::FailedPrecondition, .. }), "{refused}");
    place.task(&job, W0, 2).await;
}

#[tokio::test]
async fn steps_that_servers_report_make_losses_of_workers_count_anew() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let (ps, w0) = (place.task(&job, PS, 1).await, place.task(&job, W0, 1).await);
    let _w1 = place.task(&job, W1, 1).await;
    w0.report(worker(|_| {}));
    ps.until(|view| view.directive == Directive::Run).await;
    // More often than worker.max_restarts, which is 8.
    for attempt in 1..=10 {
        ps.reach(u64::from(attempt));
        place.until(&job, |job| job.progress.as_ref().is_some_and(|progress| progress.step == u64::from(attempt))).await;
        place.end(&job, W0, attempt, Exit::Signal(9));
        place.until(&job, |job| job.state() == v1::JobState::Running && job.tasks[1].restarts == attempt).await;
    }
}

#[tokio::test]
async fn ends_and_faults_of_tasks_reach_the_job() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    place.end(&job, W0, 1, Exit::Signal(9));
    let state = place.until(&job, |job| job.tasks[1].attempt == 2).await;
    assert_eq!(state.tasks[1].last_exit, "was killed by signal 9 (SIGKILL)");
    place.end(&job, PS, 1, Exit::Code(101));
    let state = place.until(&job, |job| job.tasks[0].attempt == 2).await;
    assert_eq!(state.tasks[0].last_exit, "exited with code 101");

    let job = place.submit("two").await.unwrap();
    let w1 = place.task(&job, W1, 1).await;
    w1.fault(Fault { kind: FaultKind::NotFinite, message: "step 3: dense_0/kernel is not finite".into() });
    let failed = place.until(&job, |job| job.state() == v1::JobState::Failed).await;
    assert_eq!(failed.reason, "worker-1: step 3: dense_0/kernel is not finite");
    let cancelled = place.client.cancel(v1::CancelRequest { job: job.to_string(), reason: "late".into() }).await.unwrap().into_inner();
    assert_eq!(cancelled.state(), v1::JobState::Failed, "a job that is over stays as it is");
}

#[tokio::test]
async fn without_the_right_token_nothing_is_told() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    for token in ["", &"0".repeat(64), &place.join_token(&job).await] {
        let status = place.stranger(token).await.list(v1::ListRequest { all: true }).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    let report = place.task(&job, W0, 1).await.report_now();
    let other = place.submit("two").await.unwrap();
    for (job, token) in [(&job, place.join_token(&other).await), (&"none-9".parse().unwrap(), "0".repeat(64))] {
        let ended = place.open_with(job, W1, 1, &token).await.unwrap_err();
        assert!(matches!(ended, Ended::Refused { code: Code::Unauthenticated, .. }), "{ended}");
    }
    assert_eq!(place.session(&other, report).await.unwrap_err().code(), Code::Unauthenticated, "another job's token");
}

#[tokio::test]
async fn bad_input_is_refused_in_words() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let bad = place.submit_file("bad", "{\"name\": 1}").await.unwrap_err();
    assert!(bad.code() == Code::InvalidArgument && bad.message().starts_with("/srv/ann/job.json:1:"), "{bad}");
    place.prepare_fails("x.csv:3: \"seven\" is no number");
    let data = place.submit("data").await.unwrap_err();
    assert_eq!((data.code(), data.message()), (Code::InvalidArgument, "x.csv:3: \"seven\" is no number"));
    for job in ["../../etc-1", "none-7", "x"] {
        let status = place.client.get(v1::GetRequest { job: job.into() }).await.unwrap_err();
        let logs = v1::LogsRequest { job: job.into(), task: String::new(), follow: false };
        let expected = if job == "none-7" { Code::NotFound } else { Code::InvalidArgument };
        assert_eq!((status.code(), place.client.logs(logs).await.unwrap_err().code()), (expected, expected), "{status}");
    }
}

#[tokio::test]
async fn a_site_that_takes_long_to_read_keeps_nobody_waiting() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    // Each attribute is compared with all before it; and at the end the text is none.
    let attributes: String = (0..40_000).map(|number| format!(" a{number}=''")).collect();
    let site = v1::Site { core_site: format!("<configuration{attributes}>").into(), ..v1::Site::default() };
    let (mut submitter, job_file) = (place.client.clone(), JOB_FILE.replace("/out", "hdfs://nn/out"));
    let request = v1::SubmitRequest { request_id: "slow".into(), job_file, site: Some(site), ..v1::SubmitRequest::default() };
    let submitted = tokio::spawn(async move { submitter.submit(request).await });
    place.until_is("the site is being read", |state| !state.left_submissions().is_empty()).await;
    place.client.list(v1::ListRequest { all: true }).await.unwrap();
    assert!(!submitted.is_finished(), "others are answered meanwhile");
    let refused = submitted.await.unwrap().unwrap_err();
    assert!(refused.code() == Code::InvalidArgument && refused.message().contains("core-site.xml"), "{refused}");
}

#[tokio::test]
async fn a_report_that_the_log_cannot_hold_fails_its_job_and_nothing_else() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let w0 = place.task(&job, W0, 1).await;
    // Six bytes each in the log: it fits into a message, but not into an entry.
    let name = "\u{1}".repeat(6 << 20);
    w0.report(worker(|report| report.variables[0].name = name));
    let failed = place.until(&job, |job| job.state() == v1::JobState::Failed).await;
    let reason = failed.reason;
    assert!(reason.starts_with("worker-0: the list of the model's variables would be an entry of 377"), "{reason}");
    assert!(reason.ends_with("takes at most 33554432 bytes: use a model with fewer layers"), "{reason}");
    place.submit("two").await.unwrap();
}

#[tokio::test]
async fn what_a_fault_says_is_kept_in_part() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let w0 = place.task(&job, W0, 1).await;
    w0.fault(Fault { kind: FaultKind::Task, message: "\u{1}".repeat(6 << 20) });
    let replaced = place.until(&job, |job| job.tasks[1].attempt == 2).await;
    assert!(replaced.tasks[1].last_exit.ends_with("\u{1}…"));
}

#[tokio::test]
async fn a_model_that_the_machine_has_no_memory_for_fails_its_job() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let w0 = place.task(&job, W0, 1).await;
    w0.report(worker(|report| report.variables[0].shape = vec![1 << 12, 1 << 12]));
    let failed = place.until(&job, |job| job.state() == v1::JobState::Failed).await;
    // 4 bytes x 2^24: 4 of it on the server (two versions, two blocks), 4 in each of two workers of two lanes.
    assert!(failed.reason.contains("about 769 MB") && failed.reason.contains("the machine has 64"), "{}", failed.reason);
}

#[tokio::test]
async fn files_of_jobs_that_ended_go_and_those_of_the_last_one_stay() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let mut jobs = Vec::new();
    for request in ["one", "two"] {
        let job = place.submit(request).await.unwrap();
        place.join_token(&job).await;
        place.client.cancel(v1::CancelRequest { job: job.to_string(), reason: String::new() }).await.unwrap();
        for task in [PS, W0, W1] {
            place.end(&job, task, 1, Exit::Code(0));
        }
        place.until(&job, |job| job.tasks.iter().all(|task| task.state == "ended")).await;
        jobs.push(job);
    }
    place.until_is("the first job's files are gone", |state| !state.has_job(&jobs[0])).await;
    place.until_is("the second job's token is gone", |state| !state.job_token(&jobs[1]).exists()).await;
    let logs = |job: &JobId| v1::LogsRequest { job: job.to_string(), task: String::new(), follow: false };
    let refused = place.client.logs(logs(&jobs[0])).await.unwrap_err();
    let text = "there are no logs of fashion-1 any more: those of the 1 jobs that ended last are kept (ended_jobs_kept)";
    assert_eq!((refused.code(), refused.message().replace(&jobs[0].to_string(), "fashion-1").as_str()), (Code::FailedPrecondition, text));
    let mut kept = place.client.logs(logs(&jobs[1])).await.unwrap().into_inner();
    assert!(kept.message().await.unwrap().is_some());
    // The state still knows both.
    let list = place.client.list(v1::ListRequest { all: true }).await.unwrap().into_inner().jobs;
    assert_eq!(list.len(), 2);
    // And the same data can be used again, though what was found of them may have been swept.
    let job = place.submit("three").await.unwrap();
    place.task(&job, W0, 1).await;
}

#[tokio::test]
async fn logs_follow_to_the_end() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let request = |task: &str, follow| v1::LogsRequest { job: job.to_string(), task: task.into(), follow };
    let mut now = place.client.logs(request("worker-1", false)).await.unwrap().into_inner();
    assert_eq!(now.message().await.unwrap().unwrap().lines, [format!("{job}/worker-1 attempt 1")]);
    assert_eq!(now.message().await.unwrap(), None);
    assert_eq!(place.client.logs(request("worker-7", false)).await.unwrap_err().code(), Code::NotFound);

    let mut all = place.client.logs(request("", true)).await.unwrap().into_inner();
    place.client.cancel(v1::CancelRequest { job: job.to_string(), reason: String::new() }).await.unwrap();
    for task in [PS, W0, W1] {
        place.launcher.end(&Launch { job: job.clone(), task, attempt: Attempt(1) }, Exit::Code(0));
    }
    let mut lines = Vec::new();
    while let Some(message) = timeout(PATIENCE, all.message()).await.unwrap().unwrap() {
        lines.extend(message.lines.into_iter().map(|line| format!("{}: {line}", message.task)));
    }
    lines.sort();
    let expected = ["ps-0", "worker-0", "worker-1"].map(|task| [format!("{task}: bye"), format!("{task}: {job}/{task} attempt 1")]);
    assert_eq!(lines, expected.concat());
}

#[tokio::test]
async fn a_job_has_a_folder_of_its_own() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    // TakeOffice was the first entry. What lies there may be results of another coordinator's job.
    let taken = place.outputs().join("fashion-2");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("curve.csv"), "theirs").unwrap();
    let job = place.submit("one").await.unwrap();
    assert_eq!(job.to_string(), "fashion-3", "a number whose folder is taken is passed over");
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);

    let dir = place.outputs().join(job.to_string());
    std::fs::create_dir(dir.join(".model-7")).unwrap();
    assert_eq!(place.submit("one").await.unwrap(), job, "the same request is the same job");
    place.join_token(&job).await;
    place.client.cancel(v1::CancelRequest { job: job.to_string(), reason: String::new() }).await.unwrap();
    for task in [PS, W0, W1] {
        place.end(&job, task, 1, Exit::Code(0));
    }
    place.until_is("the job's folder is gone: nothing was written there", |_| !dir.exists()).await;
}

#[tokio::test]
async fn a_job_is_scaled_while_it_runs() {
    let mut place = Place::new(Duration::from_secs(10)).await;
    let job = place.submit("one").await.unwrap();
    let (ps, w0, w1) = (place.task(&job, PS, 1).await, place.task(&job, W0, 1).await, place.task(&job, W1, 1).await);
    w0.report(worker(|_| {}));
    let owners = ps.until(|view| view.directive == Directive::Run).await.owners;
    let scale = |workers| v1::ScaleRequest { job: job.to_string(), workers };
    let refused = place.client.scale(scale(5)).await.unwrap_err();
    assert!(refused.code() == Code::InvalidArgument && refused.message().contains("use 1 to 4 workers"), "{refused}");
    let unknown = v1::ScaleRequest { job: "nobody-9".into(), workers: 1 };
    assert_eq!(place.client.scale(unknown).await.unwrap_err().code(), Code::NotFound);

    let scaled = place.client.scale(scale(3)).await.unwrap().into_inner();
    assert_eq!((scaled.plan.unwrap().workers, scaled.tasks.len(), scaled.tasks[3].state.as_str()), (3, 4, "launching"));
    let w2 = place.task(&job, TaskId::worker(2), 1).await;
    assert_eq!(w2.until(|view| view.directive == Directive::Run).await.owners, owners);
    // It says that it has applied its view, the server that nobody owns the lanes any more.
    w2.report(worker(|report| report.variables.clear()));
    let lanes = |view: &v1::Job| view.tasks.iter().map(|task| task.lanes).collect::<Vec<_>>();
    ps.until(|view| view.owners.contains(&None)).await;
    ps.reach(1);
    place.until(&job, |job| lanes(job) == [0, 2, 1, 1]).await;

    place.client.scale(scale(1)).await.unwrap();
    let stopped = w1.until(|view| matches!(view.directive, Directive::Stop { .. })).await;
    assert_eq!(stopped.directive, Directive::Stop { reason: "the job goes on without it".into() });
    place.end(&job, W1, 1, Exit::Code(0));
    let left = place.until(&job, |job| job.tasks[2].state == "left").await;
    assert_eq!((left.state(), left.tasks[2].last_exit.as_str()), (v1::JobState::Running, "exited with code 0"));
    ps.reach(2);
    place.until(&job, |job| lanes(job) == [0, 4, 0, 0]).await;
    // The other one does not end in time, and is killed.
    place.until(&job, |job| job.tasks[3].state == "left").await;
    place.client.cancel(v1::CancelRequest { job: job.to_string(), reason: String::new() }).await.unwrap();
    assert!(place.client.scale(scale(2)).await.unwrap_err().message().contains("is over"));
}
