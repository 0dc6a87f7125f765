//! Who gets in, and to what.

use super::beds::secured;
use super::web::ask;
use std::fs;
use tfcoord_testkit::hadoop::Hadoop;

#[test]
fn a_ticket_opens_the_own_home_and_no_other() {
    let Some(hadoop) = secured() else { return };
    hadoop.kinit("alice");
    hadoop.kinit("bob");
    let local = hadoop.path().join("note");
    fs::write(&local, "from alice").unwrap();
    put(hadoop, "alice", local.to_str().unwrap(), "/user/alice/note");
    let read = hadoop.dfs("alice", &["-cat", "/user/alice/note"]);
    assert_eq!(String::from_utf8_lossy(&read.stdout), "from alice", "{}", String::from_utf8_lossy(&read.stderr));

    let (status, body) = ask(hadoop, "alice", "GET", "/user/alice/note?op=OPEN");
    assert_eq!((status, body.as_str()), (200, "from alice"));
    let (status, body) = ask(hadoop, "bob", "GET", "/user/alice/note?op=OPEN");
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("AccessControlException") && body.contains("user=bob"), "{body}");
}

#[test]
fn nobody_gets_in_without_a_ticket() {
    let Some(hadoop) = secured() else { return };
    let (status, body) = ask(hadoop, "nobody", "GET", "/?op=LISTSTATUS");
    assert_eq!(status, 401, "{body}");
    let listed = hadoop.dfs("nobody", &["-ls", "/"]);
    assert!(!listed.status.success());
    assert!(String::from_utf8_lossy(&listed.stderr).contains("AccessControlException"), "{listed:?}");
}

#[test]
fn a_proxy_acts_for_others() {
    let Some(hadoop) = secured() else { return };
    hadoop.kinit("tfcoord");
    let (status, body) = ask(hadoop, "tfcoord", "PUT", "/user/bob/by-proxy?op=MKDIRS&doas=bob");
    assert_eq!(status, 200, "{body}");
    let (_, body) = ask(hadoop, "tfcoord", "GET", "/user/bob/by-proxy?op=GETFILESTATUS&doas=bob");
    assert!(body.contains(r#""owner":"bob""#), "{body}");

    // Alice is no proxy.
    hadoop.kinit("alice");
    let (status, body) = ask(hadoop, "alice", "PUT", "/user/bob/by-proxy?op=MKDIRS&doas=bob");
    assert_eq!(status, 403, "{body}");
}

pub fn put(hadoop: &Hadoop, user: &str, local: &str, remote: &str) {
    let output = hadoop.dfs(user, &["-put", "-f", local, remote]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
