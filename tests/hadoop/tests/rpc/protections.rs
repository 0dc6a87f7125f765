//! A token's whole life, and a file's blocks, under each protection of the wire.

use super::probe::Asker;
use std::fs;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const PROTECTIONS: [&str; 3] = ["authentication", "integrity", "privacy"];

fn bed(security: Security) -> Option<Hadoop> {
    let hosts = ["one", "two", "three"].map(str::to_owned).to_vec();
    let hadoop = Hadoop::start(Form { block_size: 1 << 20, hosts, ..Form::new(security) })?;
    let local = hadoop.path().join("blocks");
    fs::write(&local, vec![7; (5 << 20) / 2]).unwrap();
    hadoop.kinit("alice");
    let put = hadoop.dfs("alice", &["-put", local.to_str().unwrap(), "/user/alice/blocks"]);
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    Some(hadoop)
}

#[test]
fn authentication() {
    whole_life(Security::Authentication);
}

#[test]
fn integrity() {
    whole_life(Security::Integrity);
}

#[test]
fn privacy() {
    whole_life(Security::Privacy);
}

fn whole_life(security: Security) {
    let Some(hadoop) = bed(security) else { return };
    let (asker, file) = (Asker(&hadoop), hadoop.path().join("alice.token"));
    let path = file.to_str().unwrap();
    let with_level = |words: &[&'static str]| [&["--protection", security.name()], words].concat();
    let with_path = |words: &[&'static str]| [with_level(words), vec![path]].concat();

    let got = asker.by_keytab("tfcoord", &with_path(&["--proxy", "alice", "get-token", "tfcoord"])).unwrap();
    let service = format!("127.0.0.1:{}", hadoop.rpc_port(0));
    assert_eq!(got, format!(r#"HDFS_DELEGATION_TOKEN {service} alice by "tfcoord/localhost@BED.TEST" for 604800"#));

    for blocks in [
        asker.by_keytab("alice", &with_level(&["blocks", "/user/alice/blocks"])),
        asker.by_token(&file, &with_level(&["blocks", "/user/alice/blocks"])),
    ] {
        check_blocks(&blocks.unwrap());
    }
    only_as_strong_as_it_is(&asker, &file, security.name());

    let renewed = asker.by_keytab("tfcoord", &with_path(&["renew"])).unwrap();
    assert!((86_000..=86_400).contains(&renewed.parse::<u64>().unwrap()), "{renewed}");
    hadoop.command("expire-tokens");
    let error = asker.by_token(&file, &with_level(&["blocks", "/user/alice/blocks"])).unwrap_err();
    assert!(error.contains("InvalidToken") && error.contains("expired") && error.contains("renew it in time"), "{error}");
    // A renewal brings it back to life, as it is not beyond its maximum.
    asker.by_keytab("tfcoord", &with_path(&["renew"])).unwrap();
    check_blocks(&asker.by_token(&file, &with_level(&["blocks", "/user/alice/blocks"])).unwrap());

    assert_eq!(asker.by_keytab("tfcoord", &with_path(&["cancel"])).unwrap(), "");
    let error = asker.by_token(&file, &with_level(&["blocks", "/user/alice/blocks"])).unwrap_err();
    assert!(error.contains("can't be found in cache") && error.contains("get a new one"), "{error}");
}

fn check_blocks(printed: &str) {
    let lines: Vec<Vec<&str>> = printed.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines[0], ["length", "2621440"]);
    let places: Vec<_> = lines[1..].iter().map(|line| (line[0], line[1])).collect();
    assert_eq!(places, [("0", "1048576"), ("1048576", "1048576"), ("2097152", "524288")]);
    for line in &lines[1..] {
        let hosts: Vec<_> = line[2].split(',').collect();
        assert!(hosts.len() == 2 && hosts.iter().all(|host| ["one", "two", "three"].contains(host)), "{line:?}");
        assert!(line[3].split(',').all(|node| node.starts_with("127.0.0.1:")), "{line:?}");
    }
}

fn only_as_strong_as_it_is(asker: &Asker<'_>, token: &std::path::Path, level: &str) {
    let strength = PROTECTIONS.iter().position(|name| *name == level).unwrap();
    for (at, wanted) in PROTECTIONS.into_iter().enumerate() {
        let words = ["--protection", wanted, "blocks", "/user/alice/blocks"];
        for answer in [asker.by_keytab("alice", &words), asker.by_token(token, &words)] {
            match answer {
                Ok(_) => assert!(at <= strength, "{wanted} was granted by {level}"),
                Err(error) => {
                    assert!(at > strength, "{wanted}: {error}");
                    assert!(error.contains(&format!("offers {level}, where at least {wanted}")), "{error}");
                }
            }
        }
    }
}
