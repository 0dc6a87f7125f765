use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::{dispatcher, info_span, warn};

use super::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: Format, identity: &Identity, filter: &str, log: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let dispatch = dispatch(format, identity, filter, move || writer.clone()).unwrap();
    dispatcher::with_default(&dispatch, log);
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn worker() -> Identity {
    Identity::Task { job: "mnist-7".into(), task: "mnist-7/worker-0".into(), attempt: 3 }
}

#[test]
fn every_json_line_of_a_task_is_one_object_with_its_identity() {
    let text = logged(Format::Json, &worker(), "info", || {
        warn!(step = 12, note = "two\nlines \"quoted\"", "slow step");
        info_span!("exchange", server = 1).in_scope(|| warn!("inside a span"));
    });
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for line in &lines {
        assert_eq!((&line["job"], &line["task"], &line["attempt"]), (&"mnist-7".into(), &"mnist-7/worker-0".into(), &3.into()));
        assert_eq!(line["level"], "WARN");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!((&lines[0]["message"], &lines[0]["step"]), (&"slow step".into(), &12.into()));
    assert_eq!(lines[0]["note"], "two\nlines \"quoted\"");
    assert_eq!((&lines[1]["span"]["name"], &lines[1]["span"]["server"]), (&"exchange".into(), &1.into()));
}

#[test]
fn every_text_line_of_a_task_ends_with_its_identity() {
    let text = logged(Format::Text, &worker(), "info", || warn!(step = 12, "slow step"));
    assert!(text.contains(" WARN ") && text.contains("slow step step=12"), "{text}");
    assert!(text.ends_with(" job=mnist-7 task=mnist-7/worker-0 attempt=3\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "colours in a log that is kept: {text:?}");
}

#[test]
fn a_coordinator_speaks_of_the_jobs_its_events_name() {
    let text = logged(Format::Json, &Identity::Coordinator, "info", || warn!(job = "a-1", "lost"));
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["job"], line.get("task")), (&"a-1".into(), None));
    let text = logged(Format::Text, &Identity::Coordinator, "info", || warn!("lost"));
    assert!(text.ends_with("lost\n"), "{text}");
}

#[test]
fn the_filter_chooses() {
    let log = || {
        tracing::debug!(target: "tfcoord_ps", "fine");
        tracing::debug!(target: "h2", "coarse");
    };
    assert_eq!(logged(Format::Text, &worker(), "info", log), "");
    let text = logged(Format::Text, &worker(), "info,tfcoord_ps=debug", log);
    assert!(text.contains("fine") && !text.contains("coarse"), "{text}");
}

#[test]
fn a_filter_that_is_none_is_an_error_that_shows_it() {
    let error = dispatch(Format::Text, &worker(), "tfcoord_ps=loud", io::stderr).unwrap_err();
    assert_eq!(error.to_string(), r#"TFCOORD_LOG="tfcoord_ps=loud" is not a log filter"#);
}

#[test]
fn formats_have_names() {
    for format in [Format::Text, Format::Json] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!("xml".parse::<Format>().unwrap_err().to_string(), r#"unknown log format "xml": expected text or json"#);
}
