//! A laboratory whose jobs write to HDFS, and what they leave there.

use serde_json::{Value, json};
use std::io::Read;
use std::sync::Arc;
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{Identity, Limits, Site};
use tfcoord_fs::storage::{FileSystem, Kind, Location};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::Hadoop;
use tfcoord_testkit::{Lab, idx, job};

pub struct Place<'a> {
    pub hadoop: &'a Hadoop,
    pub lab: Lab,
    system: Arc<dyn FileSystem>,
}

/// 26 steps an epoch, all data on this machine.
pub fn job(name: &str, epochs: u32) -> Value {
    let mut job = job::pictures(name, job::mlp_layers(), 803, 200);
    job["train"]["epochs"] = json!(epochs);
    job["worker"]["count"] = json!(2);
    job["parameter_server"]["count"] = json!(2);
    job
}

/// Tensors and curve of the same job where everything is on this machine.
pub fn quiet_bits(epochs: u32) -> (Vec<u8>, Vec<u8>) {
    let lab = lab();
    lab.submit(&job("quiet", epochs));
    lab.bits("quiet")
}

pub fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 1003, 12, 4, 1);
    lab
}

impl<'a> Place<'a> {
    /// As `user` of a HDFS without Kerberos.
    pub fn of(hadoop: &'a Hadoop, user: &str) -> Self {
        let mut lab = lab();
        hadoop.environment(user).iter().for_each(|(name, value)| lab.set(name, value));
        let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).unwrap();
        let identity = Identity { user: Some(user.to_owned()), ..Identity::default() };
        let root = Location::parse(&hadoop.url(), None).unwrap();
        let system = FileSystems::of_site(site, identity, Limits::default()).get(&root).unwrap_or_else(|error| panic!("{error}"));
        Self { hadoop, lab, system }
    }

    /// A path below alice's home.
    pub fn at(&self, path: &str) -> Location {
        Location::parse(&format!("{}/user/alice/{path}", self.hadoop.url()), None).unwrap()
    }

    /// What is in a directory; nothing where there is none.
    pub fn names(&self, path: &str) -> Vec<String> {
        self.system.list(&self.at(path)).map(|entries| entries.into_iter().map(|entry| entry.name).collect()).unwrap_or_default()
    }

    /// Every file below a directory, by its path from there.
    pub fn tree(&self, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in self.system.list(&self.at(path)).unwrap_or_default() {
            match entry.status.kind {
                Kind::Directory => {
                    found.extend(self.tree(&format!("{path}/{}", entry.name)).iter().map(|below| format!("{}/{below}", entry.name)))
                }
                _ => found.push(entry.name),
            }
        }
        found
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        let file = self.system.open(&self.at(path)).unwrap_or_else(|error| panic!("{error}"));
        let mut bytes = Vec::new();
        file.stream(0..u64::MAX).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Tensors and curve of the only job in a directory.
    pub fn bits(&self, dir: &str) -> (Vec<u8>, Vec<u8>) {
        let job = self.only(dir);
        (self.read(&format!("{dir}/{job}/model/model.safetensors")), self.read(&format!("{dir}/{job}/curve.csv")))
    }

    /// The only folder in a directory.
    pub fn only(&self, dir: &str) -> String {
        let names = self.names(dir);
        assert_eq!(names.len(), 1, "{names:?}\n{}", self.lab.logs());
        names[0].clone()
    }

    /// The steps of checkpoints in the folder of the only job in a directory.
    pub fn steps(&self, dir: &str, inside: &str) -> Vec<u64> {
        let jobs = self.names(dir);
        let names = jobs.first().map(|job| self.names(&format!("{dir}/{job}{inside}"))).unwrap_or_default();
        let step = |name: &String| name.strip_suffix(".json")?.split('-').nth(1)?.parse().ok();
        let mut steps: Vec<u64> = names.iter().filter_map(step).collect();
        steps.sort_unstable();
        steps
    }

    pub fn wait_for_checkpoint(&self, dir: &str, inside: &str, step: u64) -> u64 {
        wait_for(120, "a checkpoint in HDFS", || self.steps(dir, inside).into_iter().max().filter(|at| *at >= step))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.lab.logs());
        }
    }
}
