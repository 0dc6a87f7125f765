//! What a server leaves and shows: event files, metrics, addresses, little memory.

use crate::fleet::{CURVE, Fleet, HOST, WITHIN, files, small};
use serde_json::json;
use tfcoord_types::figures::Counts;
use tfcoord_types::view::{Directive, Evaluation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_curve_and_evaluations_become_events_once() {
    let fleet = Fleet::new(small(), json!({}));
    let mut server = fleet.server(0, &[]);
    fleet.run(1).await;
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    // Two epochs of two steps: the ends of both are written.
    for step in 0..4 {
        for chunk in [0, 1, CURVE] {
            a.push(step, chunk, 2.0).await;
            b.push(step, chunk, 2.0).await;
        }
        fleet.reached(0, step + 1).await;
    }
    let counts = Counts { records: 4, correct: 3, ..Counts::default() };
    let evaluation = Evaluation { epoch: 1, step: 2, counts };
    fleet.show(|view| view.evaluations.push(evaluation.clone()));
    let revision = fleet.stage.view.borrow().revision;
    fleet.reported(0, |report| report.applied == revision).await;
    // The last one comes with the word to stop, and the first one again.
    fleet.show(|view| {
        view.evaluations.push(Evaluation { epoch: 2, step: 4, ..evaluation });
        view.directive = Directive::Stop { reason: "done".into() };
    });
    assert_eq!(server.exit_code().await, Some(0));
    let events = files(&fleet.dir.path().join("out/demo-1/tensorboard"));
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].to_string_lossy().ends_with(".ps-0"));
    let text = std::fs::read(&events[0]).unwrap();
    let count = |tag: &str| text.windows(tag.len()).filter(|window| *window == tag.as_bytes()).count();
    assert_eq!(["train/loss", "train/accuracy", "eval/loss", "eval/accuracy", "eval/auc"].map(count), [2, 2, 2, 2, 0]);
}

#[tokio::test]
async fn addresses_and_metrics_are_where_they_should_be() {
    let fleet = Fleet::new(small(), json!({}));
    let addresses = fleet.dir.path().join("addresses");
    let environment = [
        ("TFCOORD_ADVERTISE", "10.0.0.1:7,unix:/proxy"),
        ("TFCOORD_ADDRESS_FILE", addresses.to_str().unwrap()),
        ("TFCOORD_METRICS_LISTEN", "127.0.0.1:0"),
    ];
    let server = fleet.server(0, &environment);
    fleet.run(1).await;
    assert_eq!(fleet.address(0).addresses, ["10.0.0.1:7", "unix:/proxy"]);
    let real: Vec<String> = std::fs::read_to_string(&addresses).unwrap().lines().map(Into::into).collect();
    assert!(real[0].starts_with("unix:/") && real[0].ends_with("/1-ps-0-1.sock") && real[1].starts_with("127.0.0.1:"), "{real:?}");
    fleet.stage.hellos.send_modify(|hellos| hellos.get_mut(&10).unwrap().addresses = real);
    let (mut a, mut b) = (fleet.worker(0, 21, HOST).await, fleet.worker(0, 22, HOST).await);
    a.push(0, 0, 1.0).await;
    assert_eq!(a.said().await, "Held 0 of step 0");
    b.push(0, 0, 1.0).await;
    b.said().await;

    let address = std::fs::read_to_string(fleet.dir.path().join("ps-0/metrics-address")).unwrap();
    let mut stream = TcpStream::connect(address.trim()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(WITHIN, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    for line in [
        "tfcoord_pushes_total{outcome=\"held\"} 1",
        "tfcoord_pushes_total{outcome=\"completed\"} 1",
        "tfcoord_push_bytes_total 32768",
        "tfcoord_chunk_updates_total 1",
        "tfcoord_held_blocks 0",
        "tfcoord_step 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is missing in\n{text}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().trim_end_matches(" kB");
    let resident: u64 = resident.parse().unwrap();
    assert!(resident <= 40 << 10, "{resident} KiB are resident");
}
