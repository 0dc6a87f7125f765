//! A site with data on it, and a laboratory whose submitter is alice.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::{idx, job, lab::Lab};

/// Records in alice's home.
const RECORDS: u32 = 320;

pub struct Site {
    pub hadoop: Hadoop,
    pub lab: Lab,
}

impl Site {
    /// With tokens of short lives, and pictures that only alice may read. Nothing where it cannot be installed.
    pub fn start() -> Option<Self> {
        let short = Form {
            token_renew_interval: Duration::from_secs(30),
            token_life_max: Duration::from_secs(150),
            data_nodes: 1,
            replication: 1,
            ..Form::new(Security::Authentication)
        };
        let hadoop = Hadoop::start(short)?;
        hadoop.kinit("alice");
        let mut lab = Lab::new();
        hadoop.environment("alice").iter().for_each(|(name, value)| lab.set(name, value));
        idx::write_pictures(lab.path(), RECORDS, 12, 4, 7);
        let files = ["images.idx", "labels.idx"].map(|name| lab.path().join(name).display().to_string());
        let put = hadoop.dfs("alice", &["-put", &files[0], &files[1], "/user/alice/"]);
        assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
        // What is read is read from there.
        files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        Some(Self { hadoop, lab })
    }

    /// A job over the pictures in HDFS, as whoever has a ticket.
    pub fn job(&self, name: &str, epochs: u32) -> Value {
        let mut job = job::pictures(name, job::mlp_layers(), 256, 64);
        let home = format!("{}/user/alice", self.hadoop.url());
        for source in ["train", "eval"] {
            for part in ["images", "labels"] {
                job["data"][source][part] = json!(format!("{home}/{part}.idx"));
            }
        }
        job["train"]["epochs"] = json!(epochs);
        job
    }

    /// As the DC/OS service has it: a configuration by URI, the KDC and the principal by name, its keytab a secret in base64.
    pub fn service(&self) -> Value {
        let secret = self.lab.path().join("__dcos_base64__alice_keytab");
        std::fs::write(&secret, BASE64_STANDARD.encode(std::fs::read(self.hadoop.keytab("alice")).unwrap())).unwrap();
        json!({
            "hdfs": {"config_uri": format!("file://{}", self.hadoop.conf_dir().display())},
            "security": {"kerberos": {
                "enabled": true,
                "kdc": {"hostname": "127.0.0.1", "port": self.hadoop.kdc().port()},
                "primary": "alice",
                "realm": "BED.TEST",
                "keytab_secret": "__dcos_base64__alice_keytab",
            }}
        })
    }

    pub fn submit(&self, job: &Value) -> Output {
        self.submit_with(job, &[])
    }

    /// As [`Site::submit`], with some variables of the submitter's environment.
    pub fn submit_with(&self, job: &Value, variables: &[(&str, &str)]) -> Output {
        let path = self.lab.write_job(job);
        let mut submit = self.lab.tfcoord(&["submit", path.to_str().unwrap()]);
        submit.envs(variables.iter().copied()).output().unwrap()
    }

    /// Our own client of NameNodes, with these arguments behind its common ones.
    pub fn probe(&self, by: &str, file: &Path, words: &[&str]) -> Result<(), String> {
        let mut probe = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
        probe.env("KRB5_CONFIG", self.hadoop.krb5_conf()).args(["--name-node", &format!("localhost:{}", self.hadoop.rpc_port(0))]);
        probe.args(["--by", by, &format!("--{by}")]).arg(file).args(words);
        let output = probe.output().unwrap();
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// Where a job's site and tokens lie.
    pub fn folder(&self, job: &str) -> PathBuf {
        self.lab.state_dir().join("jobs").join(job)
    }

    /// What coordinators have logged up to now.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.lab.state_dir().join("coordinator.log")).unwrap_or_default()
    }

    /// Waits until `words` stand so often in a line of the log of this job.
    pub fn wait_for_log(&self, seconds: u64, times: usize, words: &str) {
        let lines = || self.log().lines().filter(|line| line.contains(words)).count();
        wait_for(seconds, words, || (lines() >= times).then_some(()));
    }
}
