//! Submissions that cannot come to anything are refused, with what helps; and what is submitted well ends well.

use super::site::Site;
use serde_json::{Value, json};
use std::fs;
use std::process::Output;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{idx, job};

/// The job file is wrong, or what it names.
const FILE: i32 = 2;
/// The site does not let the job in.
const JOB: i32 = 1;

// It ended with this exit code, said all of these, and left nothing behind.
fn refused(site: &Site, what: &str, output: &Output, code: i32, has: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{what}: {said}");
    has.iter().for_each(|has| assert!(said.contains(has), "{what}: {has}: {said}"));
    let left = || fs::read_dir(site.lab.state_dir().join("submissions")).unwrap().count();
    wait_for(30, "what came with it is cancelled and removed", || (left() == 0).then_some(()));
}

fn of_keytab(site: &Site, change: &dyn Fn(&mut Value)) -> Value {
    let mut job = site.job("refused", 1);
    job["service"] = site.service();
    change(&mut job["service"]["security"]["kerberos"]);
    job
}

#[test]
fn who_cannot_prove_who_he_is_is_told_why() {
    let Some(site) = Site::start() else { return };
    what_was_got_goes_back(&site);
    let check = |what: &str, change: &dyn Fn(&mut Value), code: i32, has: &[&str]| {
        refused(&site, what, &site.submit(&of_keytab(&site, change)), code, has);
    };
    let keytab = |name: &str| json!(site.hadoop.keytab(name).display().to_string());
    check(
        "no keytab",
        &|k| k["keytab_secret"] = json!("none"),
        FILE,
        &["refused.json:1:", "service.security.kerberos.keytab_secret: keytab", "/none", "check the path"],
    );
    check("no keytab in there", &|k| k["keytab_secret"] = json!("refused.json"), FILE, &["begins like no keytab", "export it again"]);
    let of_bob = ["has no key of alice@BED.TEST; it has keys of: bob@BED.TEST"];
    check("somebody else's", &|k| k["keytab_secret"] = keytab("bob"), FILE, &of_bob);
    let eve = |k: &mut Value| (k["primary"], k["keytab_secret"]) = (json!("eve"), keytab("eve"));
    site.hadoop.kdc().add("eve", &["eve"]);
    site.hadoop.kdc().kadmin("delprinc -force eve");
    check("unknown", &eve, FILE, &["service.security.kerberos.primary: login of eve@BED.TEST", "addprinc"]);
    check("no proxy", &|k| k["proxy_user"] = json!("bob"), FILE, &["service.security.kerberos.proxy_user: NameNode", "hadoop.proxyuser"]);

    let mut job = site.job("open", 1);
    job["service"] = json!({"hdfs": {"config_uri": "nowhere"}});
    let has = ["service.hdfs.config_uri: hdfs://", "neither core-site.xml nor hdfs-site.xml"];
    refused(&site, "no site", &site.submit(&job), FILE, &has);

    bob_at_alices(&site);
    no_kdc(&site);
    clocks(&site);
    by_a_token_file(&site);
}

// Of two file systems the second one, which is none, gives no token: that of the first one is cancelled. Nobody has got any before.
fn what_was_got_goes_back(site: &Site) {
    let conf = site.lab.path().join("two");
    fs::create_dir(&conf).unwrap();
    for file in ["core-site.xml", "hdfs-site.xml"] {
        let text = fs::read_to_string(site.hadoop.conf_dir().join(file)).unwrap();
        let property = |name: &str, value: &str| format!("<property><name>{name}</name><value>{value}</value></property>");
        let pages = format!("localhost:{}", site.hadoop.http_port(0));
        let west = property("dfs.ha.namenodes.west", "a") + &property("dfs.namenode.rpc-address.west.a", &pages);
        fs::write(conf.join(file), text.replace("</configuration>", &(west + "</configuration>"))).unwrap();
    }
    let mut job = of_keytab(site, &|_| {});
    job["service"]["hdfs"]["config_uri"] = json!(conf);
    job["output"]["dir"] = json!("hdfs://west/out");
    let has = [format!("no HDFS tokens for the job: NameNode localhost:{}: ", site.hadoop.http_port(0))];
    refused(site, "two file systems", &site.submit(&job), JOB, &[has[0].as_str()]);
    let log = fs::read_to_string(site.hadoop.path().join("servers.log")).unwrap();
    assert!(log.contains("Creating password for identifier"), "the first one has given one");
    assert_eq!(site.hadoop.command("expire-tokens"), "0", "that were not cancelled");
}

fn bob_at_alices(site: &Site) {
    site.hadoop.kinit("bob");
    let cache = site.hadoop.environment("bob").into_iter().find(|(name, _)| name == "KRB5CCNAME").unwrap().1;
    let said = site.submit_with(&site.job("bobs", 1), &[("KRB5CCNAME", &cache)]);
    let through = format!("/user/alice/images.idx as bob@BED.TEST (by token) (NameNode localhost:{}): ", site.hadoop.rpc_port(0));
    let has = ["data.train.images: cannot look at hdfs://", &through, "permission denied: ", "user=bob", "help: ask the owner for access"];
    refused(site, "bob at alice's", &said, FILE, &has);
    site.wait_for_log(30, 1, "; it came with a submission that was not admitted");
}

// Whoever has a ticket for the NameNode, not only one that gets tickets, needs no KDC.
fn no_kdc(site: &Site) {
    let by_ticket = |name: &str| site.submit(&site.job(name, 1));
    let has = ["Cannot contact any KDC", "can be reached from here"];
    site.hadoop.kdc().stop();
    let by_keytab = site.submit(&of_keytab(site, &|_| {}));
    refused(site, "a keytab", &by_keytab, JOB, &[&["no HDFS tokens for the job: login of alice@BED.TEST"], &has[..]].concat());
    let of_ticket = ["no HDFS tokens for the job: NameNode localhost:", "alice@BED.TEST to hdfs/localhost"];
    refused(site, "a ticket for tickets", &by_ticket("away"), JOB, &[&of_ticket, &has[..]].concat());
    site.hadoop.kdc().resume();

    let well = |name: &str| {
        let output = by_ticket(name);
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), site.lab.logs());
    };
    well("there");
    site.hadoop.kdc().stop();
    well("had");
    site.wait_for_log(60, 2, "HDFS token cancelled: token ");
    site.hadoop.kdc().resume();
}

// The library makes up for a clock that is wrong here, unless it is told not to; a NameNode does not make up for its own.
fn clocks(site: &Site) {
    site.hadoop.kdc().stop();
    if site.hadoop.kdc().resume_at("+20 minutes") {
        let strict = site.lab.path().join("strict.conf");
        let text = fs::read_to_string(site.hadoop.krb5_conf()).unwrap();
        fs::write(&strict, text.replace("[libdefaults]", "[libdefaults]\nkdc_timesync = 0")).unwrap();
        let job = of_keytab(site, &|_| {});
        let said = site.submit_with(&job, &[("KRB5_CONFIG", strict.to_str().unwrap())]);
        let has = ["login of alice@BED.TEST", "Clock skew too great", "set both by NTP"];
        refused(site, "a clock that differs", &said, JOB, &has);
        let has = ["NameNode localhost:", "the KDC's clock is 20 min ahead of this machine's", "by NTP"];
        refused(site, "a NameNode's clock that differs", &site.submit(&job), JOB, &has);
        site.hadoop.kdc().stop();
    }
    site.hadoop.kdc().resume();
}

// Somebody who has got a token, and nothing else.
fn by_a_token_file(site: &Site) {
    let file = site.lab.path().join("got.tokens");
    let path = file.to_str().unwrap();
    site.probe("keytab", &site.hadoop.keytab("alice"), &["get-token", "alice", path]).unwrap();
    let submit =
        |path: &str| site.submit_with(&site.job("given", 1), &[("HADOOP_TOKEN_FILE_LOCATION", path), ("KRB5CCNAME", "FILE:/none")]);
    let done = submit(path);
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&done.stderr), site.lab.logs());
    site.wait_for_log(1, 1, "HDFS token taken from the submitter's file: token ");
    site.wait_for_log(60, 1, "HDFS token left to the submitter: token ");
    assert_eq!(site.probe("token", &file, &["blocks", "/user/alice/images.idx"]), Ok(()), "it is nobody's to cancel but his");
    let mut list = site.lab.tfcoord(&["data", "ls", "hdfs:///user/alice"]);
    let listed = list.envs([("HADOOP_TOKEN_FILE_LOCATION", path), ("KRB5CCNAME", "FILE:/none")]).output().unwrap();
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("images.idx"), "{said}");

    refused(site, "no file", &submit("/none"), JOB, &["no HDFS tokens for the job: token file /none: cannot read it"]);
    site.probe("token", &file, &["cancel", path]).unwrap();
    refused(site, "a token that was cancelled", &submit(path), JOB, &["no HDFS tokens for the job: NameNode ", "the token was cancelled"]);
}

#[test]
fn without_kerberos_libraries_it_is_said_what_to_install() {
    let Some(mut site) = Site::start() else { return };
    let hidden = site.lab.path().join("hidden");
    std::fs::create_dir(&hidden).unwrap();
    // Found before the system's, and no library.
    std::fs::write(hidden.join("libkrb5.so.3"), "").unwrap();
    site.lab.set("LD_LIBRARY_PATH", hidden.to_str().unwrap());
    let output = site.submit(&site.job("hidden", 1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot open libkrb5.so.3") && said.contains("install "), "{said}");

    println!("all else does without");
    idx::write_pictures(site.lab.path(), 320, 12, 4, 7);
    let mut here = job::pictures("here", job::mlp_layers(), 256, 64);
    here["train"]["epochs"] = json!(1);
    let output = site.submit(&here);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), site.lab.logs());
}
