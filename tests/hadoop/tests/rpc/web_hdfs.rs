//! WebHDFS as the second way: what is got by it serves for RPC, and the other way round.

use super::probe::{Asker, probe, run};
use super::tls;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

fn bed() -> Option<Hadoop> {
    let hosts = ["one", "two", "three"].map(str::to_owned).to_vec();
    let hadoop = Hadoop::start(Form { block_size: 1 << 20, hosts, ..Form::new(Security::Authentication) })?;
    hadoop.kinit("alice");
    let local = hadoop.path().join("blocks");
    fs::write(&local, vec![7; (5 << 20) / 2]).unwrap();
    let put = hadoop.dfs("alice", &["-put", local.to_str().unwrap(), "/user/alice/a b&c=%20"]);
    assert!(put.status.success(), "{}", String::from_utf8_lossy(&put.stderr));
    Some(hadoop)
}

#[test]
fn a_token_goes_both_ways() {
    let Some(hadoop) = bed() else { return };
    let (web, rpc, file) = (Asker::by_web(&hadoop), Asker::of(&hadoop), hadoop.path().join("alice.token"));
    let path = file.to_str().unwrap();
    let blocks = ["blocks", "/user/alice/a b&c=%20"];

    println!("got for another, by a key");
    let got = web.by_keytab("tfcoord", &["--proxy", "alice", "get-token", "tfcoord", path]).unwrap();
    let service = format!("127.0.0.1:{}", hadoop.rpc_port(0));
    // Of the pages' filter, which lets the proxy act, the NameNode sees alice alone.
    assert_eq!(got, format!(r#"HDFS_DELEGATION_TOKEN {service} alice by "" for 604800"#));

    println!("the same blocks, by whatever it is proved");
    let expected = rpc.by_keytab("alice", &blocks).unwrap();
    assert!(expected.starts_with("length 2621440\n0 1048576 ") && expected.lines().count() == 4, "{expected}");
    for answer in [
        web.by_keytab("alice", &blocks),
        web.by_ticket("alice", &blocks),
        web.by_token(&file, &blocks),
        web.by_keytab("tfcoord", &[&["--proxy", "alice"], &blocks[..]].concat()),
        rpc.by_token(&file, &blocks),
    ] {
        assert_eq!(sorted(&answer.unwrap()), sorted(&expected));
    }

    println!("renewed, over, renewed again");
    let renewed = web.by_keytab("tfcoord", &["renew", path]).unwrap();
    assert!((86_000..=86_400).contains(&renewed.parse::<u64>().unwrap()), "{renewed}");
    hadoop.command("expire-tokens");
    for asker in [&web, &rpc] {
        let error = asker.by_token(&file, &blocks).unwrap_err();
        assert!(error.contains("InvalidToken") && error.contains("expired") && error.contains("renew it in time"), "{error}");
        hides(&error, &file);
    }
    web.by_keytab("tfcoord", &["renew", path]).unwrap();
    rpc.by_token(&file, &blocks).unwrap();
    rpc.by_keytab("tfcoord", &["renew", path]).unwrap();

    println!("cancelled");
    assert_eq!(web.by_keytab("tfcoord", &["cancel", path]).unwrap(), "");
    let gone = [web.by_token(&file, &blocks), rpc.by_token(&file, &blocks)];
    let renewed = web.by_keytab("tfcoord", &["renew", path]);
    let again = web.by_keytab("tfcoord", &["cancel", path]);
    for answer in gone.into_iter().chain([renewed, again]) {
        let error = answer.unwrap_err();
        assert!(error.contains("InvalidToken") && error.contains("get a new one"), "{error}");
        hides(&error, &file);
    }
    refusals(&hadoop, &web, &file);
}

// Replicas come in any order.
fn sorted(blocks: &str) -> Vec<Vec<Vec<&str>>> {
    let parts = |part| {
        let mut all: Vec<&str> = str::split(part, ',').collect();
        all.sort_unstable();
        all
    };
    blocks.lines().map(|line| line.split(' ').map(parts).collect()).collect()
}

fn hides(error: &str, file: &Path) {
    let token = TokenFile::read(file).unwrap().tokens.remove(0).1;
    let text = token.to_url_string();
    // Of the middle, which is the password wherever it begins.
    assert!(!error.contains(&text[text.len() / 2..text.len() / 2 + 16]), "{error}");
}

fn refusals(hadoop: &Hadoop, web: &Asker<'_>, file: &Path) {
    let path = file.to_str().unwrap();
    let server = format!("http://localhost:{}", hadoop.http_port(0));
    let check = |what: &str, answer: Result<String, String>, parts: &[&str]| {
        let error = answer.unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{what}: {part} is not in: {error}");
        }
        hides(&error, file);
    };
    let at = format!("WebHDFS {server}");
    let denied = web.by_keytab("bob", &["blocks", "/user/alice/a b&c=%20"]);
    check("permission", denied, &[&at, "for bob@BED.TEST", "Permission denied: user=bob", "setfacl"]);
    let missing = web.by_keytab("alice", &["blocks", "/user/alice/none"]);
    check("no file", missing, &[&at, "FileNotFoundException", "check the path"]);
    let proxy = web.by_keytab("bob", &["--proxy", "alice", "get-token", "x", "/dev/null"]);
    check("no proxy", proxy, &["alice (by bob@BED.TEST)", "AuthorizationException", "hadoop.proxyuser"]);
    check("a name", web.by_name("alice", &["blocks", "/"]), &[&at, "alice in: 401", "hadoop.http.authentication.type"]);
    check("no ticket", web.by_ticket("bob", &["blocks", "/"]), &["kinit"]);
    let service = web.by_keytab("alice", &["--web-service", "HTTP/other@BED.TEST", "blocks", "/"]);
    check("another service", service, &[&at, "HTTP/other@BED.TEST", "check the service's principal"]);
    let service = web.by_keytab("alice", &["--web-service", "hdfs/localhost@BED.TEST", "blocks", "/"]);
    check("no service of the web", service, &[&at, "does not let alice@BED.TEST in", "dfs.web.authentication.kerberos.principal"]);

    web.by_keytab("alice", &["get-token", "tfcoord", path]).unwrap();
    check("not the renewer", web.by_keytab("bob", &["renew", path]), &["renewed by the renewer that it names"]);
    check("not the owner", web.by_keytab("bob", &["cancel", path]), &["CANCELDELEGATIONTOKEN for bob@BED.TEST"]);
    check("by a token", web.by_token(file, &["get-token", "x", "/dev/null"]), &["ask for tokens by Kerberos"]);
    let forged = forged(file);
    check("forged", web.by_token(&forged, &["blocks", "/"]), &[&at, "InvalidToken"]);

    let clear = web.by_keytab("alice", &["--protection", "privacy", "renew", path]);
    check("not encrypted", clear, &[&at, "demands privacy", "HTTPS_ONLY"]);
    let rpc = web.at(&format!("http://localhost:{}", hadoop.rpc_port(0))).by_keytab("alice", &["blocks", "/"]);
    check("RPC's port", rpc, &["404", "it has no WebHDFS there: check the address"]);
    somebody_else(web, path);
    encrypted(hadoop, web, file);

    hadoop.command("kill-namenode 0");
    check("nobody", web.by_keytab("alice", &["renew", path]), &[&at, "Connection refused", "dfs.namenode.http-address"]);
}

fn forged(file: &Path) -> std::path::PathBuf {
    let mut bytes = fs::read(file).unwrap();
    let kind = bytes.windows(21).position(|part| part == b"HDFS_DELEGATION_TOKEN").unwrap();
    // The password ends where the kind's length stands.
    bytes[kind - 2] ^= 1;
    let forged = file.with_extension("forged");
    fs::write(&forged, bytes).unwrap();
    forged
}

// Who answers without a proof of who he is, is not believed.
fn somebody_else(web: &Asker<'_>, path: &str) {
    let listener = TcpListener::bind("localhost:0").unwrap();
    let server = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let imposter = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 1 << 16];
        let read = stream.read(&mut request).unwrap();
        let body = r#"{"long": 4000000000000}"#;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let error = web.at(&server).by_keytab("alice", &["renew", path]).unwrap_err();
    assert!(error.contains(&format!("WebHDFS {server} did not prove that it is HTTP/localhost@BED.TEST")), "{error}");
    let asked = imposter.join().unwrap().to_lowercase();
    assert!(asked.starts_with("put /webhdfs/v1/?op=renewdelegationtoken&token=") && asked.contains("authorization: negotiate "), "{asked}");
}

// By https, where its authority is believed.
fn encrypted(hadoop: &Hadoop, web: &Asker<'_>, file: &Path) {
    let Some(front) = tls::before(hadoop.http_port(0), hadoop.path()) else { return };
    let renew = |authority: &Path| {
        let (addresses, keytab) = (format!("localhost:{}", hadoop.rpc_port(0)), hadoop.keytab("tfcoord"));
        let mut command = probe(&hadoop.krb5_conf());
        command.env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR").args(["--name-node", &addresses, "--web", &front.address]);
        command.args(["--protection", "privacy", "--by", "keytab", "--user", &hadoop.principal("tfcoord"), "--keytab"]).arg(keytab);
        run(command.arg("renew").arg(file))
    };
    let renewed = renew(&front.certificate).unwrap();
    assert!((86_000..=86_400).contains(&renewed.parse::<u64>().unwrap()), "{renewed}");
    let none = hadoop.path().join("no.pem");
    fs::write(&none, "").unwrap();
    let error = renew(&none).unwrap_err();
    assert!(
        error.contains(&format!("WebHDFS {}", front.address)) && error.contains("UnknownIssuer") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    hides(&error, file);
    // That the answer is proved is seen through the front as well: what is between does not matter.
    drop(web.by_keytab("tfcoord", &["renew", file.to_str().unwrap()]).unwrap());
}
