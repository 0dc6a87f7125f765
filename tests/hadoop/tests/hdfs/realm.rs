//! The KDC by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;
use tfcoord_testkit::hadoop::kdc::{Kdc, Lives};
use tfcoord_testkit::hadoop::program;
use tfcoord_testkit::processes::with_arguments;

const MINUTE: Duration = Duration::from_mins(1);

fn run(dir: &Path, name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program(name).unwrap());
    command.args(arguments).env("KRB5_CONFIG", dir.join("krb5.conf"));
    command.env("KRB5CCNAME", format!("FILE:{}", dir.join("caches/alice").display())).output().unwrap()
}

fn start(renewable: Duration) -> Option<(TempDir, Kdc, String)> {
    let dir = TempDir::new().unwrap();
    let kdc = Kdc::start(dir.path(), Lives { ticket: MINUTE, renewable })?;
    kdc.add("alice", &["alice"]);
    let keytab = kdc.keytab("alice").display().to_string();
    Some((dir, kdc, keytab))
}

#[test]
fn a_stopped_kdc_comes_back_on_its_port() {
    let Some((dir, kdc, keytab)) = start(MINUTE) else { return };
    let log_in = || run(dir.path(), "kinit", &["-k", "-t", &keytab, "alice"]);
    assert!(log_in().status.success());
    kdc.stop();
    let refused = log_in();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Cannot contact any KDC"), "{refused:?}");
    kdc.resume();
    assert!(log_in().status.success());
    kdc.kadmin("delprinc -force alice");
    let unknown = log_in();
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("not found in Kerberos database"), "{unknown:?}");

    let pid_file = dir.path().join("kdc/pid").display().to_string();
    assert_eq!(with_arguments(&[&pid_file]).len(), 2, "the KDC and the shell around it");
    drop(kdc);
    assert_eq!(with_arguments(&[&pid_file]), []);
}

#[test]
fn tickets_are_renewed_where_they_may_be() {
    let good_once_renewed = |renewable| {
        let (dir, _kdc, keytab) = start(renewable)?;
        assert!(run(dir.path(), "kinit", &["-r", "1h", "-k", "-t", &keytab, "alice"]).status.success());
        assert!(run(dir.path(), "klist", &["-s"]).status.success(), "a new ticket is good");
        let renewed = run(dir.path(), "kinit", &["-R"]).status.success();
        Some(renewed && run(dir.path(), "klist", &["-s"]).status.success())
    };
    let Some(good) = good_once_renewed(10 * MINUTE) else { return };
    assert!(good);
    // Within the second in which it was made it is renewed until that very second; later it is refused.
    assert_eq!(good_once_renewed(Duration::ZERO), Some(false));
}

#[test]
fn a_failure_of_kadmin_is_seen() {
    let Some((_dir, kdc, _)) = start(MINUTE) else { return };
    let failed = catch_unwind(AssertUnwindSafe(|| kdc.kadmin("delprinc -force carol")));
    assert!(failed.is_err());
}
