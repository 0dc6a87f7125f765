//! With Kerberos, and nothing on this machine: Fashion-MNIST, as the example has it, is put into HDFS, jobs train on it and leave
//! checkpoints and models there, and predictions read both. Tasks have a file with a delegation token, and no ticket.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tfcoord_testkit::Lab;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/fashion-mnist");
const IMAGES: &str = "t10k-images-idx3-ubyte.gz";
const LABELS: &str = "t10k-labels-idx1-ubyte.gz";

// The example's, with its data in `data`: 63 steps an epoch.
fn job(name: &str, data: &str) -> Value {
    let mut job: Value = serde_json::from_str(&std::fs::read_to_string(format!("{EXAMPLE}/job.json")).unwrap()).unwrap();
    job["name"] = json!(name);
    job["train"]["epochs"] = json!(2);
    for set in ["train", "eval"] {
        job["data"][set]["images"] = json!(format!("{data}/{IMAGES}"));
        job["data"][set]["labels"] = json!(format!("{data}/{LABELS}"));
    }
    assert_eq!((&job["worker"]["count"], &job["parameter_server"]["count"]), (&json!(2), &json!(1)));
    job
}

// Tensors and curve where everything is on this machine.
fn quiet_bits() -> (Vec<u8>, Vec<u8>) {
    let lab = Lab::new();
    lab.submit(&job("quiet", &format!("{EXAMPLE}/data")));
    lab.bits("quiet")
}

// As the DC/OS service has it: the site by URI, the KDC and the principal by name, its keytab a secret in base64.
fn service(hadoop: &Hadoop, lab: &Lab) -> Value {
    let secret = lab.path().join("__dcos_base64__alice_keytab");
    std::fs::write(&secret, BASE64_STANDARD.encode(std::fs::read(hadoop.keytab("alice")).unwrap())).unwrap();
    json!({
        "hdfs": {"config_uri": format!("file://{}", hadoop.conf_dir().display())},
        "security": {"kerberos": {
            "enabled": true,
            "kdc": {"hostname": "127.0.0.1", "port": hadoop.kdc().port()},
            "primary": "alice",
            "realm": "BED.TEST",
            "keytab_secret": "__dcos_base64__alice_keytab",
        }}
    })
}

fn of_site(security: Security, quiet: &(Vec<u8>, Vec<u8>)) {
    println!("{security:?}");
    let Some(hadoop) = Hadoop::start(Form { aes: true, ..Form::new(security) }) else { return };
    hadoop.kinit("alice");
    let mut lab = Lab::new();
    hadoop.environment("alice").iter().for_each(|(name, value)| lab.set(name, value));
    let home = format!("{}/user/alice", hadoop.url());
    let run = |arguments: &[&str]| {
        let output = lab.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}\n{}", String::from_utf8_lossy(&output.stderr), lab.logs());
        output.stdout
    };
    let data = format!("{home}/fashion-mnist");
    let [images, labels] = [IMAGES, LABELS].map(|name| format!("{EXAMPLE}/data/{name}"));
    run(&["data", "put", &images, &labels, &data]);
    let cat = |path: &str| {
        let output = hadoop.dfs("alice", &["-cat", path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let mut predictions = Vec::new();
    for (name, service) in [("ticket", None), ("keytab", Some(service(&hadoop, &lab)))] {
        let mut file = job(name, &data);
        file["output"]["dir"] = json!(format!("{home}/{name}"));
        file["checkpoint"] = json!({"every_steps": 30});
        service.into_iter().for_each(|service| file["service"] = service);
        let path = lab.write_job(&file);
        run(&["submit", path.to_str().unwrap()]);

        let listed: Value = serde_json::from_slice(&run(&["data", "ls", &format!("{home}/{name}"), "-o", "json"])).unwrap();
        let folder = listed["entries"][0]["name"].as_str().unwrap_or_else(|| panic!("{listed}")).trim_end_matches('/').to_owned();
        let there = format!("/user/alice/{name}/{folder}");
        let bits = (cat(&format!("{there}/model/model.safetensors")), cat(&format!("{there}/curve.csv")));
        assert!(bits == *quiet, "the bits of {name} differ");
        let kept = hadoop.dfs("alice", &["-ls", &format!("{there}/checkpoints")]);
        assert!(String::from_utf8_lossy(&kept.stdout).contains(".json"), "{kept:?}");
        let model = format!("{}{there}/model", hadoop.url());
        predictions.push(run(&["predict", &model, "--data", &format!("{data}/{IMAGES}"), "-o", "jsonl"]));
    }
    assert!(!predictions[0].is_empty() && predictions[0] == predictions[1]);
}

#[test]
fn a_jobs_whole_life_is_in_hdfs_whatever_its_protection() {
    let quiet = quiet_bits();
    [Security::Authentication, Security::Integrity, Security::Privacy].into_iter().for_each(|security| of_site(security, &quiet));
}
