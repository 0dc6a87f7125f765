//! Logins and tickets, with a real KDC.

use super::probe::{probe, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use tfcoord_testkit::hadoop::kdc::{Kdc, Lives};
use tfcoord_testkit::hadoop::program;
use tfcoord_testkit::tools::skip;

struct Realm {
    dir: TempDir,
    kdc: Kdc,
}

impl Realm {
    fn start(lives: Lives) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let kdc = Kdc::start(dir.path(), lives)?;
        for name in ["alice", "bob"] {
            kdc.add(name, &[name]);
        }
        Some(Self { dir, kdc })
    }

    fn conf(&self) -> PathBuf {
        self.dir.path().join("krb5.conf")
    }

    fn ask(&self, keytab: &Path, words: &[&str]) -> Result<String, String> {
        run(probe(&self.conf()).arg("--keytab").arg(keytab).args(words))
    }
}

const HOURS: Lives = Lives { ticket: Duration::from_hours(1), renewable: Duration::from_hours(24) };

fn check(answer: Result<String, String>, parts: &[&str]) {
    let error = answer.unwrap_err();
    for part in parts {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn a_key_gets_a_ticket_and_renews_it() {
    let Some(realm) = Realm::start(HOURS) else { return };
    let keytab = realm.kdc.keytab("alice");
    assert_eq!(realm.ask(&keytab, &["ticket"]).unwrap(), "3600 86400");
    assert!(realm.ask(&keytab, &["renew-ticket"]).unwrap().starts_with("3600 "));

    let cache = realm.dir.path().join("ticket");
    let cached = ["--cache", cache.to_str().unwrap(), "ticket"];
    assert_eq!(realm.ask(&keytab, &cached).unwrap(), "3600 86400\n600");
    let left: Vec<_> = fs::read_dir(realm.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("ticket")), "the cache goes with its login: {left:?}");
    assert!(!realm.dir.path().join("nobody's").exists(), "the user's own cache was touched");
}

#[test]
fn what_is_not_renewable_says_so() {
    let Some(realm) = Realm::start(Lives { ticket: Duration::from_hours(1), renewable: Duration::ZERO }) else { return };
    check(realm.ask(&realm.kdc.keytab("alice"), &["renew-ticket"]), &["renewing the ticket of alice@BED.TEST", "log in again"]);
}

#[test]
fn keytabs_are_told_apart() {
    let Some(realm) = Realm::start(HOURS) else { return };
    let bob = realm.kdc.keytab("bob");
    check(realm.ask(Path::new("/nothing"), &["ticket"]), &["keytab /nothing: No such file", "may read it"]);
    check(realm.ask(realm.dir.path(), &["ticket"]), &["no regular file"]);
    check(realm.ask(&realm.conf(), &["ticket"]), &["krb5.conf: ", "ktadd"]);
    check(realm.ask(&bob, &["ticket"]), &[&bob.display().to_string(), "no key of alice@BED.TEST", "has keys of: bob@BED.TEST"]);
    check(realm.ask(&bob, &["--user", "a b", "ticket"]), &["no Kerberos principal", "NAME@REALM"]);

    let alice = realm.kdc.keytab("alice");
    realm.kdc.kadmin("cpw -randkey alice");
    check(realm.ask(&alice, &["ticket"]), &["login of alice@BED.TEST", "key was changed"]);
    realm.kdc.kadmin("delprinc -force alice");
    check(realm.ask(&alice, &["ticket"]), &["login of alice@BED.TEST", "not found in Kerberos database", "addprinc"]);
}

#[test]
fn a_realm_that_does_not_answer_says_so() {
    let Some(realm) = Realm::start(HOURS) else { return };
    let alice = realm.kdc.keytab("alice");
    check(realm.ask(&alice, &["spnego", "HTTP/nowhere@BED.TEST"]), &["to HTTP/nowhere@BED.TEST", "service's principal"]);
    check(run(probe(&realm.conf()).arg("ticket")), &["nobody's", "kinit"]);
    realm.kdc.stop();
    check(realm.ask(&alice, &["ticket"]), &["Cannot contact any KDC", "port 88"]);
    fs::write(realm.conf(), "[libdefaults]\n default_realm = BED.TEST\n dns_lookup_kdc = false\n").unwrap();
    check(realm.ask(&alice, &["ticket"]), &["Cannot find KDC for realm", "krb5.conf"]);
}

#[test]
fn clocks_and_old_tickets() {
    let Some(realm) = Realm::start(HOURS) else { return };
    let Some(faketime) = program("faketime") else {
        skip("faketime is missing: run make setup");
        return;
    };
    let later = |by: &str, words: &[&str]| {
        let mut command = Command::new(&faketime);
        command.arg(by).arg(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe")).env("KRB5_CONFIG", realm.conf());
        run(command.env("KRB5CCNAME", realm.dir.path().join("alice's")).args(words))
    };
    let alice = realm.kdc.keytab("alice").display().to_string();
    // The library makes up for its own clock's error, unless it is told not to.
    later("+20 minutes", &["--keytab", &alice, "ticket"]).unwrap();
    let mut kinit = Command::new(program("kinit").unwrap());
    kinit.env("KRB5_CONFIG", realm.conf()).env("KRB5CCNAME", realm.dir.path().join("alice's"));
    run(kinit.args(["-k", "-t", &alice, "alice"])).unwrap();
    check(later("+2 hours", &["spnego", "HTTP/x@BED.TEST"]), &["alice@BED.TEST to HTTP/x", "the ticket is over", "kinit"]);
    let conf = fs::read_to_string(realm.conf()).unwrap();
    fs::write(realm.conf(), conf.replace("[libdefaults]", "[libdefaults]\nkdc_timesync = 0")).unwrap();
    check(later("+20 minutes", &["--keytab", &alice, "ticket"]), &["Clock skew too great", "NTP"]);
}
