//! A job whose tokens are got by WebHDFS, where RPC serves for files alone.

use super::secrets::Secrets;
use super::site::Site;
use serde_json::json;
use tfcoord_hadoop_rpc::{Token, TokenFile};
use tfcoord_testkit::deadline::wait_for;

#[test]
fn tokens_of_a_job_are_got_renewed_and_cancelled_by_webhdfs() {
    let Some(site) = Site::start() else { return };
    let mut job = site.job("web", 100_000);
    job["service"] = site.service();
    // What goes wrong is told of the field.
    let rpc = format!("localhost:{}", site.hadoop.rpc_port(0));
    let elsewhere = site.lab.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for file in ["core-site.xml", "hdfs-site.xml"] {
        let text = std::fs::read_to_string(site.hadoop.conf_dir().join(file)).unwrap();
        std::fs::write(elsewhere.join(file), text.replace(&format!("localhost:{}", site.hadoop.http_port(0)), &rpc)).unwrap();
    }
    job["service"]["hdfs"] = json!({"calls": "webhdfs", "config_uri": elsewhere});
    let refused = String::from_utf8_lossy(&site.submit(&job).stderr).into_owned();
    for part in [&format!("service.hdfs.calls: WebHDFS http://{rpc} does not let alice@BED.TEST in: 404"), "check the address"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }

    job["service"] = site.service();
    job["service"]["hdfs"]["calls"] = json!("webhdfs");
    let id = site.lab.submit_detached(&job);
    let file = site.folder(&id).join("hdfs.tokens");
    let token = TokenFile::read(&file).unwrap().tokens.remove(0).1;
    let number = token.identifier().unwrap().sequence;
    // By RPC it would be of alice@BED.TEST.
    site.wait_for_log(1, 1, &format!("HDFS token issued: token {number} of alice for 127.0.0.1:"));
    site.lab.wait_for_step();
    site.wait_for_log(40, 1, &format!("HDFS token renewed: token {number} of alice for "));

    let secrets = Secrets::new(&[token.password.expose().to_vec(), in_address(&token)]);
    assert_eq!(secrets.files(&site.lab.state_dir(), "hdfs.tokens"), [""; 0]);
    assert_eq!(secrets.processes(site.lab.path()), [""; 0]);
    assert!(
        secrets.are_in(&std::fs::read(&file).unwrap()) && secrets.are_in(token.to_url_string().as_bytes()),
        "where they are they are found"
    );

    let cancelled = site.lab.run(&["cancel", &id]);
    assert!(cancelled.status.success(), "{cancelled:?}");
    site.wait_for_log(60, 1, &format!("HDFS token cancelled: token {number} of alice for "));
    wait_for(10, "the tokens' end", || (!file.exists()).then_some(()));
    assert!(!secrets.are_in(site.log().as_bytes()));
}

// What of the token's text in an address is its password, whatever stands around it.
fn in_address(token: &Token) -> Vec<u8> {
    let begin = 1 + token.identifier.len() + 1;
    let end = begin + token.password.expose().len();
    token.to_url_string().as_bytes()[(begin * 8).div_ceil(6)..end * 8 / 6].to_vec()
}
