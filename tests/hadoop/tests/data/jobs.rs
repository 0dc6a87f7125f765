//! Whole jobs on data in HDFS.

use super::set::{home, put_all, start};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tfcoord_fs::storage::Location;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::{Lab, idx, job};

// A laboratory whose workers reach HDFS.
fn lab(variables: &[(String, String)]) -> Lab {
    let lab = Lab::new();
    let exports: String = variables.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    lab.replace_program("tfcoord-worker", &format!("{exports}exec \"$REAL\" \"$@\""));
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
    assert!(text.contains(": data.train.images: cannot look at ") && text.contains(" as alice (NameNode localhost:"), "{text}");
    assert!(text.contains("it is not there\n  help: check the path"), "{text}");
}

#[test]
fn a_job_trains_from_secured_hdfs_with_a_ticket_or_a_token() {
    let Some(hadoop) = Hadoop::start(Form { aes: true, block_size: 1 << 20, ..Form::new(Security::Privacy) }) else { return };
    hadoop.kinit("alice");
    let mut environment = hadoop.environment("alice");
    let ticket = lab(&environment);
    let root = Location::parse(&hadoop.url(), None).unwrap().join("user/alice");
    for name in ["images.idx", "labels.idx"] {
        let local = ticket.path().join(name).display().to_string();
        let put = hadoop.dfs("alice", &["-put", &local, &root.join(name).to_string()]);
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    }
    same(&ticket, &root.to_string());

    println!("with a token, and no ticket");
    environment.retain(|(name, _)| name != "KRB5CCNAME");
    environment.push(("KRB5CCNAME".to_owned(), format!("FILE:{}", hadoop.path().join("no-cache").display())));
    let mut with_token = environment.clone();
    with_token.push(("HADOOP_TOKEN_FILE_LOCATION".to_owned(), token(&hadoop).display().to_string()));
    same(&lab(&with_token), &root.to_string());

    println!("with neither");
    let nobody = lab(&environment);
    let path = nobody.write_job(&pictures("nobody", &format!("{root}/")));
    let output = nobody.run(&["submit", path.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("Kerberos: there is neither a ticket nor a token") && text.contains("help: log in with kinit"), "{text}");
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

// A delegation token of alice's, in a file.
fn token(hadoop: &Hadoop) -> PathBuf {
    let file = hadoop.path().join("alice.tokens");
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
    probe.envs(hadoop.environment("alice")).args(["--name-node", &format!("localhost:{}", hadoop.rpc_port(0)), "--protection", "privacy"]);
    let output = probe.args(["get-token", "alice"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}
