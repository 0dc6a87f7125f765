//! A token's whole life, and a file's blocks, under each protection of the wire.

use super::probe::Asker;
use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::{fs, thread};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

/// Blocks enough for an answer beyond the 64 KiB that SASL's messages have without a word about it.
const MANY: usize = 300;

const PROTECTIONS: [&str; 3] = ["authentication", "integrity", "privacy"];

fn bed(security: Security) -> Option<Hadoop> {
    let hosts = ["one", "two", "three"].map(str::to_owned).to_vec();
    let hadoop = Hadoop::start(Form { block_size: 1 << 20, hosts, ..Form::new(security) })?;
    hadoop.kinit("alice");
    put(&hadoop, "blocks", (5 << 20) / 2, 1 << 20);
    put(&hadoop, "many", MANY * 512, 512);
    Some(hadoop)
}

fn put(hadoop: &Hadoop, name: &str, length: usize, block_size: usize) {
    let local = hadoop.path().join(name);
    fs::write(&local, vec![7; length]).unwrap();
    let block_size = format!("dfs.blocksize={block_size}");
    let put = hadoop.dfs("alice", &["-D", &block_size, "-put", local.to_str().unwrap(), &format!("/user/alice/{name}")]);
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
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
    let (asker, file) = (Asker::of(&hadoop), hadoop.path().join("alice.token"));
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
    for many in [
        asker.by_keytab("alice", &with_level(&["blocks", "/user/alice/many"])),
        asker.by_token(&file, &with_level(&["blocks", "/user/alice/many"])),
    ] {
        assert_eq!(many.unwrap().lines().count(), 1 + MANY);
    }
    assert_eq!(tapped(&asker, &file), security != Security::Privacy, "the path is seen on the wire, unless it is encrypted");
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

/// Whether somebody between sees what a file is called, by Kerberos or by token.
fn tapped(asker: &Asker<'_>, token: &std::path::Path) -> bool {
    let seen = [false, true].map(|by_token| {
        let tap = Tap::before(asker.hadoop.rpc_port(0));
        let address = format!("localhost:{}", tap.port);
        let words = ["blocks", "/user/alice/blocks"];
        let answer = match by_token {
            true => asker.at(&address).by_token(token, &words),
            false => asker.at(&address).by_keytab("alice", &words),
        };
        check_blocks(&answer.unwrap());
        tap.recorded().windows(6).any(|part| part == b"blocks")
    });
    assert_eq!(seen[0], seen[1], "by Kerberos, by token");
    seen[0]
}

/// One connection through here, with all that the client says.
struct Tap {
    port: u16,
    recorder: thread::JoinHandle<Vec<u8>>,
}

impl Tap {
    fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let recorder = thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let back = thread::spawn(move || io::copy(&mut from, &mut to));
            let mut said = Vec::new();
            let mut both = io::BufReader::new(client);
            while let Some(bytes) = both.fill_buf().ok().filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec) {
                (&server).write_all(&bytes).unwrap();
                both.consume(bytes.len());
                said.extend(bytes);
            }
            server.shutdown(Shutdown::Both).unwrap();
            let _ended = back.join().unwrap();
            said
        });
        Self { port: own_port, recorder }
    }

    fn recorded(self) -> Vec<u8> {
        self.recorder.join().unwrap()
    }
}
