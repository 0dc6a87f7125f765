use super::*;
use crate::sample;

fn names(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned();
    events.iter().map(name).collect()
}

#[test]
fn the_first_state_tells_of_the_submission() {
    let mut tracker = Tracker::default();
    assert_eq!(names(&tracker.see(&sample::job(State::Admitted))), ["submitted"]);
    assert_eq!(names(&tracker.see(&sample::job(State::Admitted))), [""; 0]);
    assert_eq!(names(&tracker.see(&sample::job(State::Running))), ["state"]);
}

#[test]
fn each_evaluation_is_told_once_also_when_states_were_left_out() {
    let mut tracker = Tracker::default();
    tracker.see(&sample::job(State::Running));
    let mut job = sample::job(State::Running);
    job.evaluations = vec![sample::evaluation(1), sample::evaluation(2)];
    assert_eq!(names(&tracker.see(&job)), ["evaluated", "evaluated"]);
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
    job.evaluations.push(sample::evaluation(3));
    job.state = State::Succeeded;
    assert_eq!(names(&tracker.see(&job)), ["evaluated", "ended"]);
}

#[test]
fn a_task_is_lost_once_and_replaced_once() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Running);
    tracker.see(&job);
    job.tasks[1].state = "lost".into();
    job.tasks[1].last_exit = "killed by signal 9".into();
    assert_eq!(names(&tracker.see(&job)), ["task_lost"]);
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
    (job.tasks[1].state, job.tasks[1].attempt, job.tasks[1].restarts) = ("launching".into(), 2, 1);
    let replaced = tracker.see(&job);
    assert_eq!(names(&replaced), ["task_replaced"]);
    assert!(matches!(&replaced[0], Event::TaskReplaced { attempt: 2, exit, .. } if exit == "killed by signal 9"));
    job.tasks[1].state = "registered".into();
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
}

#[test]
fn parameters_that_go_back_and_checkpoints_that_fail_are_news_once() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Running);
    job.checkpoints = Some(Checkpoints { generation: 1, ..Checkpoints::default() });
    assert_eq!(names(&tracker.see(&job)), ["submitted", "state"]);
    let restored = Checkpoint { id: "1-500-73".into(), step: 500, dir: "/c".into() };
    job.checkpoints = Some(Checkpoints { generation: 2, restored: Some(restored), ..Checkpoints::default() });
    assert!(matches!(&tracker.see(&job)[..], [Event::WentBack { generation: 2, step: 500, .. }]));
    job.checkpoints.as_mut().unwrap().failure = "disk full".into();
    assert_eq!(names(&tracker.see(&job)), ["checkpoint_failed"]);
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
}

#[test]
fn trouble_with_hdfs_is_news_once() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Running);
    tracker.see(&job);
    job.hdfs = "no KDC".into();
    assert_eq!(tracker.see(&job), [Event::HdfsTrouble { job: job.id.clone(), reason: "no KDC".into() }]);
    job.hdfs = "still no KDC".into();
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
}

#[test]
fn a_worker_that_left_and_comes_again_replaces_nobody() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Running);
    tracker.see(&job);
    (job.plan.workers, job.tasks[2].state) = (1, "stopping".into());
    assert_eq!(tracker.see(&job), [Event::Scaled { job: "fashion-mnist-7".into(), workers: 1 }]);
    (job.plan.workers, job.tasks[2].state, job.tasks[2].attempt) = (2, "launching".into(), 2);
    assert_eq!(names(&tracker.see(&job)), ["scaled"]);
}

#[test]
fn what_tasks_do_after_the_end_is_no_news() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Running);
    tracker.see(&job);
    job.state = State::Failed;
    job.tasks[0].state = "lost".into();
    assert_eq!(names(&tracker.see(&job)), ["ended"]);
}

#[test]
fn a_new_reason_to_wait_is_news() {
    let mut tracker = Tracker::default();
    let mut job = sample::job(State::Pending);
    tracker.see(&job);
    job.reason = "no room".into();
    assert_eq!(names(&tracker.see(&job)), ["state"]);
    assert_eq!(names(&tracker.see(&job)), [""; 0]);
}
