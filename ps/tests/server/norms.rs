//! Clipping by the global norm of gradients that lie on two servers.

use crate::fleet::{Fleet, HOST, variables};
use serde_json::json;

// Chunk 0 on ps-0, chunk 1 on ps-1, the curve on ps-0; 8,192 elements in all.
#[tokio::test]
async fn both_servers_scale_by_the_same_norm() {
    let fleet = Fleet::new((variables(8192), 4096), json!({"clip_norm": 32.0}));
    let _servers = [fleet.server(0, &[]), fleet.server(1, &[])];
    fleet.run(2).await;
    let (mut a0, mut b0) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    let (mut a1, mut b1) = (fleet.worker(1, 21, "elsewhere").await, fleet.worker(1, 22, HOST).await);
    // A mean gradient of 1 has the norm √8192; twice it is twice that.
    for (step, sum) in [(0, 2.0), (1, 4.0)] {
        for (worker, chunk) in [(&mut a1, 1), (&mut b1, 1), (&mut a0, 0), (&mut b0, 0)] {
            worker.push(step, chunk, sum).await;
            assert_eq!(worker.said().await, format!("Held {chunk} of step {step}"));
        }
        let scale = 32.0 / 8192f64.sqrt();
        let said = [(&mut a0, 0), (&mut a1, 1)];
        for (worker, chunk) in said {
            let said = worker.said().await;
            let value: f64 = said.strip_prefix(&format!("chunk {chunk} version {} is ", step + 1)).unwrap().parse().unwrap();
            let expected = f64::from(-1.0 - f32::from(u8::try_from(step).unwrap())) * scale;
            assert!((value - expected).abs() < 1e-6, "{value} for {expected}");
        }
        // The others see it too.
        b0.said().await;
        b1.said().await;
    }
}

#[tokio::test]
async fn norms_that_come_before_the_first_server_knows_are_sent_again() {
    let fleet = Fleet::new((variables(8192), 4096), json!({"clip_norm": 32.0}));
    // ps-0 hears of nothing while it is stopped.
    let servers = [fleet.server(0, &[]), fleet.server(1, &[])];
    fleet.run(2).await;
    let (mut a0, mut b0) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    let (mut a1, mut b1) = (fleet.worker(1, 21, HOST).await, fleet.worker(1, 22, HOST).await);
    // The next generation: ps-1 takes its whole step before ps-0 has seen the view.
    let pid = rustix::process::Pid::from_raw(servers[0].pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    fleet.show(|view| view.generation.0 = 2);
    let revision = fleet.stage.view.borrow().revision;
    fleet.reported(1, |report| report.applied == revision).await;
    let again = |push: tfcoord_exchange::Push| tfcoord_exchange::Push { generation: tfcoord_types::id::Generation(2), ..push };
    for worker in [&mut a1, &mut b1] {
        let push = again(worker.sum(0, 1, 2.0));
        tfcoord_exchange::Pushes::push(&mut worker.opened.pushes, push).await.unwrap();
        assert_eq!(worker.said().await, "Held 1 of step 0");
    }
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    fleet.reported(0, |report| report.applied == revision).await;
    for worker in [&mut a0, &mut b0] {
        let push = again(worker.sum(0, 0, 2.0));
        tfcoord_exchange::Pushes::push(&mut worker.opened.pushes, push).await.unwrap();
        assert_eq!(worker.said().await, "Held 0 of step 0");
    }
    assert!(a1.said().await.starts_with("chunk 1 version 1 is -0.35"));
    assert!(a0.said().await.starts_with("chunk 0 version 1 is -0.35"));
}
