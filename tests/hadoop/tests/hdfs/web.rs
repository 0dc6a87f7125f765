//! WebHDFS by curl, which negotiates where the server wants it.

use std::process::Command;
use tfcoord_testkit::hadoop::{Hadoop, program};

/// The status and the text of an answer. `path` begins with a slash and has the operation: `/tmp?op=LISTSTATUS`.
pub fn ask(hadoop: &Hadoop, user: &str, method: &str, path: &str) -> (u16, String) {
    let url = format!("http://localhost:{}/webhdfs/v1{path}", hadoop.http_port(0));
    let mut curl = Command::new(program("curl").expect("make setup installs curl"));
    curl.args(["--silent", "--show-error", "--location", "--negotiate", "--user", ":", "--write-out", "\n%{http_code}"]);
    let output = curl.args(["--request", method, &url]).envs(hadoop.environment(user)).output().unwrap();
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}
