//! Two NameNodes: whichever is active answers.

use super::probe::Asker;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

#[test]
fn calls_find_the_active_name_node() {
    let Some(hadoop) = Hadoop::start(Form { high_availability: true, ..Form::new(Security::Privacy) }) else { return };
    let (asker, file) = (Asker::of(&hadoop), hadoop.path().join("ha.token"));
    let path = file.to_str().unwrap();
    let missing = |answer: Result<String, String>| {
        let error = answer.unwrap_err();
        assert!(error.contains("File does not exist: /nothing"), "{error}");
    };
    let got = asker.by_keytab("alice", &["get-token", "tfcoord", path]).unwrap();
    assert!(got.starts_with("HDFS_DELEGATION_TOKEN ha-hdfs:bed alice"), "{got}");
    missing(asker.by_token(&file, &["blocks", "/nothing"]));

    // By WebHDFS too, whose token is one of the nameservice.
    let (web, by_web) = (Asker::by_web(&hadoop), hadoop.path().join("web.token"));
    let web_path = by_web.to_str().unwrap();
    let got = web.by_keytab("alice", &["get-token", "tfcoord", web_path]).unwrap();
    assert!(got.starts_with("HDFS_DELEGATION_TOKEN ha-hdfs:bed alice"), "{got}");
    missing(asker.by_token(&by_web, &["blocks", "/nothing"]));

    hadoop.kinit("alice");
    assert!(hadoop.dfs("alice", &["-touchz", "/user/alice/empty"]).status.success());
    let mut lengths = asker.lengths("alice", "/user/alice/empty");
    assert_eq!(lengths.ask("before"), "0");
    assert_eq!(lengths.ask("again"), "0");

    assert_eq!(hadoop.command("fail-over"), "1");
    assert_eq!(lengths.ask("after a fail-over"), "0");
    missing(asker.by_token(&file, &["blocks", "/nothing"]));
    asker.by_keytab("tfcoord", &["renew", path]).unwrap();
    web.by_keytab("tfcoord", &["renew", web_path]).unwrap();
    missing(web.by_token(&by_web, &["blocks", "/nothing"]));
    hadoop.command("kill-namenode 0");
    hadoop.command("kill-namenode 1");
    hadoop.command("restart-namenode 0");
    assert_eq!(hadoop.command("fail-over"), "0");
    assert_eq!(lengths.ask("after the death of both"), "0");
    missing(asker.by_token(&file, &["blocks", "/nothing"]));
    asker.by_keytab("tfcoord", &["cancel", path]).unwrap();
    // The first one that is asked is dead.
    web.by_keytab("tfcoord", &["cancel", web_path]).unwrap();
    let error = asker.by_token(&by_web, &["blocks", "/nothing"]).unwrap_err();
    assert!(error.contains("the token was cancelled"), "{error}");

    // The passive one alone is of no use, and says so in the end.
    hadoop.command("restart-namenode 1");
    let address = format!("localhost:{}", hadoop.rpc_port(1));
    let mut probe = super::probe::probe(&hadoop.krb5_conf());
    probe.args(["--name-node", &address, "--deadline", "2", "--by", "keytab", "--keytab"]).arg(hadoop.keytab("alice"));
    let error = super::probe::run(probe.args(["blocks", "/nothing"])).unwrap_err();
    let standby = |error: &str| error.contains("no answer within 2 s") && error.contains("StandbyException") && error.contains("haadmin");
    assert!(standby(&error), "{error}");
    let passive = web.at(&format!("http://localhost:{}", hadoop.http_port(1)));
    let error = passive.by_keytab("alice", &["--deadline", "2", "blocks", "/nothing"]).unwrap_err();
    assert!(standby(&error), "{error}");
}
