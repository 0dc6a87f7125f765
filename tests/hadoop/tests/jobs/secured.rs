//! With Kerberos: tasks have a file with a delegation token in their environment, and no ticket.

use super::place::{job, lab, quiet_bits};
use serde_json::{Value, json};
use std::process::Command;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn a_token_is_enough() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Privacy)) else { return };
    let token = hadoop.path().join("token");
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
    probe.env("KRB5_CONFIG", hadoop.krb5_conf()).args(["--name-node", &format!("localhost:{}", hadoop.rpc_port(0))]);
    probe.args(["--protection", "privacy", "--by", "keytab", "--user", &hadoop.principal("alice"), "--keytab"]).arg(hadoop.keytab("alice"));
    let got = probe.args(["get-token", "tfcoord", token.to_str().unwrap()]).output().unwrap();
    assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));

    let mut lab = lab();
    lab.set("HADOOP_CONF_DIR", hadoop.conf_dir().to_str().unwrap());
    lab.set("HADOOP_TOKEN_FILE_LOCATION", token.to_str().unwrap());
    lab.set("KRB5_CONFIG", hadoop.krb5_conf().to_str().unwrap());
    lab.set("KRB5CCNAME", &format!("FILE:{}", lab.path().join("nobody's").display()));
    let home = format!("{}/user/alice", hadoop.url());
    let mut file = job("secret", 4);
    file["output"]["dir"] = json!(format!("{home}/out"));
    file["checkpoint"] = json!({"every_steps": 30, "dir": format!("{home}/checkpoints")});
    lab.submit(&file);

    hadoop.kinit("alice");
    let cat = |path: &str| {
        let output = hadoop.dfs("alice", &["-cat", path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let bits = (cat("/user/alice/out/secret-2/model/model.safetensors"), cat("/user/alice/out/secret-2/curve.csv"));
    assert!(bits == quiet_bits(4), "the bits differ");
    let listed = hadoop.dfs("alice", &["-ls", "/user/alice/checkpoints/secret-2"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(".json"), "{listed:?}");
    let predicted = lab.run(&["predict", &format!("{home}/out/secret-2/model"), "--data", "images.idx", "-o", "jsonl"]);
    assert!(predicted.status.success(), "{}", String::from_utf8_lossy(&predicted.stderr));
    let line = String::from_utf8_lossy(&predicted.stdout).lines().next().unwrap().to_owned();
    assert!(serde_json::from_str::<Value>(&line).unwrap()["scores"].is_array(), "{line}");
}
