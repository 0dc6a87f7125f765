//! Two NameNodes, of which one serves.

use super::beds::highly_available;
use super::secured::put;
use std::fs;

#[test]
fn files_outlive_the_active_namenode() {
    let Some(hadoop) = highly_available() else { return };
    assert_eq!(hadoop.url(), "hdfs://bed");
    hadoop.kinit("alice");
    let local = hadoop.path().join("kept");
    fs::write(&local, "kept").unwrap();
    put(hadoop, "alice", local.to_str().unwrap(), "/user/alice/kept");
    let read = || String::from_utf8(hadoop.dfs("alice", &["-cat", "hdfs://bed/user/alice/kept"]).stdout).unwrap();

    assert_eq!(hadoop.command("active"), "0");
    assert_eq!(hadoop.command("fail-over"), "1");
    assert_eq!(read(), "kept");
    hadoop.command("kill-namenode 1");
    assert_eq!(hadoop.command("fail-over"), "0");
    assert_eq!(read(), "kept");
    assert!(hadoop.try_command("fail-over").unwrap_err().contains("is down"));
    hadoop.command("restart-namenode 1");
    assert_eq!(hadoop.command("active"), "0");
}
