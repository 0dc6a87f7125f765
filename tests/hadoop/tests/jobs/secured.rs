//! With Kerberos: tasks have a file with a delegation token, and no ticket.

use super::place::{job, lab, quiet_bits};
use serde_json::{Value, json};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn results_and_checkpoints_are_written_with_a_token() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Privacy)) else { return };
    hadoop.kinit("alice");
    let mut lab = lab();
    hadoop.environment("alice").iter().for_each(|(name, value)| lab.set(name, value));
    let home = format!("{}/user/alice", hadoop.url());
    let mut file = job("secret", 4);
    file["output"]["dir"] = json!(format!("{home}/out"));
    file["checkpoint"] = json!({"every_steps": 30, "dir": format!("{home}/checkpoints")});
    lab.submit(&file);

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
