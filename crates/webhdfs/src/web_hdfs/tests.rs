use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

/// A server that answers each connection with the next of these, and then no more; with what it was asked.
fn server(answers: Vec<String>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap() == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            asked.push(String::from_utf8(request).unwrap());
            // It may have gone.
            let _ = stream.write_all(answer.as_bytes());
        }
        asked
    });
    (address, serving)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn exception(class: &str) -> String {
    answer("403 Forbidden", &format!(r#"{{"RemoteException": {{"exception": "{class}", "message": "why"}}}}"#))
}

fn client(addresses: &[String], deadline: Duration) -> WebHdfs {
    let config = Config {
        addresses: vec!["127.0.0.1:8020".into()],
        nameservice: None,
        credentials: Credentials::Simple { user: "alice".into() },
        protection: Protection::Authentication,
        proxy_user: Some("bob".into()),
        deadline,
    };
    WebHdfs::new(config, Web { addresses: addresses.to_vec(), service: "HTTP/_HOST@R".parse().unwrap() }).unwrap()
}

const LONG: Duration = Duration::from_secs(60);

fn token() -> Token {
    Token { identifier: vec![1], password: vec![7; 20].into(), kind: HDFS_DELEGATION_TOKEN.into(), service: "x".into() }
}

#[tokio::test]
async fn the_active_one_is_found_and_asked_first_from_then_on() {
    let renewed = || answer("200 OK", r#"{"long": 1000}"#);
    let (passive, first) = server(vec![exception("StandbyException")]);
    let (active, second) = server(vec![renewed(), renewed()]);
    let client = client(&[passive, active], LONG);
    for _ in 0..2 {
        assert_eq!(client.renew(&token()).await.unwrap(), SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    }
    assert_eq!(first.join().unwrap().len(), 1);
    let asked = second.join().unwrap();
    assert!(asked[1].starts_with("PUT /webhdfs/v1/?op=RENEWDELEGATIONTOKEN&token="), "{}", asked[1]);
    assert!(asked[1].contains("&user.name=alice ") && !asked[1].contains("doas"), "who renews is who asks: {}", asked[1]);
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_not_sent_again() {
    let (one, first) = server(vec![String::new()]);
    let (two, _never) = server(vec![String::new()]);
    let client = client(&[one, two], LONG);
    let error = client.cancel(&token()).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }) && error.to_string().contains("carried out is not known"), "{error}");
    let secret = token().to_url_string();
    assert!(!format!("{error} {error:?} {client:?}").contains(secret.as_str()), "{error}");
    assert!(first.join().unwrap()[0].contains(secret.as_str()));
}

#[tokio::test]
async fn a_broken_answer_is_asked_for_again() {
    let blocks = r#"{"LocatedBlocks": {"fileLength": 5, "locatedBlocks": []}}"#;
    let (one, first) = server(vec![String::new(), answer("200 OK", blocks)]);
    let client = client(&[one], LONG);
    assert_eq!(client.block_locations("/a b", 1, 2).await.unwrap().file_length, 5);
    let asked = first.join().unwrap();
    assert!(
        asked[1].starts_with("GET /webhdfs/v1/a%20b?op=GET_BLOCK_LOCATIONS&offset=1&length=2&doas=bob&user.name=alice "),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn answers_of_others_end_it() {
    let check = async |answers: Vec<String>, parts: &[&str]| {
        let (one, _serving) = server(answers);
        let error = client(&[one], LONG).delegation_token("alice").await.unwrap_err().to_string();
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    };
    let url = |text: &str| answer("200 OK", &format!(r#"{{"Token": {{"urlString": "{text}"}}}}"#));
    check(vec!["SSH-2.0\r\n\r\n".into()], &["does not speak HTTP", "names the NameNode's web pages"]).await;
    check(vec![answer("200 OK", "<html>")], &["an answer that is not WebHDFS's"]).await;
    check(vec![answer("404 Not Found", "")], &["does not let bob (by alice) in: 404", "it has no WebHDFS there"]).await;
    check(vec!["HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".into()], &["307", "sends us elsewhere"])
        .await;
    check(vec![url("!")], &["a token that is none", "it is not base64"]).await;
    check(vec![url(&token().to_url_string())], &["an identifier of version 1, where 0 is known"]).await;
    check(vec![answer("200 OK", r#"{"Token": null}"#)], &["gave bob (by alice) no token", "not secured"]).await;
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    // The system lets us in, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let error = client(&[address], Duration::from_millis(200)).block_locations("/", 0, 1).await.unwrap_err();
    assert!(matches!(error, Error::Deadline { last: None, .. }) && error.to_string().contains("no answer within"), "{error}");
    let (passive, _serving) = server((0..10).map(|_| exception("StandbyException")).collect());
    let error = client(&[passive], Duration::from_millis(700)).block_locations("/", 0, 1).await.unwrap_err().to_string();
    assert!(error.contains("no answer within") && error.contains("last: WebHDFS") && error.contains("haadmin"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    // Bound and held, but it does not listen.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let error = client(&[format!("http://{}", held.local_addr().unwrap())], LONG).block_locations("/", 0, 1).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && error.to_string().contains("dfs.namenode.http-address"), "{error}");
    let error = client(&["http://no host".to_owned()], LONG).block_locations("/", 0, 1).await.unwrap_err().to_string();
    assert!(error.contains("no address of a server"), "{error}");
    assert!(matches!(client(&[], LONG).block_locations("/", 0, 1).await, Err(Error::Nowhere)));
}

#[test]
fn what_must_be_protected_goes_by_https_alone() {
    let config = |protection| Config { protection, ..client(&[], LONG).config };
    let web = |address: &str| Web { addresses: vec!["https://a:1".into(), address.into()], service: "HTTP/_HOST@R".parse().unwrap() };
    let error = WebHdfs::new(config(Protection::Integrity), web("http://b:1")).unwrap_err().to_string();
    assert!(error.contains("http://b:1") && error.contains("demands integrity") && error.contains("HTTPS_ONLY"), "{error}");
    assert!(WebHdfs::new(config(Protection::Privacy), web("https://b:1")).is_ok());
    assert!(WebHdfs::new(config(Protection::Authentication), web("http://b:1")).is_ok());
}
