use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tfcoord_telemetry::prometheus::{self, Kind, RECORDED_METRICS, Role};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use tfcoord_testkit::tools::tool;

/// One real endpoint with every metric of every role in use.
#[tokio::test]
async fn promtool_finds_no_fault_in_a_real_endpoint() -> Result<()> {
    let endpoint = prometheus::install(Role::Coordinator)?;
    assert!(prometheus::install(Role::Coordinator).is_err(), "a second recorder took the place of the first");
    for metric in RECORDED_METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|name| metrics::Label::new(*name, "some")).collect();
        match metric.kind {
            Kind::Counter => metrics::counter!(metric.name, labels).increment(3),
            Kind::Gauge => metrics::gauge!(metric.name, labels).set(2.0),
            Kind::Histogram { .. } => metrics::histogram!(metric.name, labels).record(0.2),
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(endpoint.serve(listener, async move {
        let _ = stopped.await;
    }));

    let metrics = tokio::task::spawn_blocking(move || get(address, "/metrics")).await??;
    let (head, body) = metrics.split_once("\r\n\r\n").context("no end of head")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for metric in RECORDED_METRICS {
        assert!(body.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.word())), "{} in\n{body}", metric.name);
    }
    let elsewhere = tokio::task::spawn_blocking(move || get(address, "/")).await??;
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");

    stop.send(()).expect("the server waits for this");
    server.await??;

    let Some(promtool) = tool("promtool/promtool") else { return Ok(()) };
    let (clean, remarks) = check(&promtool, body)?;
    assert!(clean && remarks.is_empty(), "{remarks}\n{body}");
    let (clean, remarks) = check(&promtool, "# TYPE tfcoord_lost counter\ntfcoord_lost 1\n")?;
    assert!(!clean && remarks.contains("_total"), "promtool let a bad name pass: {remarks}");
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Whether promtool is content with `text`, and what it says.
fn check(promtool: &Path, text: &str) -> Result<(bool, String)> {
    let mut child =
        Command::new(promtool).args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    let remarks = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), remarks))
}
