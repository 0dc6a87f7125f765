use super::*;
use std::fs;
use tempfile::TempDir;

fn write(dir: &TempDir, file: &str, properties: &[(&str, &str)]) {
    let one = |(name, value): &(&str, &str)| format!("<property><name>{name}</name><value> {value}\n</value></property>");
    let all: String = properties.iter().map(one).collect();
    fs::write(dir.path().join(file), format!("<?xml version=\"1.0\"?>\n<configuration><!-- c -->{all}</configuration>")).unwrap();
}

fn site(properties: &[(&str, &str)]) -> Site {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "core-site.xml", properties);
    Site::load(Some(dir.path()), &|_| None).unwrap()
}

fn served(site: &Site, at: &str) -> Result<(String, Vec<String>), String> {
    let found = site.service(&Location::parse(at, None).unwrap());
    found.map(|service| (service.url, service.namenodes)).map_err(|problem| problem.to_string())
}

#[test]
fn it_is_looked_for_where_the_environment_says() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "hdfs-site.xml", &[("a", "b")]);
    let place = dir.path().display().to_string();
    let environment = |name: &str| (name == "HADOOP_CONF_DIR").then(|| place.clone());
    assert_eq!(Site::load(None, &environment).unwrap().get("a"), Some("b"));
    let error = Site::load(Some(Path::new("/no/where")), &environment).unwrap_err().to_string();
    assert_eq!(error, "there is neither core-site.xml nor hdfs-site.xml in /no/where");
    let home = |name: &str| (name == "HADOOP_HOME").then(|| "/no/home".to_owned());
    let error = Site::load(None, &home).unwrap_err().to_string();
    assert!(error.ends_with("in /no/home/etc/hadoop or /etc/hadoop/conf"), "{error}");
}

#[test]
fn later_files_win_but_over_what_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let fixed = "<configuration><property><name>a</name><value>1</value><final>true</final></property></configuration>";
    fs::write(dir.path().join("core-site.xml"), fixed).unwrap();
    write(&dir, "hdfs-site.xml", &[("a", "2"), ("b", "2"), ("b", "3")]);
    let site = Site::load(Some(dir.path()), &|_| None).unwrap();
    assert_eq!((site.get("a"), site.get("b")), (Some("1"), Some("3")));
}

#[test]
fn values_refer_to_each_other_and_to_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let circle = [("host", "nn"), ("url", "hdfs://${host}:${env.PORT}"), ("x", "${y}"), ("y", "a${x}"), ("z", "${none}${host}")];
    write(&dir, "core-site.xml", &circle);
    let site = Site::load(Some(dir.path()), &|name| (name == "PORT").then(|| "9000".to_owned())).unwrap();
    assert_eq!(site.get("url"), Some("hdfs://nn:9000"));
    assert_eq!(site.get("z"), Some("${none}${host}"));
    assert!(site.get("x").unwrap().len() < 100);
}

#[test]
fn references_do_not_swell() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(500_000);
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    let mut properties = vec![("long", long.as_str())];
    properties.extend(names.iter().map(|name| (name.as_str(), "${long}${long}")));
    write(&dir, "core-site.xml", &properties);
    let error = Site::load(Some(dir.path()), &|_| None).unwrap_err().to_string();
    assert!(error.contains("longer than 16777216 bytes") && error.starts_with(&dir.path().display().to_string()), "{error}");
    properties.truncate(10);
    write(&dir, "core-site.xml", &properties);
    assert_eq!(Site::load(Some(dir.path()), &|_| None).unwrap().get("n0").unwrap().len(), 1_000_000);
}

#[test]
fn what_is_no_configuration_is_refused_by_name() {
    for (text, says) in [
        ("<configuration>", "core-site.xml: "),
        ("<a/>", "it holds <a>, not <configuration>"),
        ("<configuration><xi:include xmlns:xi='x' href='b.xml'/></configuration>", "includes another file"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><configuration/>", "core-site.xml: "),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("core-site.xml"), text).unwrap();
        let error = Site::load(Some(dir.path()), &|_| None).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn an_address_leads_to_its_namenodes() {
    let ha = [
        ("fs.defaultFS", "hdfs://ns"),
        ("dfs.ha.namenodes.ns", "one, two"),
        ("dfs.namenode.rpc-address.ns.one", "a:1"),
        ("dfs.namenode.rpc-address.ns.two", "b:2"),
        ("dfs.ha.namenodes.half", "one"),
        ("dfs.namenode.rpc-address.single", "c:3"),
        ("fs.viewfs.mounttable.v.link./data", "hdfs://ns/data"),
        ("fs.viewfs.mounttable.v.linkFallback", "hdfs://single/"),
    ];
    let site = site(&ha);
    let both = Ok(("hdfs://ns".to_owned(), vec!["a:1".to_owned(), "b:2".to_owned()]));
    for at in ["hdfs://ns/x", "hdfs://default/x", "hdfs:///x"] {
        assert_eq!(served(&site, at), both, "{at}");
    }
    assert_eq!(served(&site, "hdfs://single/x").unwrap(), ("hdfs://c:3".to_owned(), vec!["c:3".to_owned()]));
    assert_eq!(served(&site, "hdfs://h:9/x").unwrap().0, "hdfs://h:9");
    assert_eq!(served(&site, "hdfs://h/x").unwrap().0, "hdfs://h:8020");
    let all = ["a:1", "b:2", "c:3"].map(str::to_owned).to_vec();
    assert_eq!(served(&site, "viewfs://v/data"), Ok(("viewfs://v".to_owned(), all)));
    assert!(served(&site, "viewfs://w/data").unwrap_err().contains("no mounts for viewfs://w"));
    assert!(served(&site, "hdfs://half/x").unwrap_err().contains("has no dfs.namenode.rpc-address.half.one"));
    let client = site.for_client(2);
    for (name, value) in [("dfs.ha.namenodes.ns", "one,two"), (FAILOVERS, "8"), (BEST_EFFORT, "true")] {
        assert!(client.contains(&(name.to_owned(), value.to_owned())), "{name}: {client:?}");
    }
}

#[test]
fn a_table_of_mounts_without_a_fallback_says_where_something_is() {
    let of = |more: (&str, &str)| site(&[("fs.viewfs.mounttable.v.link./data", "hdfs://a:1/x"), more]);
    let mounts = |site: &Site| site.service(&Location::parse("viewfs://v/data", None).unwrap()).map(|service| service.mounts);
    let without = of(("fs.viewfs.mounttable.v.link./user/b", "hdfs://b:2/y"));
    assert_eq!(mounts(&without).unwrap().unwrap(), ["/data", "/user/b"]);
    let fallback = "fs.viewfs.mounttable.v.linkFallback";
    assert!(without.for_client(2).iter().any(|(name, _)| name == fallback), "the client takes no table without one");
    assert_eq!(mounts(&of((fallback, "hdfs://c:3/"))).unwrap(), None);
    let merged = mounts(&of(("fs.viewfs.mounttable.v.linkMergeSlash", "hdfs://c:3/"))).unwrap_err().to_string();
    assert_eq!(merged, "not supported: fs.viewfs.mounttable.v.linkMergeSlash in a table of mounts");
}

#[test]
fn there_may_be_no_default_in_hdfs() {
    assert!(served(&site(&[]), "hdfs:///x").unwrap_err().contains("names no fs.defaultFS"));
    assert!(served(&site(&[("fs.defaultFS", "file:///")]), "hdfs://default/x").unwrap_err().contains("which is not in HDFS"));
}

#[test]
fn the_policy_is_the_weakest_that_the_site_allows() {
    let policy = |properties: &[(&str, &str)]| site(properties).policy().map_err(|problem| problem.to_string());
    let of = |kerberos, rpc| Policy { kerberos, rpc, key: RPC_PROTECTION };
    assert_eq!(policy(&[]), Ok(of(false, Level::Authentication)));
    assert_eq!(policy(&[(AUTHENTICATION, "KERBEROS"), (RPC_PROTECTION, "privacy,integrity")]), Ok(of(true, Level::Integrity)));
    assert!(policy(&[(RPC_PROTECTION, "secret")]).unwrap_err().contains("hadoop.rpc.protection = secret"));
    assert!(policy(&[(DATA_PROTECTION, "none")]).unwrap_err().contains("dfs.data.transfer.protection = none"));
    assert!(policy(&[(AUTHENTICATION, "token")]).unwrap_err().contains("simple and kerberos are known"));
}
