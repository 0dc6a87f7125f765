//! Jobs for the tests of this crate.

use crate::job::{Evaluation, Job, Plan, Progress, State, Task};

/// A job of two workers in this state.
pub fn job(state: State) -> Job {
    Job {
        id: "fashion-mnist-7".into(),
        revision: 20,
        state,
        reason: String::new(),
        file: "/srv/ann/job.json".into(),
        submitted_at_ms: 1_000_000,
        started_at_ms: Some(1_000_400),
        ended_at_ms: state.is_ended().then_some(1_012_300),
        plan: Plan {
            train_records: 8000,
            eval_records: 2000,
            batch_size: 128,
            micro_batches: 4,
            steps_per_epoch: 63,
            epochs: 10,
            workers: 2,
            servers: 1,
            parameters: 203_530,
            worker_bytes: 21_500_000,
            server_bytes: 12 << 20,
            sync: "bsp".into(),
            locality: None,
        },
        progress: Some(progress()),
        tasks: vec![task("ps-0", 0), task("worker-0", 2), task("worker-1", 2)],
        evaluations: vec![],
        classes: vec!["cat".into(), "dog".into()],
        outputs: None,
        checkpoints: None,
        hdfs: String::new(),
        job_file: None,
    }
}

/// In the third epoch.
pub fn progress() -> Progress {
    Progress {
        epoch: 3,
        step: 150,
        steps: 630,
        loss: Some(0.41234),
        accuracy: Some(0.85337),
        records_per_s: 12_345.6,
        seconds_left: Some(12.4),
        workers_alive: 2,
    }
}

/// A registered task.
pub fn task(task: &str, lanes: u32) -> Task {
    Task {
        task: task.into(),
        state: "registered".into(),
        host: "here".into(),
        attempt: 1,
        incarnation: 3,
        lanes,
        restarts: 0,
        last_exit: String::new(),
        last_exit_attempt: 0,
        late: String::new(),
    }
}

/// After this many epochs.
pub fn evaluation(epoch: u32) -> Evaluation {
    Evaluation {
        epoch,
        step: u64::from(epoch) * 63,
        records: 2000,
        loss: 0.36254,
        accuracy: Some(0.871),
        correct: 1742,
        auc: None,
        confusion: vec![900, 100, 158, 842],
    }
}
