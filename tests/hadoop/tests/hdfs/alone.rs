//! Without Kerberos; and what is left of a bed when it ends.

use super::secured::put;
use super::web::ask;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::lab::programs_dir;
use tfcoord_testkit::processes::{Process, with_arguments};
use tfcoord_testkit::tools::tool;

const BLOCK: usize = 64 << 10;

/// The processes that have the folder in an argument.
fn processes(dir: &Path) -> Vec<Process> {
    let mut found = with_arguments(&[]);
    found.retain(|process| process.arguments.iter().any(|argument| argument.contains(dir.to_str().unwrap())));
    found
}

#[test]
fn blocks_lie_on_hosts_with_names() {
    let hosts = ["red", "green", "blue"].map(str::to_owned);
    let form = Form { hosts: hosts.to_vec(), block_size: BLOCK as u64, ..Form::new(Security::Simple) };
    let Some(hadoop) = Hadoop::start(form) else { return };
    let local = hadoop.path().join("blocks");
    fs::write(&local, vec![7; 3 * BLOCK]).unwrap();
    put(&hadoop, "alice", local.to_str().unwrap(), "/user/alice/blocks");

    let (status, body) = ask(&hadoop, "alice", "GET", "/user/alice/blocks?op=GETFILEBLOCKLOCATIONS&user.name=alice");
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let blocks = answer["BlockLocations"]["BlockLocation"].as_array().unwrap();
    assert_eq!(blocks.len(), 3, "{body}");
    for block in blocks {
        let named = block["hosts"].as_array().unwrap();
        assert_eq!(named.len(), 2, "{body}");
        assert!(named.iter().all(|host| hosts.iter().any(|known| known == host.as_str().unwrap())), "{body}");
    }

    let dir = hadoop.path().to_owned();
    assert!(processes(&dir).iter().any(|process| process.pid.cast_unsigned() == hadoop.pid()));
    drop(hadoop);
    assert_eq!(processes(&dir), []);
    assert!(!dir.exists());
}

#[test]
fn it_ends_with_the_process_that_started_it() {
    if tool("hadoop/stamp").is_none() {
        return;
    }
    let program = programs_dir().join("tfcoord-hadoop-bed");
    assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
    let mut bed = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(bed.stdout.take().unwrap()).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| !line.starts_with('#')).collect();
    let conf = said.iter().find_map(|line| line.strip_prefix("export HADOOP_CONF_DIR=")).unwrap_or_else(|| panic!("{said:?}"));
    let dir = Path::new(conf).parent().unwrap();
    assert!(dir.exists());
    assert!(processes(dir).len() >= 3, "a JVM, a KDC and its shell: {:?}", processes(dir));
    bed.kill().unwrap();
    bed.wait().unwrap();
    wait_for(60, "everything of the bed ends", || processes(dir).is_empty().then_some(()));
    assert!(!dir.exists(), "{} is left", dir.display());
}
