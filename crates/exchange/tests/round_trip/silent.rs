//! Servers that are stopped, and connections whose other end is gone without a word.

use crate::server::{Rote, registration};
use crate::{WITHIN, transport};
use std::time::Duration;
use tfcoord_client::Bearer;
use tfcoord_exchange::transport::{Connection, Events, Transport};
use tfcoord_exchange::{Error, Grpc};
use tfcoord_types::id::{Generation, Incarnation, TaskId};
use tfcoord_types::view::ServerAddress;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;

fn impatient(host: &str) -> Grpc<Bearer> {
    Grpc { patience: Duration::from_secs(1), ..transport(host) }
}

fn address(addresses: Vec<String>) -> ServerAddress {
    ServerAddress { task: TaskId::server(0), incarnation: Incarnation(2), addresses, host: "h".into() }
}

// Passes bytes on until it is cut; neither end hears of that.
async fn wire(to: String, cut: watch::Receiver<bool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut down, _) = listener.accept().await.unwrap();
            let mut up = TcpStream::connect(&to).await.unwrap();
            let mut cut = cut.clone();
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut down, &mut up) => return,
                    Ok(()) = cut.changed() => {}
                }
                std::future::pending::<()>().await;
            });
        }
    });
    address
}

async fn unanswered(call: &'static str) -> Error {
    let rote = Rote::start("h").await;
    rote.ignore(call);
    let connection = impatient("h").connect(&rote.address, WITHIN).await.unwrap();
    let error = async {
        match call {
            "push-pull" | "register" => connection.open(registration()).await.err(),
            "pull" => connection.pull(&registration().layout, Generation(1), 4, &[1, 0]).await.err(),
            _ => connection.curve(Generation(1), 0).await.err(),
        }
    };
    tokio::time::timeout(WITHIN, error).await.expect("it is given up").expect("there is no answer")
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_given_up() {
    let check = async |called| {
        let error = unanswered(called).await;
        assert!(matches!(error, Error::Silent { call, .. } if call == called), "{called}: {error}");
        assert!(!error.is_final(), "another connection may fare better");
    };
    tokio::join!(check("push-pull"), check("register"), check("pull"), check("curve"));
}

#[tokio::test]
async fn a_server_that_does_not_even_accept_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _unix = UnixListener::bind(&socket).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for there in [format!("unix:{}", socket.display()), tcp.local_addr().unwrap().to_string()] {
        let connection = impatient("h").connect(&address(vec![there]), WITHIN).await.unwrap();
        assert!(tokio::time::timeout(WITHIN, connection.open(registration())).await.expect("it is given up").is_err());
    }
}

#[tokio::test]
async fn an_open_stream_ends_when_the_other_end_is_gone_without_a_word() {
    let rote = Rote::start("h").await;
    let (cut, cuts) = watch::channel(false);
    let there = wire(rote.address.addresses[1].clone(), cuts).await;
    let connection = impatient("elsewhere").connect(&address(vec![there]), WITHIN).await.unwrap();
    let mut opened = connection.open(registration()).await.unwrap();
    cut.send_replace(true);
    assert!(tokio::time::timeout(WITHIN, opened.events.next()).await.expect("the stream ends").is_err());
}
