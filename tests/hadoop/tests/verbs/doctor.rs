//! What the doctor finds where something is wrong.

use super::client::{run, tfcoord};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tfcoord_hadoop_rpc::{Token, TokenFile};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security, program};
use tfcoord_testkit::tools::skip;

const HOME: &str = "hdfs:///user/alice";

struct Examined(Option<i32>, Value);

impl Examined {
    /// The status of a check, and all of its text.
    fn check(&self, check: &str) -> (String, String) {
        let findings = self.1["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check} in {:#}", self.1));
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        (text("status"), format!("{} -- {}", text("found"), text("fix")))
    }

    /// The check has this status, and its text has these parts.
    fn has(&self, check: &str, status: &str, parts: &[&str]) {
        let (is, text) = self.check(check);
        assert_eq!(is, status, "{check}: {text}");
        for part in parts {
            assert!(text.contains(part), "{check}: {part} is not in: {text}");
        }
    }

    /// Nothing else fails, and the exit code says so.
    fn fails_only(&self, checks: &[&str]) {
        let findings = self.1["findings"].as_array().unwrap();
        let failed: Vec<&str> =
            findings.iter().filter(|finding| finding["status"] == "fail").map(|finding| finding["check"].as_str().unwrap()).collect();
        assert_eq!(failed, checks, "{:#}", self.1);
        assert_eq!(self.0, Some(i32::from(!checks.is_empty())));
    }
}

fn examine(hadoop: &Hadoop, user: &str, location: &[&str], variables: &[(&str, &str)]) -> Examined {
    let mut doctor = tfcoord(hadoop, user, &[&["doctor", "hdfs", "-o", "json"], location].concat());
    doctor.envs(variables.iter().copied());
    let ended = run(doctor);
    Examined(ended.code, ended.json())
}

#[test]
fn each_failure_has_its_fix() {
    let Some(hadoop) = Hadoop::start(Form { aes: true, ..Form::new(Security::Privacy) }) else { return };
    hadoop.kinit("alice");
    hadoop.kinit("bob");
    println!("all is well");
    for location in [&[][..], &[HOME]] {
        let well = examine(&hadoop, "alice", location, &[]);
        well.fails_only(&[]);
        well.has("configuration", "ok", &["core-site.xml and hdfs-site.xml", "by HADOOP_CONF_DIR"]);
        well.has("file system", "ok", &[&format!("localhost:{}", hadoop.rpc_port(0)), "Kerberos"]);
        well.has("krb5.conf", "ok", &["realm BED.TEST"]);
        well.has("kdc", "ok", &[&format!("127.0.0.1:{} answers", hadoop.kdc().port())]);
        well.has("clock", "ok", &["KDC's"]);
        well.has("ticket", "ok", &["alice@BED.TEST in FILE:", "good for 23 h"]);
        well.has("namenode", "ok", &["is active"]);
        well.has("protection", "ok", &["KERBEROS", "with privacy", "demands Kerberos and privacy, and for data privacy"]);
        well.has("read", "ok", &[]);
        well.has("datanode", "ok", &["127.0.0.1:", " offers privacy", "demands privacy (dfs.data.transfer.protection)"]);
        well.has("write", "ok", &["/user/alice was written, read back and removed"]);
        well.has("delegation token", "ok", &["got by RPC", "good for at most 6 d"]);
    }
    let left = run(tfcoord(&hadoop, "alice", &["data", "ls", HOME, "-o", "json"])).json();
    assert_eq!(left["entries"].as_array().unwrap().len(), 0, "{left}");
    let text = run(tfcoord(&hadoop, "alice", &["doctor", "hdfs"]));
    assert!(
        text.code == Some(0) && text.out.contains("\nok    ticket            alice@") && text.out.ends_with("nothing fails\n"),
        "{}",
        text.out
    );
    println!("by WebHDFS, which is not encrypted");
    let clear = examine(&hadoop, "alice", &["--calls", "webhdfs"], &[]);
    clear.fails_only(&["webhdfs"]);
    clear.has("webhdfs", "fail", &[&format!("http://localhost:{}", hadoop.http_port(0)), "demands privacy", "HTTPS_ONLY"]);
    clear.has("delegation token", "skip", &["it takes WebHDFS"]);
    login(&hadoop);
    configuration(&hadoop);
    clock(&hadoop);
    servers(&hadoop);
}

fn login(hadoop: &Hadoop) {
    println!("no ticket");
    let none = examine(hadoop, "tfcoord", &[], &[]);
    none.fails_only(&["ticket", "read"]);
    none.has("ticket", "fail", &["caches/tfcoord", "kinit"]);
    none.has("read", "fail", &["neither a ticket nor a token", "kinit"]);
    none.has("namenode", "skip", &["neither ticket nor token"]);
    println!("a cache that is none");
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::write(path("cache"), "nothing of the kind").unwrap();
    let wrong = examine(hadoop, "alice", &[], &[("KRB5CCNAME", &format!("FILE:{}", path("cache")))]);
    wrong.has("ticket", "fail", &[&path("cache")]);
    println!("a token file that is none");
    fs::write(path("tokens"), b"HDTS\0\x01\x05").unwrap();
    let damaged = examine(hadoop, "alice", &[], &[("HADOOP_TOKEN_FILE_LOCATION", &path("tokens"))]);
    damaged.has("token file", "fail", &[&path("tokens"), "damaged", "hdfs fetchdt"]);
    println!("tokens of two clusters");
    fs::write(path("tokens"), tokens_of_two(hadoop, &dir.path().join("got"))).unwrap();
    let by_token = examine(hadoop, "tfcoord", &[HOME], &[("HADOOP_TOKEN_FILE_LOCATION", &path("tokens"))]);
    by_token.fails_only(&[]);
    by_token.has("token file", "ok", &["10.9.9.9:8020 of alice", &format!("127.0.0.1:{} of alice", hadoop.rpc_port(0))]);
    by_token.has("ticket", "skip", &["the token file stands in for it"]);
    by_token.has("namenode", "ok", &["is active"]);
    by_token.has("read", "ok", &[]);
    by_token.has("delegation token", "skip", &["who comes with a token gets no other one"]);
    println!("no library");
    fs::create_dir(path("lib")).unwrap();
    for library in ["lib/libkrb5.so.3", "lib/libgssapi_krb5.so.2"] {
        fs::write(path(library), "").unwrap();
    }
    let hidden = examine(hadoop, "alice", &[], &[("LD_LIBRARY_PATH", &path("lib"))]);
    hidden.has("kerberos library", "fail", &["libkrb5.so.3", "libkrb5-3 (Debian, Ubuntu) or krb5-libs"]);
    hidden.has("ticket", "skip", &["it takes the library"]);
    hidden.has("read", "fail", &["libgssapi"]);
    println!("bob at alice's");
    let bob = examine(hadoop, "bob", &[HOME], &[]);
    bob.has("read", "fail", &["permission denied: ", "user=bob", "ask the owner"]);
    bob.has("ticket", "ok", &["bob@BED.TEST"]);
}

// A file with a token of another cluster, and then alice's here: marked with the address as the client looks for it, and as
// Hadoop marks it.
fn tokens_of_two(hadoop: &Hadoop, scratch: &Path) -> Vec<u8> {
    let address = format!("localhost:{}", hadoop.rpc_port(0));
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
    probe.env("KRB5_CONFIG", hadoop.krb5_conf()).args(["--name-node", &address, "--by", "keytab", "--keytab"]).arg(hadoop.keytab("alice"));
    assert!(probe.args(["get-token", "alice"]).arg(scratch).status().unwrap().success());
    let (_, token) = TokenFile::read(scratch).unwrap().tokens.remove(0);
    let marked = |service: &str| Token { service: service.to_owned(), ..token.clone() };
    let other = Token { password: vec![0; 20].into(), ..marked("10.9.9.9:8020") };
    let tokens = [other, marked(&address), token].map(|token| (token.service.clone(), token));
    TokenFile { tokens: tokens.into(), ..TokenFile::default() }.encode().expose().to_vec()
}

fn configuration(hadoop: &Hadoop) {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    println!("no configuration");
    let none = examine(hadoop, "alice", &[], &[("HADOOP_CONF_DIR", &path("none"))]);
    none.fails_only(&["configuration"]);
    none.has("configuration", "fail", &[&path("none"), "set HADOOP_CONF_DIR"]);
    none.has("ticket", "ok", &[]);
    println!("no krb5.conf");
    let none = examine(hadoop, "alice", &[], &[("KRB5_CONFIG", &path("krb5.conf"))]);
    none.has("krb5.conf", "fail", &[&path("krb5.conf"), "KRB5_CONFIG"]);
    println!("another place");
    let elsewhere = examine(hadoop, "alice", &["hdfs:///user/alice/none"], &[]);
    elsewhere.fails_only(&["read"]);
    elsewhere.has("read", "fail", &["it is not there", "check the path"]);
    println!("simple");
    let site = fs::read_to_string(hadoop.conf_dir().join("core-site.xml")).unwrap();
    fs::write(path("core-site.xml"), site.replace(">kerberos<", ">simple<")).unwrap();
    let simple = examine(hadoop, "alice", &[], &[("HADOOP_CONF_DIR", &path(""))]);
    simple.has("configuration", "warn", &["no hdfs-site.xml", "beside it"]);
    simple.has("protection", "fail", &["demands Kerberos, and hadoop.security.authentication does not"]);
}

fn clock(hadoop: &Hadoop) {
    let Some(faketime) = program("faketime") else {
        skip("faketime is missing: run make setup");
        return;
    };
    println!("clock");
    let doctor = tfcoord(hadoop, "alice", &["doctor", "hdfs", "-o", "json"]);
    let mut command = Command::new(faketime);
    command.arg("+20 minutes").arg(doctor.get_program()).args(doctor.get_args()).envs(hadoop.environment("alice"));
    let ended = run(command);
    Examined(ended.code, ended.json()).has("clock", "fail", &["s ahead of the KDC's: Kerberos allows 5 minutes", "NTP"]);
}

fn servers(hadoop: &Hadoop) {
    println!("safe mode");
    hadoop.command("safemode enter");
    let safe = examine(hadoop, "alice", &[HOME], &[]);
    safe.has("write", "fail", &["safe mode", "dfsadmin -safemode get"]);
    safe.has("read", "ok", &[]);
    hadoop.command("safemode leave");
    println!("no KDC");
    hadoop.kdc().stop();
    let none = examine(hadoop, "alice", &[], &[]);
    none.has("kdc", "fail", &[&format!("127.0.0.1:{}: Connection refused", hadoop.kdc().port()), "port 88"]);
    none.has("ticket", "ok", &[]);
    hadoop.kdc().resume();
    println!("no NameNode");
    hadoop.command("kill-namenode 0");
    let none = examine(hadoop, "alice", &[], &[]);
    none.has("namenode", "fail", &[&format!("localhost:{}", hadoop.rpc_port(0)), "Connection refused", "check that it runs"]);
    none.has("read", "skip", &["no NameNode serves"]);
    none.has("kdc", "ok", &[]);
}

#[test]
fn the_active_one_is_told_from_the_standby() {
    let Some(hadoop) = Hadoop::start(Form { high_availability: true, ..Form::new(Security::Authentication) }) else { return };
    hadoop.kinit("alice");
    let [first, second] = [0, 1].map(|which| format!("localhost:{}", hadoop.rpc_port(which)));
    let well = examine(&hadoop, "alice", &[], &[]);
    well.fails_only(&[]);
    well.has("file system", "ok", &["nameservice bed", "default hdfs://bed"]);
    well.has("namenode", "ok", &[&format!("{first} is active; {second} is standby")]);
    let web = [0, 1].map(|which| format!("http://localhost:{}", hadoop.http_port(which)));
    let by_web = examine(&hadoop, "alice", &["--calls", "webhdfs"], &[]);
    by_web.fails_only(&[]);
    by_web.has("webhdfs", "ok", &[&format!("{} is active; {} is standby", web[0], web[1])]);
    by_web.has("delegation token", "ok", &["got by WebHDFS", "good for at most 6 d", "taken by RPC"]);
    println!("DataNodes that protect less than is demanded");
    let dir = tempfile::tempdir().unwrap();
    for name in ["core-site.xml", "hdfs-site.xml"] {
        let text = fs::read_to_string(hadoop.conf_dir().join(name)).unwrap();
        let demanded = "<name>dfs.data.transfer.protection</name><value>";
        let more = text.replace(&format!("{demanded}authentication"), &format!("{demanded}integrity"));
        fs::write(dir.path().join(name), more).unwrap();
    }
    let weak = examine(&hadoop, "alice", &[], &[("HADOOP_CONF_DIR", &dir.path().display().to_string())]);
    weak.fails_only(&["datanode"]);
    weak.has("datanode", "fail", &[" offers authentication", "demands integrity", "hdfs-site.xml as it is here"]);

    hadoop.command("fail-over");
    hadoop.command("kill-namenode 0");
    let half = examine(&hadoop, "alice", &[], &[]);
    half.fails_only(&[]);
    half.has("namenode", "warn", &[&format!("{second} is active"), &first, "Connection refused"]);
    let half = examine(&hadoop, "alice", &["--calls", "webhdfs"], &[]);
    half.fails_only(&[]);
    half.has("webhdfs", "warn", &[&format!("{} is active", web[1]), &web[0], "Connection refused", "dfs.namenode.http-address"]);
    half.has("delegation token", "ok", &["got by WebHDFS"]);
}
