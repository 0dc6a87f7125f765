//! What is wrong with data in HDFS is said: which place of the job file, which file, as whom, through whom, and what helps.

use super::set::{Place, copy, home, put, start, systems, write};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use tfcoord_data::{Preprocessing, Reader};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{Identity, Limits, Site};

fn table(files: &str) -> Value {
    json!({"format": "csv", "label": "good", "train": {"files": files}})
}

#[test]
fn what_is_wrong_is_said() {
    let Some(hadoop) = start(false) else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let root = home(&hadoop, "refused");
    copy(&hadoop, dir.path(), &root);
    let (alice, bob) = (Place::of(systems(&hadoop, "alice")), Place::of(systems(&hadoop, "bob")));
    let name_node = format!("NameNode localhost:{}", hadoop.rpc_port(0));

    println!("missing");
    let missing = root.join("no/where");
    assert_eq!(
        alice.prepare(&table(&missing.to_string())).unwrap_err(),
        format!("data.train.files: cannot look at {missing} as alice ({name_node}): it is not there\n  help: check the path")
    );
    assert_eq!(
        alice.prepare(&table(&missing.join("*.csv").to_string())).unwrap_err(),
        format!("data.train.files: cannot list {missing} as alice ({name_node}): it is not there\n  help: check the path")
    );
    let none = root.join("tables/*.tsv");
    assert_eq!(
        alice.prepare(&table(&none.to_string())).unwrap_err(),
        format!("data.train.files: {none} holds no file\n  help: check the path; it is relative to the job file")
    );

    println!("denied");
    let mut data = json!({"format": "idx", "train": {"images": dir.path().join("images"), "labels": dir.path().join("labels")}});
    data["eval"] = json!({"images": [root.join("images").to_string()], "labels": root.join("labels").to_string()});
    let error = bob.prepare(&data).unwrap_err();
    let start = format!("data.eval.images[0]: cannot look at {} as bob ({name_node}): permission denied: ", root.join("images"));
    assert!(error.starts_with(&start) && error.contains("user=bob, access=EXECUTE"), "{error}");
    assert!(error.ends_with("\n  help: ask the owner for access, or act as a user who has it"), "{error}");

    println!("damaged");
    let bad = root.join("tables/d.csv");
    put(&hadoop, &bad, b"size,colour,shape,first,second,good\n1,red,flat,0,0,yes\n1,red,flat,0,0\n");
    assert_eq!(
        alice.prepare(&table(&root.join("tables").to_string())).unwrap_err(),
        format!(
            "{bad}:3: the row has 5 fields, expected 6 as the header has\n  help: quote fields that hold commas or newlines, and write a comma for every missing value"
        )
    );
    put(&hadoop, &bad, b"\x1f\x8b and no more");
    let error = alice.prepare(&table(&bad.to_string())).unwrap_err();
    assert!(error.starts_with(&format!("{bad}: cannot be unpacked: ")), "{error}");

    println!("changed");
    let one = root.join("tables/a.csv");
    let manifest = alice.prepare(&table(&one.to_string())).unwrap();
    let preprocessing = Preprocessing::from(&manifest);
    let length = manifest.train.files[0].length;
    let other = b"size,colour,shape,first,second,good\n1,red,flat,0,0,yes\n";
    put(&hadoop, &one, other);
    let error = Reader::open(&preprocessing, &manifest.train, &alice.files).unwrap_err().to_string();
    let expected =
        format!("{one}: has changed since it was first looked at: it had {length} bytes, it has {}\n  help: start again", other.len());
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn a_site_that_is_not_there_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let property = |name: &str, value: &str| format!("<property><name>{name}</name><value>{value}</value></property>");
    let quick = property("dfs.client.failover.sleep.base.millis", "1");
    std::fs::write(dir.path().join("core-site.xml"), format!("<configuration>{quick}</configuration>")).unwrap();
    let site = Site::load(Some(dir.path()), &|_| None).unwrap();
    let limits = Limits { broken: std::time::Duration::from_millis(500), ..Limits::default() };
    let place = Place::of(FileSystems::of_site(site, Identity { user: Some("alice".to_owned()), ..Identity::default() }, limits));
    assert_eq!(
        place.prepare(&table("hdfs://default/x")).unwrap_err(),
        format!(
            "data.train.files: cannot connect to hdfs://default/x as alice (NameNode not known yet): {} names no fs.defaultFS, which \
             hdfs://default/x stands for\n  help: set HADOOP_CONF_DIR to the folder with the site's core-site.xml and hdfs-site.xml, complete",
            dir.path().display()
        )
    );
    // Bound and held, but nobody listens.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = held.local_addr().unwrap();
    let error = place.prepare(&table(&format!("hdfs://{address}/x"))).unwrap_err();
    let start = format!("data.train.files: cannot look at hdfs://{address}/x as alice (NameNode {address}): connection refused: ");
    assert!(error.starts_with(&start) && error.contains("\n  help: check that the NameNode and the DataNodes run"), "{error}");
}
