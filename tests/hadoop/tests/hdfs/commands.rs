//! Each command does what it says. In one test, as most of them concern everybody: it has an HDFS of its own.

use super::secured::put;
use super::web::ask;
use serde_json::Value;
use std::fs;
use std::net::TcpStream;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn commands_do_what_they_say() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Integrity)) else { return };
    hadoop.kinit("alice");
    assert!(hadoop.try_command("dance").unwrap_err().contains("unknown command"));
    data_nodes(&hadoop);
    safe_mode(&hadoop);
    quota(&hadoop);
    tokens(&hadoop);
    name_node(&hadoop);
}

fn data_nodes(hadoop: &Hadoop) {
    let nodes = hadoop.data_nodes();
    let listening = || nodes.iter().map(|address| TcpStream::connect(address).is_ok()).collect::<Vec<_>>();
    assert_eq!(listening(), [true, true, true]);
    // Not in the order of their numbers, which must hold all the same.
    hadoop.command("kill-datanode 0");
    hadoop.command("kill-datanode 2");
    assert_eq!(listening(), [false, true, false]);
    assert!(hadoop.try_command("kill-datanode 2").unwrap_err().contains("is down"));
    hadoop.command("restart-datanode 2");
    hadoop.command("restart-datanode 0");
    assert_eq!(listening(), [true, true, true]);
    assert!(hadoop.try_command("restart-datanode 1").unwrap_err().contains("is running"));
}

fn safe_mode(hadoop: &Hadoop) {
    hadoop.command("safemode enter");
    let (status, body) = ask(hadoop, "alice", "PUT", "/user/alice/a?op=MKDIRS");
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("SafeModeException"), "{body}");
    hadoop.command("safemode leave");
    assert_eq!(ask(hadoop, "alice", "PUT", "/user/alice/a?op=MKDIRS").0, 200);
}

fn quota(hadoop: &Hadoop) {
    let local = hadoop.path().join("large");
    fs::write(&local, vec![7; 1 << 20]).unwrap();
    hadoop.command("set-quota /user/alice 1000000");
    let refused = hadoop.dfs("alice", &["-put", local.to_str().unwrap(), "/user/alice/large"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("quota"), "{refused:?}");
    hadoop.command("set-quota /user/alice -1");
    put(hadoop, "alice", local.to_str().unwrap(), "/user/alice/large");
}

fn tokens(hadoop: &Hadoop) {
    let (_, body) = ask(hadoop, "alice", "GET", "/?op=GETDELEGATIONTOKEN&renewer=alice");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let token = answer["Token"]["urlString"].as_str().unwrap().to_owned();
    let with_token = format!("/user/alice?op=LISTSTATUS&delegation={token}");
    // Nobody: what opens the door is the token.
    assert_eq!(ask(hadoop, "nobody", "GET", &with_token).0, 200);
    assert_eq!(hadoop.command("expire-tokens"), "1");
    let (status, body) = ask(hadoop, "nobody", "GET", &with_token);
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("expired"), "{body}");
    assert_eq!(ask(hadoop, "alice", "PUT", &format!("/?op=RENEWDELEGATIONTOKEN&token={token}")).0, 200);
    assert_eq!(ask(hadoop, "nobody", "GET", &with_token).0, 200);
}

fn name_node(hadoop: &Hadoop) {
    let rpc = ("127.0.0.1", hadoop.rpc_port(0));
    assert_eq!(hadoop.command("active"), "0");
    hadoop.command("kill-namenode 0");
    assert!(TcpStream::connect(rpc).is_err());
    assert!(hadoop.try_command("active").is_err());
    assert!(hadoop.try_command("fail-over").unwrap_err().contains("one NameNode"));
    hadoop.command("restart-namenode 0");
    TcpStream::connect(rpc).unwrap();
    let (status, body) = ask(hadoop, "alice", "GET", "/user/alice/large?op=GETFILESTATUS");
    assert_eq!(status, 200, "{body}");
}
