//! NameNodes that do not answer, or are not there. No Hadoop is needed for these.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};
use tfcoord_fs::hdfs::{Hdfs, Identity, Limits, Site};
use tfcoord_fs::storage::{Error, FileSystem, Location, Problem};

const SHORT: Limits =
    Limits { answer: Duration::from_millis(300), broken: Duration::from_millis(500), safe_mode: Duration::from_millis(500) };

fn site(dir: &Path, properties: &str) -> Site {
    std::fs::write(dir.join("core-site.xml"), format!("<configuration>{properties}</configuration>")).unwrap();
    Site::load(Some(dir), &|_| None).unwrap()
}

// With pauses of the client that are over at once.
const QUICK: &str = "<property><name>dfs.client.failover.sleep.base.millis</name><value>1</value></property>";

fn connect(port: u16, limits: Limits) -> (Result<Hdfs, Error>, Location) {
    let dir = tempfile::tempdir().unwrap();
    let at = Location::parse(&format!("hdfs://127.0.0.1:{port}/x"), None).unwrap();
    let identity = Identity { user: Some("alice".to_owned()), ..Identity::default() };
    (Hdfs::connect(&at, &site(dir.path(), QUICK), &identity, limits), at)
}

#[test]
fn a_namenode_that_hangs_ends_in_the_deadline() {
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (hdfs, at) = connect(silent.local_addr().unwrap().port(), SHORT);
    let began = Instant::now();
    let error = hdfs.unwrap().stat(&at).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(60), "by far less than a hang");
    let expect =
        format!("cannot look at {at} as alice (NameNode 127.0.0.1:{}): no answer within 0.3 s", silent.local_addr().unwrap().port());
    assert!(error.to_string().starts_with(&expect), "{error}");
}

#[test]
fn nobody_listens() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    // Bound and held, but it does not listen.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let (hdfs, at) = connect(held.local_addr().unwrap().port(), Limits { answer: Duration::from_secs(60), ..SHORT });
    let error = hdfs.unwrap().stat(&at).unwrap_err();
    assert!(error.to_string().contains("connection refused") && error.to_string().contains("check that the NameNode"), "{error}");
    assert!(matches!(error.problem, Problem::Refused { .. }));
}

#[test]
fn what_is_not_configured_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let site = site(dir.path(), "");
    let connect = |at: &str, identity: &Identity| {
        let at = Location::parse(at, None).unwrap();
        Hdfs::connect(&at, &site, identity, SHORT).unwrap_err().to_string()
    };
    let error = connect("hdfs:///x", &Identity::default());
    assert!(error.contains("names no fs.defaultFS, which hdfs:///x stands for: set HADOOP_CONF_DIR"), "{error}");
    let keytab = Identity { principal: Some("a".to_owned()), keytab: Some("/no/keytab".into()), ..Identity::default() };
    let error = connect("hdfs://nn:1/x", &keytab);
    assert!(error.contains("the keytab /no/keytab cannot be read: No such file"), "{error}");
    let error = connect("/x", &Identity::default());
    assert!(error.contains("another file system"), "{error}");
}
