//! What is refused, and whether it is said where, why, and what helps.

use super::probe::{Asker, probe, run};
use std::fs;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn refusals_say_what_helps() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Integrity)) else { return };
    let (asker, file) = (Asker::of(&hadoop), hadoop.path().join("token"));
    let path = file.to_str().unwrap();
    let check = |answer: Result<String, String>, parts: &[&str]| {
        let error = answer.unwrap_err();
        assert!(error.contains(&format!("NameNode localhost:{}", hadoop.rpc_port(0))), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    };
    hadoop.kinit("alice");
    assert!(hadoop.dfs("alice", &["-touchz", "/user/alice/x"]).status.success());
    check(asker.by_keytab("bob", &["blocks", "/user/alice/x"]), &["for bob@BED.TEST", "Permission denied: user=bob", "setfacl"]);
    check(asker.by_keytab("bob", &["--proxy", "alice", "get-token", "x", path]), &["alice (by bob@BED.TEST)", "hadoop.proxyuser"]);
    check(asker.by_name("alice", &["blocks", "/"]), &["alice by SIMPLE", "KERBEROS", "keytab"]);
    check(asker.by_keytab("alice", &["--service", "hdfs/other@BED.TEST", "blocks", "/"]), &["dfs.namenode.kerberos.principal"]);

    asker.by_keytab("alice", &["get-token", "tfcoord", path]).unwrap();
    check(asker.by_keytab("bob", &["renew", path]), &["renewed by the renewer that it names"]);
    check(asker.by_token(&file, &["get-token", "x", "/dev/null"]), &["ask for tokens by Kerberos"]);
    a_forged_token(&asker, &file);
    another_port(&hadoop);

    hadoop.command("kill-namenode 0");
    check(asker.by_keytab("alice", &["blocks", "/"]), &["Connection refused"]);
}

fn another_port(hadoop: &Hadoop) {
    let http = format!("localhost:{}", hadoop.http_port(0));
    let mut probe = probe(&hadoop.krb5_conf());
    probe.args(["--name-node", &http, "--by", "keytab", "--keytab"]).arg(hadoop.keytab("alice"));
    let error = run(probe.args(["blocks", "/"])).unwrap_err();
    assert!(error.contains(&http) && error.contains("not of its web pages"), "{error}");
}

// Another password: the server does not find it right, and what it says does not hold it.
fn a_forged_token(asker: &Asker<'_>, file: &std::path::Path) {
    let mut file_bytes = fs::read(file).unwrap();
    let kind = file_bytes.windows(21).position(|part| part == b"HDFS_DELEGATION_TOKEN").unwrap();
    // The password ends where the kind's length stands.
    file_bytes[kind - 2] ^= 1;
    let forged = file.with_extension("forged");
    fs::write(&forged, file_bytes).unwrap();
    let error = asker.by_token(&forged, &["blocks", "/"]).unwrap_err();
    assert!(error.contains("connect for alice@BED.TEST (by token)"), "{error}");
}

#[test]
fn without_security_a_name_is_enough() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };
    let asker = Asker::of(&hadoop);
    let error = asker.by_name("alice", &["blocks", "/nothing"]).unwrap_err();
    assert!(error.contains("File does not exist"), "{error}");
    let error = asker.by_name("alice", &["get-token", "x", "/dev/null"]).unwrap_err();
    assert!(error.contains("it is not secured"), "{error}");
    let error = asker.by_name("alice", &["--protection", "privacy", "blocks", "/"]).unwrap_err();
    assert!(error.contains("at least privacy is demanded"), "{error}");
    let web = Asker::by_web(&hadoop);
    assert!(hadoop.dfs("alice", &["-touchz", "/user/alice/x"]).status.success());
    assert_eq!(web.by_name("alice", &["blocks", "/user/alice/x"]), Ok("length 0".to_owned()));
    let error = web.by_name("bob", &["blocks", "/user/alice/x"]).unwrap_err();
    assert!(error.contains("for bob") && error.contains("Permission denied: user=bob"), "{error}");
    assert_eq!(web.by_name("tfcoord", &["--proxy", "alice", "blocks", "/user/alice/x"]), Ok("length 0".to_owned()));
    let error = web.by_name("alice", &["get-token", "x", "/dev/null"]).unwrap_err();
    assert!(error.contains("it is not secured"), "{error}");
}
