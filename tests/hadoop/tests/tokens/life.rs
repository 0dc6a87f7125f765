//! The life of a job's tokens, by a site where they are good for 30 s and live for 150 s.

use super::secrets::Secrets;
use super::site::Site;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_testkit::deadline::wait_for;

/// The sequence number of the only token, and its secret.
fn token(file: &Path) -> (i32, Vec<u8>) {
    let token = TokenFile::read(file).unwrap().tokens.remove(0).1;
    (token.identifier().unwrap().sequence, token.password.expose().to_vec())
}

#[test]
fn a_job_of_more_than_one_life_of_its_tokens_keeps_them_through_everything() {
    let Some(site) = Site::start() else { return };
    let mut job = site.job("lives", 100_000);
    job["service"] = site.service();
    let id = site.lab.submit_detached(&job);
    let file = site.folder(&id).join("hdfs.tokens");
    let (first, secret) = token(&file);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    site.wait_for_log(1, 1, &format!("HDFS token issued: token {first} of alice@BED.TEST for 127.0.0.1:"));
    site.lab.wait_for_step();

    // Tasks are told where site and tokens lie, and nothing that they could log in with.
    let worker = site.lab.wait_for_task("worker-0");
    let environment = String::from_utf8(std::fs::read(format!("/proc/{}/environ", worker.pid)).unwrap()).unwrap();
    let told: Vec<&str> =
        environment.split('\0').filter(|variable| variable.starts_with("HADOOP") || variable.starts_with("KRB5")).collect();
    let folder = site.folder(&id).display().to_string();
    assert_eq!(told, [format!("HADOOP_CONF_DIR={folder}/site"), format!("HADOOP_TOKEN_FILE_LOCATION={folder}/hdfs.tokens")]);

    site.wait_for_log(40, 1, &format!("HDFS token renewed: token {first} of alice@BED.TEST"));

    // The KDC is away for a while: the job goes on, and says so.
    site.hadoop.kdc().stop();
    let told = wait_for(60, "the trouble in the job's status", || site.lab.status(&id)["hdfs"].as_str().map(str::to_owned));
    assert!(told.starts_with("its HDFS tokens are good until ") && told.contains("could not be renewed: "), "{told}");
    assert!(told.contains("Cannot contact any KDC") && told.contains("KRB5_CONFIG"), "{told}");
    site.hadoop.kdc().resume();
    site.wait_for_log(60, 2, &format!("HDFS token renewed: token {first} of alice@BED.TEST"));
    wait_for(30, "the trouble's end", || site.lab.status(&id)["hdfs"].is_null().then_some(()));

    // Another coordinator goes on from the job's folder alone.
    site.lab.kill_coordinator();
    assert_eq!(site.lab.status(&id)["state"], "running");
    site.wait_for_log(120, 1, "HDFS token re-issued: token ");
    let (second, new_secret) = token(&file);
    assert!(second > first && new_secret != secret, "{first} {second}");
    site.wait_for_log(40, 1, &format!("HDFS token renewed: token {second} of alice@BED.TEST"));
    let copy = site.lab.path().join("copy.tokens");
    std::fs::copy(&file, &copy).unwrap();
    assert_eq!(probe(&site, &copy), Ok(()));

    let keytab = std::fs::read(site.hadoop.keytab("alice")).unwrap();
    // The key itself, behind its header; the file as a whole stands in base64 beside the job file.
    let secrets = Secrets::new(&[secret, new_secret, keytab[keytab.len() - 36..keytab.len() - 4].to_vec()]);
    assert_eq!(secrets.files(&site.lab.state_dir(), "hdfs.tokens"), [""; 0]);
    assert_eq!(secrets.processes(site.lab.path()), [""; 0]);
    let said = site.lab.run(&["status", &id, "-o", "json"]).stdout;
    assert!(!said.is_empty() && !secrets.are_in(&said));
    assert!(secrets.are_in(&std::fs::read(&file).unwrap()), "where they are they are found");

    let cancelled = site.lab.run(&["cancel", &id]);
    assert!(cancelled.status.success(), "{cancelled:?}");
    site.wait_for_log(60, 1, &format!("HDFS token cancelled: token {second} of alice@BED.TEST"));
    wait_for(10, "the tokens' end", || (!file.exists()).then_some(()));
    let refused = probe(&site, &copy).unwrap_err();
    assert!(refused.contains("the token was cancelled"), "{refused}");
}

// Asks the NameNode by a token.
fn probe(site: &Site, tokens: &Path) -> Result<(), String> {
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tfcoord-hadoop-probe"));
    probe.env("KRB5_CONFIG", site.hadoop.krb5_conf()).args(["--name-node", &format!("localhost:{}", site.hadoop.rpc_port(0))]);
    probe.args(["--by", "token", "--token"]).arg(tokens).args(["blocks", "/user/alice/images.idx"]);
    let output = probe.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
