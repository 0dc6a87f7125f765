//! Files in HDFS. Whoever has one running can try it: `HDFS_URL=hdfs://… HADOOP_CONF_DIR=… cargo test -p tfcoord-fs --test
//! storage -- --ignored`.

use crate::conformance;
use tfcoord_fs::hdfs::{Hdfs, Identity, Limits, Site};
use tfcoord_fs::storage::Location;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
#[ignore = "takes HDFS_URL and HADOOP_CONF_DIR from the environment"]
fn it_conforms() {
    let root = Location::parse(&variable("HDFS_URL").unwrap(), None).unwrap();
    let site = Site::load(None, &variable).unwrap();
    let identity = Identity { user: variable("HDFS_USER"), ..Identity::default() };
    let hdfs = Hdfs::connect(&root, &site, &identity, Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    conformance::all(&hdfs, &root.join(&format!("conformance-{}", std::process::id())));
}
