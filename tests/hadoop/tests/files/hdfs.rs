//! Files in HDFS, without Kerberos; and for a child process that has its environment ([`super::secured`]), with it.

use super::conformance;
use std::time::Duration;
use tfcoord_fs::hdfs::{Hdfs, Identity, Limits, Site};
use tfcoord_fs::storage::{FileSystem, Location};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

pub const LIMITS: Limits =
    Limits { answer: Duration::from_secs(60), broken: Duration::from_secs(120), safe_mode: Duration::from_secs(600) };

/// As a user of a HDFS without Kerberos.
pub fn connect(hadoop: &Hadoop, user: &str, limits: Limits) -> Hdfs {
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).unwrap();
    let identity = Identity { user: Some(user.to_owned()), ..Identity::default() };
    Hdfs::connect(&home(hadoop), &site, &identity, limits).unwrap_or_else(|error| panic!("{error}"))
}

/// Where alice may do what she likes.
pub fn home(hadoop: &Hadoop) -> Location {
    Location::parse(&hadoop.url(), None).unwrap().join("user/alice")
}

#[test]
fn it_conforms() {
    let mut form = Form::new(Security::Simple);
    // So that small files have several.
    form.block_size = 1 << 20;
    let Some(hadoop) = Hadoop::start(form) else { return };
    let alice = connect(&hadoop, "alice", LIMITS);
    conformance::all(&alice, &home(&hadoop).join("conformance"));
    a_table_of_mounts(&hadoop, &alice);
}

// Part of the same directory under another name, without a fallback; and with one, for all else.
fn a_table_of_mounts(hadoop: &Hadoop, alice: &Hdfs) {
    println!("viewfs");
    let dir = tempfile::tempdir().unwrap();
    let mounted = home(hadoop).join("mounted");
    alice.make_directory(&mounted).unwrap();
    let connect = |more: &str| {
        let link = format!("<property><name>fs.viewfs.mounttable.all.link./data</name><value>{mounted}</value></property>");
        std::fs::write(dir.path().join("core-site.xml"), format!("<configuration>{link}{more}</configuration>")).unwrap();
        let site = Site::load(Some(dir.path()), &|_| None).unwrap();
        let identity = Identity { user: Some("alice".to_owned()), ..Identity::default() };
        Hdfs::connect(&at("/data"), &site, &identity, LIMITS).unwrap_or_else(|error| panic!("{error}"))
    };
    let bare = connect("");
    conformance::all(&bare, &at("/data/conformance"));
    assert_eq!(alice.list(&mounted).unwrap()[0].name, "conformance", "it is there under its other name too");
    for elsewhere in ["/", "/database", "/user/alice"] {
        let error = bare.list(&at(elsewhere)).unwrap_err().to_string();
        assert!(error.contains("nothing is mounted there, but at /data"), "{elsewhere}: {error}");
    }
    let root = format!("<property><name>fs.viewfs.mounttable.all.linkFallback</name><value>{}/</value></property>", hadoop.url());
    let names = connect(&root).list(&at("/user/alice")).unwrap();
    assert_eq!(names.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["conformance", "mounted"]);
}

fn at(path: &str) -> Location {
    Location::parse(&format!("viewfs://all{path}"), None).unwrap()
}

#[test]
#[ignore = "takes the directory FILES_AT, HADOOP_CONF_DIR and Kerberos from the environment"]
fn it_conforms_here() {
    let environment = |name: &str| std::env::var(name).ok();
    let root = Location::parse(&environment("FILES_AT").unwrap(), None).unwrap();
    let site = Site::load(None, &environment).unwrap();
    let keytab = environment("FILES_KEYTAB").map(Into::into);
    let identity = Identity { principal: environment("FILES_PRINCIPAL"), keytab, ..Identity::default() };
    let hdfs = Hdfs::connect(&root, &site, &identity, LIMITS).unwrap_or_else(|error| panic!("{error}"));
    conformance::all(&hdfs, &root);
}
