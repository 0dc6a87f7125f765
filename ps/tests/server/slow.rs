//! A worker that does not read.

use crate::fleet::{Fleet, HOST, variables};
use serde_json::json;
use tfcoord_exchange::Error;

/// One version is 8 MiB: two versions, the slack beside them and HTTP/2's windows are full after some steps.
const STEPS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_is_closed_and_holds_nobody_up() {
    let fleet = Fleet::new((variables(2 << 20), 1 << 20), json!({}));
    let server = fleet.server(0, &[]);
    fleet.run(1).await;
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    let mut sleeper = fleet.worker(0, 23, "elsewhere").await;
    for step in 0..STEPS {
        for chunk in [0, 1] {
            a.push(step, chunk, 2.0).await;
            assert_eq!(a.said().await, format!("Held {chunk} of step {step}"));
            b.push(step, chunk, 2.0).await;
            let updated = format!("chunk {chunk} version {} is -{}", step + 1, step + 1);
            assert_eq!(a.said().await, updated);
            assert_eq!(b.said().await, updated);
        }
        for worker in [&mut a, &mut b] {
            worker.push(step, 2, 2.0).await;
        }
        while !a.said().await.starts_with("chunk 2") {}
        while !b.said().await.starts_with("chunk 2") {}
    }
    let mut read = 0;
    let error = loop {
        match sleeper.next().await {
            Ok(Some(_)) => read += 1,
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(error, Error::Failed { code: tonic::Code::ResourceExhausted, .. }), "{error}");
    assert!(read < 3 * STEPS, "{read} events came before the end");
    let high = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let high = high.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB");
    assert!(high.parse::<u64>().unwrap() < 256 << 10, "{high} KiB at most");
}
