use super::*;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

fn job(service: &str, data: &str) -> JobFile {
    let text = format!(
        r#"{{"name": "m", "model": {{"layers": [{{"dense": {{"units": 1}}}}], "loss": "mse"}},
            "data": {{"format": "csv", "train": {{"files": "/a.csv"}}, "label": "y"}},
            "train": {{"batch_size": 32, "epochs": 1, "optimizer": {{"sgd": {{"learning_rate": 0.1}}}}}},
            "output": {{"dir": "/out"}}, "service": {service}}}"#
    );
    let mut job = tfcoord_types::job::parse("job.json", &text).unwrap();
    job.data.train.files = serde_json::from_str(&format!("{data:?}")).unwrap();
    job
}

async fn found(job: &JobFile, environment: &[(&str, &str)]) -> Result<Option<v1::Site>, String> {
    let get = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    find(job, &get).await.map_err(|failure| failure.message)
}

#[tokio::test]
async fn a_job_that_is_not_on_hdfs_needs_no_site() {
    assert_eq!(found(&job("{}", "/a.csv"), &[("HADOOP_CONF_DIR", "/nowhere")]).await, Ok(None));
}

#[tokio::test]
async fn the_submitters_environment_is_looked_at_where_the_file_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for (folder, text) in [(&one, "one"), (&two, "two")] {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("core-site.xml"), text).unwrap();
    }
    let [one, two] = [one, two].map(|folder| folder.display().to_string());
    let environment = [
        ("HADOOP_CONF_DIR", one.as_str()),
        ("KRB5CCNAME", "FILE:/c"),
        ("HADOOP_USER_NAME", "alice"),
        ("HADOOP_TOKEN_FILE_LOCATION", "tokens"),
    ];
    let site = found(&job("{}", "hdfs://nn/a.csv"), &environment).await.unwrap().unwrap();
    assert_eq!(
        (&site.core_site[..], &site.hdfs_site[..], site.ticket_cache.as_str(), site.user.as_str()),
        (&b"one"[..], &b""[..], "FILE:/c", "alice")
    );
    let own = std::env::current_dir().unwrap().join("tokens");
    assert_eq!(site.token_file, own.display().to_string(), "the coordinator is in another directory");
    let without = found(&job("{}", "hdfs://nn/a.csv"), &environment[..1]).await.unwrap().unwrap();
    assert_eq!(without.token_file, "");
    let default = Kerberos::load().and_then(|kerberos| kerberos.default_cache()).unwrap_or_default();
    assert_eq!((without.ticket_cache, without.krb5_config.as_str()), (default, ""), "the coordinator's default may be another user's");
    for uri in [two.clone(), format!("file://{two}")] {
        let named = format!(r#"{{"hdfs": {{"config_uri": "{uri}"}}}}"#);
        assert_eq!(found(&job(&named, "hdfs://nn/a.csv"), &environment).await.unwrap().unwrap().core_site, "two");
    }
}

#[tokio::test]
async fn names_of_files_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("core-site.xml"), "").unwrap();
    let here = std::env::current_dir().unwrap().display().to_string();
    for (cache, whole) in [
        ("cc", format!("{here}/cc")),
        ("FILE:cc", format!("FILE:{here}/cc")),
        ("FILE:/cc", "FILE:/cc".to_owned()),
        ("KCM:1000", "KCM:1000".to_owned()),
    ] {
        let environment = [("HADOOP_CONF_DIR", dir.path().to_str().unwrap()), ("KRB5CCNAME", cache), ("KRB5_CONFIG", "/a:b")];
        let site = found(&job("{}", "hdfs://nn/a.csv"), &environment).await.unwrap().unwrap();
        assert_eq!((site.ticket_cache, site.krb5_config), (whole, format!("/a:{here}/b")));
    }
}

#[tokio::test]
async fn what_is_missing_is_told_with_its_place() {
    let error = found(&job("{}", "hdfs://nn/a.csv"), &[("HADOOP_CONF_DIR", "/nowhere")]).await.unwrap_err();
    assert!(error.starts_with("service.hdfs.config_uri: hdfs://nn/a.csv is in HDFS, and there is neither"), "{error}");
    assert!(error.contains("in /nowhere\n  help: "), "{error}");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hdfs-site.xml"), vec![b' '; (1 << 20) + 1]).unwrap();
    let error = found(&job("{}", "hdfs://nn/a.csv"), &[("HADOOP_CONF_DIR", dir.path().to_str().unwrap())]).await.unwrap_err();
    assert!(error.contains("hdfs-site.xml: it has more than 1048576 bytes"), "{error}");
}

// Answers each request by its path, until it is dropped with the test's process.
fn server(answer: impl Fn(&str) -> (u16, Vec<u8>) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut lines = Vec::new();
            while lines.last().is_none_or(|line: &String| !line.trim().is_empty()) {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() == 0 {
                    break;
                }
                lines.push(line);
            }
            let path = lines[0].split(' ').nth(1).unwrap();
            let (status, body) = answer(path);
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A client that has enough leaves.
            let _left = stream.get_mut().write_all(head.as_bytes()).and_then(|()| stream.get_mut().write_all(&body));
        }
    });
    address
}

fn at(address: &str) -> JobFile {
    job(&format!(r#"{{"hdfs": {{"config_uri": "{address}"}}}}"#), "hdfs://nn/a.csv")
}

#[tokio::test]
async fn a_site_is_fetched_by_http() {
    let address = server(|path| match path {
        "/v1/core-site.xml" => (200, b"core".to_vec()),
        _ => (404, b"no".to_vec()),
    });
    for uri in [format!("http://{address}/v1"), format!("http://{address}/v1/")] {
        let site = found(&at(&uri), &[]).await.unwrap().unwrap();
        assert_eq!((&site.core_site[..], &site.hdfs_site[..]), (&b"core"[..], &b""[..]));
    }
    let error = found(&at(&format!("http://{address}/v2")), &[]).await.unwrap_err();
    assert!(error.contains(&format!("in http://{address}/v2")), "{error}");
}

#[tokio::test]
async fn a_server_cannot_send_without_end() {
    let long = server(|_| (200, vec![b' '; 3 << 20]));
    let error = found(&at(&format!("http://{long}")), &[]).await.unwrap_err();
    assert!(error.contains("core-site.xml: it has more than 1048576 bytes"), "{error}");
    let broken = server(|_| (503, Vec::new()));
    let error = found(&at(&format!("http://{broken}")), &[]).await.unwrap_err();
    assert!(error.contains("the server answers 503"), "{error}");
}
