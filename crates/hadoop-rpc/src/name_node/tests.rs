use super::*;
use crate::proto::rpc::response_header::Status;
use crate::proto::rpc::{ResponseHeader, Sasl, sasl};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn config(addresses: Vec<String>) -> Config {
    Config {
        addresses,
        nameservice: None,
        credentials: Credentials::Simple { user: "alice".into() },
        protection: Protection::Authentication,
        proxy_user: None,
        deadline: Duration::from_secs(30),
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

// Under tokio's clock, which goes on when nothing else does: it takes no time.
#[tokio::test(start_paused = true)]
async fn silence_ends_with_the_deadline() {
    // The system lets us in, and nobody answers.
    let (_listener, address) = listener().await;
    let error = NameNode::connect(config(vec![address.clone()])).await.unwrap_err().to_string();
    for part in [&address, "connect for alice", "no answer within 30 s", "paused"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_another_call_counts() {
    let (_listener, address) = listener().await;
    let config = config(vec![address]);
    let name_node = NameNode { identity: identity(&config), config, active: Active::default(), idle: Mutex::default() };
    let begin = Instant::now();
    let (first, second) = tokio::join!(name_node.block_locations("/a", 0, 1), name_node.block_locations("/b", 0, 1));
    for answer in [first, second] {
        assert!(matches!(answer, Err(Error::Deadline { .. })), "{answer:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(31), "by tokio's clock: {:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn each_name_node_is_tried_until_the_deadline() {
    let (mut addresses, mut doors) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (listener, address) = listener().await;
        addresses.push(address);
        // Everybody is let in and shown the door.
        doors.push(tokio::spawn(async move {
            loop {
                drop(listener.accept().await.unwrap());
            }
        }));
    }
    let error = NameNode::connect(config(addresses.clone())).await.unwrap_err();
    let Error::Deadline { name_nodes, last: Some(last), .. } = error else { panic!("{error}") };
    assert_eq!(name_nodes, addresses);
    assert!(matches!(*last, Error::Broken { .. }), "{last}");
    doors.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn without_an_address_it_goes_nowhere() {
    assert!(matches!(NameNode::connect(config(Vec::new())).await, Err(Error::Nowhere)));
}

#[tokio::test]
async fn tokens_are_marked_as_hadoop_marks_them() {
    let name_node = |config| NameNode { identity: identity(&config), config, active: Active::default(), idle: Mutex::default() };
    let single = config(vec!["localhost:8020".into()]);
    assert_eq!(name_node(single.clone()).token_service().await.unwrap(), "127.0.0.1:8020");
    let pair = Config { nameservice: Some("site".into()), ..single };
    assert_eq!(name_node(pair).token_service().await.unwrap(), "ha-hdfs:site");
}

#[test]
fn calls_may_be_made_on_any_thread() {
    fn is_send<T: Send>(_: T) {}
    let config = config(Vec::new());
    let name_node = NameNode { identity: identity(&config), config: config.clone(), active: Active::default(), idle: Mutex::default() };
    is_send(NameNode::connect(config));
    is_send(name_node.block_locations("/", 0, 1));
    is_send(name_node.delegation_token("r"));
}

#[test]
fn only_what_was_not_carried_out_goes_to_the_other_name_node() {
    let refused = |class: &str| {
        let (name_node, user) = (String::new(), String::new());
        Error::Refused { name_node, method: "m", user, class: class.into(), message: String::new() }
    };
    let broken = |method| Error::Broken { name_node: String::new(), method, user: String::new(), cause: std::io::ErrorKind::Other.into() };
    assert!(matches!(what_next(&refused("StandbyException")), Next::Other));
    assert!(matches!(what_next(&refused("AccessControlException")), Next::Final));
    assert!(matches!(what_next(&broken("connect")), Next::Other));
    assert!(matches!(what_next(&broken("cancelDelegationToken")), Next::Unknown));
}

#[test]
fn a_configuration_shows_no_secret() {
    let token = Token { identifier: Vec::new(), password: b"canary".to_vec().into(), kind: "k".into(), service: "s".into() };
    let shown = format!("{:?}", Config { credentials: Credentials::Token(token), ..config(Vec::new()) });
    assert!(shown.contains("service: \"s\"") && !shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
}

// A NameNode that lets anybody in, hears a call, and is gone before it answers; it says how many it has heard.
async fn forgetful() -> (String, Arc<AtomicU32>) {
    let (listener, address) = listener().await;
    let heard = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(u32::from(hear(stream).await.is_ok()), Ordering::SeqCst);
        }
    });
    (address, heard)
}

async fn hear(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_exact(&mut [0; 7]).await?;
    frame(&mut stream).await?;
    let simple = sasl::Auth { method: "SIMPLE".into(), mechanism: String::new(), protocol: None, server: None, challenge: None };
    let header = ResponseHeader {
        call_id: crate::message::SASL.cast_unsigned(),
        status: Status::Success.into(),
        exception_class: None,
        message: None,
    };
    let offer = Sasl { version: None, state: sasl::State::Negotiate.into(), token: None, auths: vec![simple] };
    let answer = [header.encode_length_delimited_to_vec(), offer.encode_length_delimited_to_vec()].concat();
    stream.write_all(&[&u32::try_from(answer.len()).unwrap().to_be_bytes(), &answer[..]].concat()).await?;
    // What it chooses, the context, and the call.
    for _ in 0..3 {
        frame(&mut stream).await?;
    }
    Ok(())
}

async fn frame(stream: &mut TcpStream) -> std::io::Result<()> {
    let length = stream.read_u32().await?;
    stream.read_exact(&mut vec![0; length as usize]).await.map(drop)
}

#[tokio::test]
async fn what_may_have_been_done_is_done_again_only_where_that_changes_nothing() {
    let token = Token { identifier: Vec::new(), password: Vec::new().into(), kind: "k".into(), service: "s".into() };
    let connect = async |address| NameNode::connect(Config { deadline: Duration::from_secs(2), ..config(vec![address]) }).await.unwrap();
    let (address, heard) = forgetful().await;
    let cancelled = connect(address).await.cancel(&token).await;
    assert!(matches!(cancelled, Err(Error::Broken { .. })), "{cancelled:?}");
    assert_eq!(heard.load(Ordering::SeqCst), 1);

    let (address, heard) = forgetful().await;
    let located = connect(address).await.block_locations("/", 0, 1).await;
    assert!(matches!(located, Err(Error::Deadline { .. })), "{located:?}");
    assert!(heard.load(Ordering::SeqCst) > 1, "a question is asked again");
}
