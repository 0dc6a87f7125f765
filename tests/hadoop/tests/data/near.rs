//! Workers on hosts that hold their data.

use super::set::{home, put, systems};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use tfcoord_fs::storage::{FileSystem, Held, Location, Problem};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::{Lab, idx, job};

const BLOCK: u64 = 1 << 20;
const HALF: u32 = 400;
// Pictures of 12 x 12 bytes and their labels, with headers.
const HALF_BYTES: u64 = 400 * 144 + 16 + 400 + 8;

fn start() -> Option<Hadoop> {
    let hosts = ["red", "green", "blue"].map(str::to_owned).to_vec();
    Hadoop::start(Form { hosts, replication: 1, block_size: BLOCK, ..Form::new(Security::Simple) })
}

// Files are written to whichever DataNode: until it is the one that is wanted.
fn put_on(hadoop: &Hadoop, at: &Location, bytes: &[u8], host: &str) {
    let system = systems(hadoop, "alice").get(at).unwrap();
    for _ in 0..100 {
        put(hadoop, at, bytes);
        let held = system.held(at, 0..u64::MAX).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((held.len(), held[0].bytes.clone(), held[0].hosts.len()), (1, 0..bytes.len() as u64, 1));
        if held[0].hosts[0] == host {
            return;
        }
        system.delete(at).unwrap();
    }
    panic!("no block came to {host}");
}

#[test]
fn the_hosts_of_a_file_s_blocks_are_known() {
    let Some(hadoop) = start() else { return };
    let root = home(&hadoop, "held");
    let at = root.join("blocks");
    put(&hadoop, &at, &vec![7; 2 * BLOCK as usize + 9]);
    let system = systems(&hadoop, "alice").get(&at).unwrap();
    let runs = |held: &[Held]| held.iter().map(|held| held.bytes.clone()).collect::<Vec<_>>();
    let all = system.held(&at, 0..u64::MAX).unwrap();
    assert_eq!(runs(&all), [0..BLOCK, BLOCK..2 * BLOCK, 2 * BLOCK..2 * BLOCK + 9]);
    for held in &all {
        assert!(held.hosts.len() == 1 && ["red", "green", "blue"].contains(&held.hosts[0].as_str()), "{held:?}");
    }
    let part = system.held(&at, BLOCK - 3..BLOCK + 2).unwrap();
    assert_eq!((runs(&part), &part[0].hosts, &part[1].hosts), (vec![BLOCK - 3..BLOCK, BLOCK..BLOCK + 2], &all[0].hosts, &all[1].hosts));
    assert_eq!(runs(&system.held(&at, 3 * BLOCK..4 * BLOCK).unwrap()), []);
    let missing = system.held(&root.join("none"), 0..9).unwrap_err();
    assert!(matches!(missing.problem, Problem::Missing), "{missing}");
    let local = Location::Local("/etc/hostname".into());
    assert_eq!(tfcoord_fs::local::Local.held(&local, 0..9).unwrap(), []);
}

// Two workers, on green and red, though the first half of the records is on red and the second on green.
fn lab(hadoop: &Hadoop) -> (Lab, Location) {
    let mut lab = Lab::new();
    hadoop.environment("alice").iter().for_each(|(name, value)| lab.set(name, value));
    lab.set("TFCOORD_METRICS_LISTEN", "127.0.0.1:0");
    lab.replace_program(
        "tfcoord-worker",
        "case \"$*\" in *'--task worker-0 '*) TFCOORD_HOST=green; export TFCOORD_HOST;; *'--task worker-1 '*) TFCOORD_HOST=red.example.org; export TFCOORD_HOST;; esac\nexec $REAL \"$@\"",
    );
    let root = home(hadoop, "near");
    for (part, host, seed) in [("a", "red", 1), ("b", "green", 2)] {
        let dir = lab.path().join(part);
        fs::create_dir(&dir).unwrap();
        idx::write_pictures(&dir, HALF, 12, 4, seed);
        for name in ["images.idx", "labels.idx"] {
            put_on(hadoop, &root.join(&format!("{part}-{name}")), &fs::read(dir.join(name)).unwrap(), host);
        }
    }
    (lab, root)
}

fn two_halves(name: &str, paths: impl Fn(&str, &str) -> String, shuffle: bool) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 1, 1);
    let both = |name: &str| [paths("a", name), paths("b", name)];
    job["data"] = json!({"format": "idx", "shuffle": shuffle, "train": {"images": both("images.idx"), "labels": both("labels.idx")}});
    job["worker"]["count"] = json!(2);
    job["train"]["epochs"] = json!(40);
    job
}

// Bytes that a worker has read, by their source.
fn read_bytes(lab: &Lab, job: &str, worker: &str) -> Option<(u64, u64)> {
    let file = lab.state_dir().join("jobs").join(job).join("tasks").join(worker).join("1/metrics-address");
    let mut stream = TcpStream::connect(fs::read_to_string(file).ok()?.trim()).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let of = |source: &str| {
        let name = format!("tfcoord_worker_read_bytes_total{{source=\"{source}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok()).unwrap_or(0u64)
    };
    assert_eq!(of("unknown"), 0, "{text}");
    Some((of("local"), of("remote")))
}

fn wait_for_job(lab: &Lab, name: &str) -> String {
    let is_it = |file: &str| file.starts_with(name) && Path::new(file).extension().is_none();
    wait_for(60, "the job", || {
        let mut found = fs::read_dir(lab.state_dir().join("jobs")).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        found.find(|file| is_it(file))
    })
}

fn ended(lab: &Lab, submit: Child) -> String {
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", lab.logs());
    text
}

#[test]
fn lanes_go_to_the_workers_whose_hosts_hold_them_with_the_same_bits() {
    let Some(hadoop) = start() else { return };
    let (lab, root) = lab(&hadoop);
    let there = |part: &str, name: &str| root.join(&format!("{part}-{name}")).to_string();
    let all = |(local, remote): (u64, u64), bytes: u64| (local + remote == bytes).then_some((local, remote));
    let read =
        |job: &str, bytes: u64| ["worker-0", "worker-1"].map(|worker| wait_for(60, worker, || all(read_bytes(&lab, job, worker)?, bytes)));

    println!("in order: each worker reads the half on its host");
    let submit = lab.spawn_submit(&two_halves("near", there, false));
    let job = wait_for_job(&lab, "near-");
    assert_eq!(read(&job, HALF_BYTES), [(HALF_BYTES, 0); 2], "{}", lab.logs());
    let status = lab.status(&job);
    let locality = &status["plan"]["locality"];
    assert!(locality["bytes"].as_u64() > Some(0) && locality["bytes"] == locality["local_bytes"], "{status}");
    let hosts: Vec<&str> = status["tasks"].as_array().unwrap().iter().map(|task| task["host"].as_str().unwrap()).collect();
    assert_eq!(hosts[1..], ["green", "red.example.org"], "{status}");
    let text = ended(&lab, submit);
    assert!(text.contains(" % of the data on their workers' hosts"), "{text}");

    println!("shuffled: each reads from everywhere, and nobody is preferred");
    let submit = lab.spawn_submit(&two_halves("far", there, true));
    let job = wait_for_job(&lab, "far-");
    assert_eq!(read(&job, 2 * HALF_BYTES), [(HALF_BYTES, HALF_BYTES); 2]);
    ended(&lab, submit);

    println!("the same bits as from this machine");
    let here = |part: &str, name: &str| format!("{part}/{name}");
    for (name, like, shuffle) in [("here", "near", false), ("here-shuffled", "far", true)] {
        lab.submit(&two_halves(name, here, shuffle));
        assert!(lab.bits(name) == lab.bits(like), "{name}: the bits differ");
    }
}
