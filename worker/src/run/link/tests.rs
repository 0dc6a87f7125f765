//! What a link makes of a server's answers, and of none.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use tfcoord_client::Bearer;
use tfcoord_exchange::{Event, Grpc};
use tfcoord_types::id::TaskId;
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::variable::{Group, Initializer, Variable};

const WITHIN: Duration = Duration::from_secs(20);
const GENERATION: Generation = Generation(1);
const SERVER: TaskId = TaskId::server(0);
const SILENT: Error = Error::Silent { server: SERVER, call: "a call", within_ms: 1 };

// A server whose stream says nothing; every pull and every curve gets the same answer.
#[derive(Clone)]
struct Scripted {
    pulled: Result<Vec<u32>, Error>,
    pulls: Arc<Mutex<Vec<Vec<u32>>>>,
}

struct Quiet;

impl Transport for Scripted {
    type Connection = Self;

    async fn connect(&self, _: &ServerAddress, _: Duration) -> Result<Self, Error> {
        Ok(self.clone())
    }
}

impl Connection for Scripted {
    type Pushes = Quiet;
    type Events = Quiet;

    fn address(&self) -> &str {
        "nowhere"
    }

    async fn open(&self, _: Registration) -> Result<Opened<Quiet, Quiet>, Error> {
        Ok(Opened { incarnation: Incarnation(2), cursors: BTreeMap::new(), pushes: Quiet, events: Quiet })
    }

    async fn pull(&self, _: &Arc<Layout>, generation: Generation, version: u64, chunks: &[u32]) -> Result<Vec<Chunk>, Error> {
        self.pulls.lock().unwrap().push(chunks.to_vec());
        let chunk = |chunk| Chunk { generation, chunk, version, payload: Bytes::new() };
        self.pulled.clone().map(|pulled| pulled.into_iter().map(chunk).collect())
    }

    async fn curve(&self, _: Generation, _: u64) -> Result<Vec<CurvePoint>, Error> {
        self.pulled.clone().map(|_| Vec::new())
    }
}

impl Pushes for Quiet {
    async fn push(&mut self, _: Push) -> Result<(), Error> {
        std::future::pending().await
    }
}

impl Events for Quiet {
    async fn next(&mut self) -> Result<Option<Event>, Error> {
        std::future::pending().await
    }
}

fn opened<T: Transport>(transport: T, addresses: Vec<String>) -> (Link, mpsc::Receiver<Message>) {
    let variable = Variable { name: "w".into(), shape: vec![9000], initializer: Initializer::Zeros, group: Group::Train, sync: None };
    let layout = Arc::new(Layout::new(&[variable], SEGMENT).unwrap());
    let registration =
        Registration { generation: GENERATION, placement_epoch: 1, incarnation: Incarnation(5), variables_digest: [0; 32], layout };
    let server = ServerAddress { task: SERVER, incarnation: Incarnation(2), addresses, host: "h".into() };
    let (to, messages) = mpsc::channel(16);
    (open(Arc::new(transport), (0, 1), server, registration, to), messages)
}

async fn news(messages: &mut mpsc::Receiver<Message>) -> News {
    match tokio::time::timeout(WITHIN, messages.recv()).await.expect("news come in time") {
        Some(Message::Link { news, .. }) => news,
        _ => panic!("a link tells of itself only"),
    }
}

#[tokio::test]
async fn a_server_that_takes_connections_and_never_answers_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _listening = tokio::net::UnixListener::bind(&socket).unwrap();
    let token = Bearer::new("abcd").unwrap();
    let grpc = Grpc { token, job: "demo-1".into(), host: "h".into(), patience: Duration::from_millis(300) };
    let (_link, mut messages) = opened(grpc, vec![format!("unix:{}", socket.display())]);
    let News::Disconnected(Some(error)) = news(&mut messages).await else { panic!("it cannot be connected") };
    assert!(!error.is_final(), "{error} is no reason to end");
}

#[tokio::test]
async fn chunks_are_pulled_in_one_call_and_one_that_is_gone_ends_it() {
    let gone = Error::Gone { server: SERVER, chunk: 1, message: String::new() };
    for (pulled, told) in [(Ok(vec![0, 1, 2]), "0 1 2"), (Err(gone), "gone 1"), (Err(SILENT), "left")] {
        let scripted = Scripted { pulled, pulls: Arc::default() };
        let (link, mut messages) = opened(scripted.clone(), Vec::new());
        assert!(matches!(news(&mut messages).await, News::Connected { .. }));
        link.orders.send(Order::Pull { chunks: vec![0, 1, 2], version: 4 }).unwrap();
        let mut words = Vec::new();
        while words.join(" ") != told {
            words.push(match news(&mut messages).await {
                News::Chunk { chunk, version: 4, .. } => chunk.to_string(),
                News::Gone { chunk, version: 4, .. } => format!("gone {chunk}"),
                News::Disconnected(Some(_)) => "left".into(),
                _ => panic!("expected {told}"),
            });
        }
        assert_eq!(*scripted.pulls.lock().unwrap(), [[0, 1, 2]]);
    }
}

#[tokio::test]
async fn a_server_that_is_asked_for_the_curve_in_vain_is_left() {
    let (link, mut messages) = opened(Scripted { pulled: Err(SILENT), pulls: Arc::default() }, Vec::new());
    assert!(matches!(news(&mut messages).await, News::Connected { .. }));
    let (to, curve) = oneshot::channel();
    link.orders.send(Order::Curve(to)).unwrap();
    assert!(curve.await.unwrap().is_err());
    assert!(matches!(news(&mut messages).await, News::Disconnected(Some(_))));
}
