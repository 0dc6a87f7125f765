//! With Kerberos. Its library looks into the environment: each user is a process of his own.

use super::hdfs::{LIMITS, home};
use std::fs;
use std::process::Command;
use tfcoord_fs::hdfs::{Hdfs, Identity, Site};
use tfcoord_fs::storage::Problem;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

// Runs the suite as alice, and gives what it printed.
fn conforms(hadoop: &Hadoop, name: &str, variables: &[(&str, String)]) -> Result<(), String> {
    let mut suite = Command::new(std::env::current_exe().unwrap());
    suite.args(["--ignored", "--exact", "files::hdfs::it_conforms_here", "--nocapture"]);
    suite.env("FILES_AT", home(hadoop).join(name).to_string()).envs(hadoop.environment("alice"));
    let output = suite.envs(variables.iter().map(|(name, value)| (*name, value))).output().unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && printed.contains("1 passed") { Ok(()) } else { Err(printed) }
}

fn start(security: Security, aes: bool, high_availability: bool) -> Option<Hadoop> {
    let mut form = Form::new(security);
    (form.block_size, form.aes, form.high_availability) = (1 << 20, aes, high_availability);
    Hadoop::start(form)
}

#[test]
fn it_conforms_with_authentication() {
    let Some(hadoop) = start(Security::Authentication, false, false) else { return };
    hadoop.kinit("alice");
    conforms(&hadoop, "ticket", &[]).unwrap();
    more_than_is_offered_is_refused(&hadoop);
    what_is_wrong_with_a_login_is_said(&hadoop);
}

#[test]
fn it_conforms_with_integrity() {
    let Some(hadoop) = start(Security::Integrity, false, false) else { return };
    let keytab = hadoop.keytab("alice").display().to_string();
    conforms(&hadoop, "keytab", &[("FILES_PRINCIPAL", hadoop.principal("alice")), ("FILES_KEYTAB", keytab)]).unwrap();
}

#[test]
fn it_conforms_with_privacy_and_two_namenodes() {
    let Some(hadoop) = start(Security::Privacy, true, true) else { return };
    hadoop.kinit("alice");
    conforms(&hadoop, "ticket", &[]).unwrap();
    hadoop.command("fail-over");
    conforms(&hadoop, "after", &[]).unwrap();
}

// A configuration that demands more than these servers offer, or less than they demand.
fn more_than_is_offered_is_refused(hadoop: &Hadoop) {
    let dir = tempfile::tempdir().unwrap();
    for (wanted, says) in [
        ("privacy", "localhost:{port} offers authentication, but hadoop.rpc.protection demands privacy"),
        ("integrity,privacy", "localhost:{port} offers authentication, but hadoop.rpc.protection demands integrity"),
    ] {
        let text = fs::read_to_string(hadoop.conf_dir().join("core-site.xml")).unwrap();
        let more = format!("<property><name>hadoop.rpc.protection</name><value>{wanted}</value></property></configuration>");
        fs::write(dir.path().join("core-site.xml"), text.replace("</configuration>", &more)).unwrap();
        let site = Site::load(Some(dir.path()), &|_| None).unwrap();
        let error = Hdfs::connect(&home(hadoop), &site, &Identity::default(), LIMITS).unwrap_err();
        assert!(matches!(error.problem, Problem::Protection { .. }), "{error}");
        assert!(error.to_string().contains(&says.replace("{port}", &hadoop.rpc_port(0).to_string())), "{error}");
    }
}

fn what_is_wrong_with_a_login_is_said(hadoop: &Hadoop) {
    let cache = hadoop.path().join("none").display().to_string();
    let printed = conforms(hadoop, "no-ticket", &[("KRB5CCNAME", format!("FILE:{cache}"))]).unwrap_err();
    assert!(printed.contains("there is neither a ticket nor a token") && printed.contains("log in with kinit"), "{printed}");
    assert!(printed.contains(" without a ticket (NameNode localhost:"), "{printed}");

    let tokens = hadoop.path().join("tokens");
    fs::write(&tokens, b"HDTS\0\x01\x05").unwrap();
    let printed = conforms(hadoop, "no-tokens", &[("HADOOP_TOKEN_FILE_LOCATION", tokens.display().to_string())]).unwrap_err();
    assert!(printed.contains(&format!("token file {}: damaged", tokens.display())), "{printed}");

    let keytab = hadoop.keytab("bob").display().to_string();
    let printed = conforms(hadoop, "wrong", &[("FILES_PRINCIPAL", hadoop.principal("alice")), ("FILES_KEYTAB", keytab)]).unwrap_err();
    assert!(printed.contains("bob.keytab gives alice@BED.TEST no ticket") && printed.contains("klist -k"), "{printed}");

    let site = fs::read_to_string(hadoop.conf_dir().join("core-site.xml")).unwrap();
    assert!(site.contains("kerberos"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("core-site.xml"), site.replace("kerberos", "simple")).unwrap();
    let printed = conforms(hadoop, "simple", &[("HADOOP_CONF_DIR", dir.path().display().to_string())]).unwrap_err();
    assert!(printed.contains("demands Kerberos, and hadoop.security.authentication does not"), "{printed}");
}
