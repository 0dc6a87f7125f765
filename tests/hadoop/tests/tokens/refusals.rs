//! Submissions that cannot come to anything are refused, with what helps; and what is submitted well ends well.

use super::site::Site;
use serde_json::json;

#[test]
fn who_cannot_prove_who_he_is_is_told_why() {
    let Some(site) = Site::start() else { return };
    let check = |what: &str, change: &dyn Fn(&mut serde_json::Value), has: &[&str]| {
        let mut job = site.job("refused", 1);
        job["service"] = site.service();
        change(&mut job["service"]["security"]["kerberos"]);
        let output = site.submit(&job);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{what}");
        has.iter().for_each(|has| assert!(said.contains(has), "{what}: {has}: {said}"));
        assert_eq!(std::fs::read_dir(site.lab.state_dir().join("submissions")).unwrap().count(), 0, "{what}");
    };
    let keytab = |name: &str| json!(site.hadoop.keytab(name).display().to_string());
    check(
        "no keytab",
        &|k| k["keytab_secret"] = json!("none"),
        &["refused.json:1:", "service.security.kerberos.keytab_secret: keytab", "/none", "check the path"],
    );
    check("no keytab in there", &|k| k["keytab_secret"] = json!("refused.json"), &["begins like no keytab", "export it again"]);
    check("somebody else's", &|k| k["keytab_secret"] = keytab("bob"), &["has no key of alice@BED.TEST; it has keys of: bob@BED.TEST"]);
    let eve = |k: &mut serde_json::Value| (k["primary"], k["keytab_secret"]) = (json!("eve"), keytab("eve"));
    site.hadoop.kdc().add("eve", &["eve"]);
    site.hadoop.kdc().kadmin("delprinc -force eve");
    check("unknown", &eve, &["service.security.kerberos.primary: login of eve@BED.TEST", "addprinc"]);
    check("no proxy", &|k| k["proxy_user"] = json!("bob"), &["service.security.kerberos.proxy_user: NameNode", "hadoop.proxyuser"]);

    let mut job = site.job("open", 1);
    job["service"] = json!({"hdfs": {"config_uri": "nowhere"}});
    let said = String::from_utf8_lossy(&site.submit(&job).stderr).into_owned();
    assert!(said.contains("service.hdfs.config_uri: hdfs://") && said.contains("neither core-site.xml nor hdfs-site.xml"), "{said}");

    site.hadoop.kdc().stop();
    check(
        "no KDC",
        &|_| {},
        &["no HDFS tokens for the job: login of alice@BED.TEST", "Cannot contact any KDC", "can be reached from here"],
    );
    site.hadoop.kdc().resume();

    // By the submitter's own ticket, to its end.
    site.lab.submit(&site.job("well", 1));
    site.wait_for_log(60, 1, "HDFS token cancelled: token ");
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
}
