use super::*;
use crate::fixture::Dir;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn patterns() {
    let check = |pattern: &str, yes: &[&str], no: &[&str]| {
        yes.iter().for_each(|name| assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}"));
        no.iter().for_each(|name| assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}"));
    };
    check("*", &["", "a", "a.b"], &[]);
    check("*.csv", &["a.csv", ".csv", "a.csv.csv"], &["a.csv.gz", "csv"]);
    check("part-*-*.csv", &["part-0-1.csv", "part--.csv"], &["part-0.csv", "xpart-0-1.csv"]);
    check("a*a", &["aa", "aba"], &["a", "ab"]);
    check("a*b*b", &["abb", "axbxb"], &["ab", "abx"]);
    check("plain", &["plain"], &["plain2", "xplain"]);
}

fn names(dir: &Dir, json: &str) -> Vec<String> {
    let listed = list(Named::Job("data.train"), Format::Csv, &dir.source(json), &dir.files()).unwrap();
    let root = dir.path("").display().to_string();
    listed.iter().map(|l| l.file.to_string().strip_prefix(&root).unwrap().to_owned()).collect()
}

#[test]
fn files_come_in_the_order_of_their_paths() {
    let dir = Dir::new();
    for name in ["d/b.csv", "d/a.csv", "d/_SUCCESS", "d/.a.csv.tmp", "d/deep/c.csv", "c.csv", "d.csv"] {
        dir.write(name, "");
    }
    assert_eq!(names(&dir, r#"{"files": "DIR/d"}"#), ["d/a.csv", "d/b.csv"]);
    assert_eq!(names(&dir, r#"{"files": "DIR/*.csv"}"#), ["c.csv", "d.csv"]);
    assert_eq!(names(&dir, r#"{"files": ["DIR/d.csv", "DIR/d", "DIR/c.csv"]}"#), ["c.csv", "d/a.csv", "d/b.csv", "d.csv"]);
}

#[test]
fn pairs_stay_pairs() {
    let dir = Dir::new();
    for name in ["i-2", "i-1", "l-2", "l-1", "x", "y"] {
        dir.write(name, "");
    }
    let listed = |json: &str| list(Named::Job("data.train"), Format::Idx, &dir.source(json), &dir.files());
    let labels = |json: &str| -> Vec<String> {
        let name = |l: Listed| l.labels.unwrap().name().unwrap().to_owned();
        listed(json).unwrap().into_iter().map(name).collect()
    };
    assert_eq!(labels(r#"{"images": "DIR/i-*", "labels": "DIR/l-*"}"#), ["l-1", "l-2"]);
    assert_eq!(labels(r#"{"images": ["DIR/i-2", "DIR/i-1"], "labels": ["DIR/x", "DIR/y"]}"#), ["y", "x"]);
    assert_eq!(
        dir.said(listed(r#"{"images": "DIR/i-*", "labels": "DIR/x"}"#)),
        "data.train: 2 files with images, but 1 with labels\n  help: name them in pairs, in the same order"
    );
}

#[test]
fn what_is_not_there_is_named() {
    let dir = Dir::new();
    dir.write("a.csv", "");
    dir.write("empty/.hidden", "");
    let check = |json: &str, expected: &str| {
        assert_eq!(dir.said(list(Named::Job("data.train"), Format::Csv, &dir.source(json), &dir.files())), expected);
    };
    check(r#"{"files": "DIR/b.csv"}"#, "data.train.files: DIR/b.csv is not there\n  help: check the path; it is relative to the job file");
    check(
        r#"{"files": ["DIR/a.csv", "DIR/a.csv/b"]}"#,
        "data.train.files[1]: DIR/a.csv/b is not there\n  help: check the path; it is relative to the job file",
    );
    check(r#"{"files": "DIR/no/*.csv"}"#, "data.train.files: DIR/no is not there\n  help: check the path; it is relative to the job file");
    check(r#"{"files": "DIR/*.tsv"}"#, "data.train.files: DIR/*.tsv holds no file\n  help: check the path; it is relative to the job file");
    check(r#"{"files": "DIR/empty"}"#, "data.train.files: DIR/empty holds no file\n  help: check the path; it is relative to the job file");
    check(r#"{"files": []}"#, "data.train.files: no files are named\n  help: name at least one");
    check(
        r#"{"files": ["DIR/a.csv", "DIR/*.csv"]}"#,
        "data.train: DIR/a.csv is named twice\n  help: name it once; every record is taken once",
    );
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    let dir = Dir::new();
    std::fs::write(dir.path("").join(OsStr::from_bytes(b"\xff.csv")), "").unwrap();
    let listed = list(Named::Job("data.train"), Format::Csv, &dir.source(r#"{"files": "DIR"}"#), &dir.files());
    assert_eq!(dir.said(listed), "data.train.files: cannot list DIR: it holds \"\\xFF.csv\", a name that is not UTF-8\n  help: rename it");
}

#[test]
fn places_are_named_as_addresses_too() {
    let dir = Dir::new();
    for name in ["d/b.csv", "d/a.csv"] {
        dir.write(name, "");
    }
    assert_eq!(names(&dir, r#"{"files": "file://DIR/d"}"#), ["d/a.csv", "d/b.csv"]);
    assert_eq!(names(&dir, r#"{"files": ["file://DIR/d/b*", "DIR/d/a.csv"]}"#), ["d/a.csv", "d/b.csv"]);
    let said = |json: &str| dir.said(list(Named::Job("data.train"), Format::Csv, &dir.source(json), &dir.files()));
    assert!(said(r#"{"files": ["s3://bucket/a"]}"#).starts_with("data.train.files[0]: s3://bucket/a: the scheme s3 is not supported"));
    assert!(said(r#"{"files": "hdfs://nn/../a"}"#).starts_with("data.train.files: hdfs://nn/../a: HDFS does not follow"));
}
