//! Answers of a NameNode that get lost on their way: what it has done is found out, and not done again.

use super::hdfs::LIMITS;
use super::place::{Place, problem};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use tfcoord_fs::hdfs::{Hdfs, Identity, Site};
use tfcoord_fs::storage::{FileSystem, Location, Placement};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

/// Between a client and a NameNode that speaks in clear text.
#[derive(Default)]
struct Lossy {
    // The answer to the next call of this method does not arrive, and the connection ends.
    next: Mutex<Option<&'static str>>,
    // The call itself arrives right before the next one of the same method only.
    is_late: AtomicBool,
    held: Mutex<Option<Held>>,
    lost: AtomicU32,
}

struct Held {
    method: &'static str,
    question: Vec<u8>,
    server: TcpStream,
}

impl Lossy {
    fn before(hadoop: &Hadoop) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (own, name_node) = (listener.local_addr().unwrap().port(), ("127.0.0.1", hadoop.rpc_port(0)));
        let this = Arc::new(Self::default());
        let between = Arc::clone(&this);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(name_node).unwrap();
                between.carry(&client, &server);
            }
        });
        (this, own)
    }

    // Threads end with their connection.
    fn carry(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) {
        let is_over = Arc::new(AtomicBool::new(false));
        for is_question in [true, false] {
            let (from, to) = if is_question { (client, server) } else { (server, client) };
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (this, is_over) = (Arc::clone(self), Arc::clone(&is_over));
            thread::spawn(move || {
                let mut bytes = vec![0; 64 << 10];
                while let Ok(length @ 1..) = from.read(&mut bytes) {
                    let part = &bytes[..length];
                    if is_question {
                        this.let_go(part);
                    }
                    if is_question && let Some(method) = this.is_next(part) {
                        is_over.store(true, Ordering::SeqCst);
                        if this.is_late.load(Ordering::SeqCst) {
                            *this.held.lock().unwrap() = Some(Held { method, question: part.to_vec(), server: to });
                            let _ended_is_fine = from.shutdown(Shutdown::Both);
                            return;
                        }
                    } else if !is_question && is_over.load(Ordering::SeqCst) {
                        this.lost.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    if to.write_all(part).is_err() {
                        break;
                    }
                }
                let _ended_is_fine = [from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)];
            });
        }
    }

    fn is_next(&self, part: &[u8]) -> Option<&'static str> {
        let mut next = self.next.lock().unwrap();
        if next.is_some_and(|method| is_of(method, part)) { next.take() } else { None }
    }

    // What was held arrives before the next one does, and is answered.
    fn let_go(&self, part: &[u8]) {
        let mut held = self.held.lock().unwrap();
        let Some(Held { question, mut server, .. }) = held.take_if(|held| is_of(held.method, part)) else { return };
        let before = self.lost.load(Ordering::SeqCst);
        server.write_all(&question).unwrap();
        wait_for(30, "the answer to what came late", || (self.lost.load(Ordering::SeqCst) > before).then_some(()));
    }

    fn lose<T>(&self, method: &'static str, call: impl FnOnce() -> T) -> T {
        let before = self.lost.load(Ordering::SeqCst);
        *self.next.lock().unwrap() = Some(method);
        let done = call();
        assert_eq!(self.lost.load(Ordering::SeqCst), before + 1, "no answer to {method} was lost");
        done
    }
}

fn is_of(method: &str, part: &[u8]) -> bool {
    part.windows(method.len()).any(|window| window == method.as_bytes())
}

#[test]
fn what_was_done_is_not_done_again() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };
    let (lossy, port) = Lossy::before(&hadoop);
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).unwrap();
    let identity = Identity { user: Some("alice".to_owned()), ..Identity::default() };
    let root = Location::parse(&format!("hdfs://localhost:{port}/user/alice/lost"), None).unwrap();
    let hdfs = Hdfs::connect(&root, &site, &identity, LIMITS).unwrap_or_else(|error| panic!("{error}"));
    lossy.lose("mkdirs", || hdfs.make_directory(&root)).unwrap();
    let place = Place::make(&hdfs, root);

    lossy.lose("rename2", || place.write("file", b"first", Placement::New)).unwrap();
    assert_eq!(place.names(), ["file"]);
    let refused = lossy.lose("rename2", || place.write("file", b"second", Placement::New));
    assert_eq!(problem(refused), "Exists");
    assert_eq!(place.read("file"), b"first");
    lossy.lose("rename2", || hdfs.rename(&place.at("file"), &place.at("other"))).unwrap();
    assert_eq!(place.read("other"), b"first");
    println!("a rename that comes late");
    lossy.is_late.store(true, Ordering::SeqCst);
    lossy.lose("rename2", || hdfs.rename(&place.at("other"), &place.at("late"))).unwrap();
    lossy.is_late.store(false, Ordering::SeqCst);
    assert_eq!(place.read("late"), b"first");
    hdfs.rename(&place.at("late"), &place.at("other")).unwrap();
    assert!(lossy.lose("delete", || hdfs.delete(&place.at("other"))).unwrap(), "it was this call that removed it");
    assert!(place.names().iter().all(|name| name.starts_with('.')), "{:?}", place.names());
}
