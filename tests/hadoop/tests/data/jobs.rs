//! Whole jobs on data in HDFS.

use super::set::{home, put_all, start};
use serde_json::{Value, json};
use std::path::PathBuf;
use tfcoord_fs::storage::Location;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::{Lab, idx, job};

// A laboratory of somebody who reaches HDFS.
fn lab(variables: &[(String, String)]) -> Lab {
    let mut lab = Lab::new();
    variables.iter().for_each(|(name, value)| lab.set(name, value));
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

fn pictures(name: &str, root: &str) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["worker"]["count"] = json!(2);
    for set in ["train", "eval"] {
        let records = job["data"][set]["records"].clone();
        job["data"][set] = json!({"images": format!("{root}images.idx"), "labels": format!("{root}labels.idx"), "records": records});
    }
    job
}

// The job from HDFS has the bits of the one from this machine, and its model predicts from there.
fn same(lab: &Lab, root: &str) {
    lab.submit(&pictures("here", ""));
    lab.submit(&pictures("there", &format!("{root}/")));
    assert!(lab.bits("there") == lab.bits("here"));
    let logs = std::fs::read_to_string(lab.state_dir().join("coordinator.log")).unwrap() + &lab.logs();
    for unknown in ["no worker is preferred", "it is not known which hosts"] {
        assert!(!logs.contains(unknown), "{logs}");
    }
    let model = lab.outputs("there").join("model").display().to_string();
    let predicted = |root: &str| {
        let (images, labels) = (format!("{root}images.idx"), format!("{root}labels.idx"));
        let output = lab.run(&["predict", &model, "--data", &images, "--labels", &labels, "--records", "803..1003", "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert_eq!(predicted(&format!("{root}/")), predicted(""));
}

#[test]
fn a_job_trains_from_hdfs_with_the_same_bits() {
    let Some(hadoop) = start(false) else { return };
    let lab = lab(&hadoop.environment("alice"));
    let root = home(&hadoop, "job");
    for name in ["images.idx", "labels.idx"] {
        assert!(lab.path().join(name).exists());
    }
    put_all(&hadoop, &only(&lab), &root);
    same(&lab, &root.to_string().replace(&hadoop.url(), "hdfs://default"));

    println!("refused before anything is launched");
    let path = lab.write_job(&pictures("missing", &format!("{root}/no/")));
    let output = lab.run(&["submit", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains(": data.train.images: cannot look at ")
            && text.contains("/no/images.idx as ")
            && text.contains(" (NameNode localhost:"),
        "{text}"
    );
    assert!(text.contains("it is not there\n  help: check the path"), "{text}");
}

#[test]
fn a_job_trains_from_secured_hdfs_with_the_submitters_ticket() {
    let Some(hadoop) = Hadoop::start(Form { aes: true, block_size: 1 << 20, ..Form::new(Security::Privacy) }) else { return };
    hadoop.kinit("alice");
    let ticket = lab(&hadoop.environment("alice"));
    let root = Location::parse(&hadoop.url(), None).unwrap().join("user/alice");
    for name in ["images.idx", "labels.idx"] {
        let local = ticket.path().join(name).display().to_string();
        let put = hadoop.dfs("alice", &["-put", &local, &root.join(name).to_string()]);
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    }
    same(&ticket, &root.to_string());
}

// A directory with the data alone.
fn only(lab: &Lab) -> PathBuf {
    let dir = lab.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    for name in ["images.idx", "labels.idx"] {
        std::fs::copy(lab.path().join(name), dir.join(name)).unwrap();
    }
    dir
}
