//! The life of a job's tokens, by a site where they are good for 30 s and live for 150 s.

use super::secrets::Secrets;
use super::site::Site;
use rustix::process::Signal;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;
use tfcoord_hadoop_rpc::TokenFile;
use tfcoord_testkit::deadline::wait_for;

/// Five tokens, each replaced after 60 s, and a half more: the machine may have less to do than when its speed was measured.
const TWO_LIVES_AND_MORE_S: f64 = 450.0;

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

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.pid)).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap_or_default();
    assert!(core.split_whitespace().take(2).eq(["0", "0"]), "whoever has read tokens leaves no core file: {limits}");

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
    hadoops_own_programs_take_it(&site, &copy);

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

// They look for a token by the NameNode's address, or by its name.
fn hadoops_own_programs_take_it(site: &Site, tokens: &Path) {
    for use_ip in ["true", "false"] {
        let conf = tempfile::tempdir().unwrap();
        for name in ["core-site.xml", "hdfs-site.xml"] {
            let text = std::fs::read_to_string(site.hadoop.conf_dir().join(name)).unwrap();
            let key = format!("<property><name>hadoop.security.token.service.use_ip</name><value>{use_ip}</value></property>");
            std::fs::write(conf.path().join(name), text.replace("</configuration>", &(key + "</configuration>"))).unwrap();
        }
        let listed = site.hadoop.dfs_by_tokens(tokens, conf.path(), &["-ls", "/user/alice"]);
        assert!(String::from_utf8_lossy(&listed.stdout).contains("images.idx"), "use_ip {use_ip}: {listed:?}");
    }
}

/// In two whole lives of a token, which is replaced five times: `make hadoop-long`.
#[test]
#[ignore = "takes some seven minutes"]
fn a_job_of_two_lives_of_its_tokens_ends_well() {
    let Some(site) = Site::start() else { return };
    let mut job = site.job("long", 200);
    let home = format!("{}/user/alice", site.hadoop.url());
    (job["service"], job["checkpoint"]) = (site.service(), json!({"every_steps": 500, "dir": format!("{home}/saved")}));
    job["output"]["dir"] = json!(format!("{home}/out"));
    let mut spent_s = |epochs: u32| {
        job["train"]["epochs"] = json!(epochs);
        let began = Instant::now();
        site.lab.submit(&job);
        began.elapsed().as_secs_f64()
    };
    // Without what a job takes for its beginning and its end.
    let epochs = (1000.0 * TWO_LIVES_AND_MORE_S / (spent_s(1200) - spent_s(200)).max(1.0)) as u32;

    job["train"]["epochs"] = json!(epochs);
    let id = site.lab.submit_detached(&job);
    let tokens = site.folder(&id).join("hdfs.tokens");
    let reissued = |times: usize| {
        wait_for(400, "the next token", || {
            assert!(tokens.exists(), "the job is over before it got new tokens {times} times: {}", site.lab.status(&id));
            (site.log().matches("HDFS token re-issued: token ").count() >= times).then_some(())
        });
    };
    reissued(1);
    println!("re-issued once, of {epochs} epochs: another coordinator");
    site.lab.kill_coordinator();
    assert_eq!(site.lab.status(&id)["state"], "running");
    for times in 2..=5 {
        reissued(times);
        println!("re-issued {times} times: all that runs begins anew");
        for task in ["worker-0", "ps-0"] {
            site.lab.wait_for_task(task).signal(Signal::KILL);
        }
    }
    let ended = wait_for(600, "the job's end", || {
        let status = site.lab.status(&id);
        ["succeeded", "failed"].iter().any(|end| status["state"] == *end).then_some(status)
    });
    assert_eq!(ended["state"], "succeeded", "{ended}\n{}", site.lab.logs());
    let of_keeper = |line: &&str| line.contains("HDFS token re-issued") || line.contains("HDFS token cancelled");
    site.log().lines().filter(of_keeper).for_each(|line| println!("{line}"));
    let out = site.hadoop.dfs("alice", &["-ls", &format!("/user/alice/out/{id}/model")]);
    assert!(String::from_utf8_lossy(&out.stdout).contains("model.safetensors"), "{out:?}");
}

// Asks the NameNode by a token.
fn probe(site: &Site, tokens: &Path) -> Result<(), String> {
    site.probe("token", tokens, &["blocks", "/user/alice/images.idx"])
}
