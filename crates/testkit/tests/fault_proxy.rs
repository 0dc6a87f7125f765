//! Where the fault proxy writes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::process::Command;

#[test]
fn the_real_addresses_lie_in_the_servers_directory() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there: the proxy ends.
    let server = "echo 127.0.0.1:1 > \"$TFCOORD_ADDRESS_FILE\"; exec sleep 1000";
    let output = Command::new(env!("CARGO_BIN_EXE_tfcoord-fault-proxy"))
        .args(["--", "/bin/sh", "-c", server, "sh", "--task", "ps-0", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_to_string(dir.path().join("proxied-addresses")).unwrap(), "127.0.0.1:1\n");
}
