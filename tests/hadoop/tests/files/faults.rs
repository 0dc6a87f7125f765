//! What happens to a running HDFS.

use super::hdfs::{LIMITS, connect, home};
use super::place::{NEW, Place, bytes, problem};
use bytes::Bytes;
use std::io::Read;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tfcoord_fs::hdfs::Limits;
use tfcoord_fs::storage::{FileSystem, Location, Placement, write_whole};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const MIB: usize = 1 << 20;
const LENGTH: usize = 48 * MIB;
const FILES: u32 = 80;

fn start(high_availability: bool) -> Option<Hadoop> {
    let mut form = Form::new(Security::Simple);
    form.block_size = MIB as u64;
    form.high_availability = high_availability;
    Hadoop::start(form)
}

#[test]
fn a_datanode_dies() {
    let Some(hadoop) = start(false) else { return };
    let alice = connect(&hadoop, "alice", LIMITS);
    let place = Place::make(&alice, home(&hadoop).join("datanode"));
    let whole = Bytes::from(bytes(LENGTH, 3));
    place.write("before", &whole, Placement::New).unwrap();

    println!("in mid-read");
    let mut stream = place.open("before").stream(0..u64::MAX).unwrap();
    let mut read = vec![0; 2 * MIB];
    stream.read_exact(&mut read).unwrap();
    hadoop.command("kill-datanode 1");
    stream.read_to_end(&mut read).unwrap();
    assert!(read == whole);
    hadoop.command("restart-datanode 1");

    println!("in mid-write");
    let mut killed = false;
    let fill = &mut |writer: &mut dyn tfcoord_fs::storage::Writer| {
        for at in (0..LENGTH).step_by(MIB) {
            if at == LENGTH / 2 && !std::mem::replace(&mut killed, true) {
                hadoop.command("kill-datanode 2");
            }
            writer.write(whole.slice(at..at + MIB))?;
        }
        Ok(())
    };
    write_whole(&alice, &place.at("during"), 0o644, Placement::New, fill).unwrap();
    assert!(killed && place.read("during") == whole);

    println!("before a new file");
    place.write("after", &whole, Placement::New).unwrap();
    assert!(place.read("after") == whole);
}

#[test]
fn small_files_are_written_while_the_namenode_names_a_dead_datanode() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };
    let alice = connect(&hadoop, "alice", LIMITS);
    let place = Place::make(&alice, home(&hadoop).join("small"));
    hadoop.command("kill-datanode 2");
    // A third of all tries meet it: some files need many. Eight at a time, as most of it is waiting.
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let number @ 0..FILES = next.fetch_add(1, Ordering::Relaxed) {
                    place.write(&number.to_string(), b"small", Placement::New).unwrap();
                }
            });
        }
    });
    assert_eq!(place.names().len(), FILES as usize);
}

#[test]
fn the_namenode_refuses() {
    let Some(hadoop) = start(false) else { return };
    let alice = connect(&hadoop, "alice", LIMITS);
    let place = Place::make(&alice, home(&hadoop).join("refused"));
    place.write("file", b"x", Placement::New).unwrap();

    println!("permission");
    let bob = connect(&hadoop, "bob", LIMITS);
    let error = bob.create(&place.at("his"), NEW).err().unwrap();
    assert!(error.to_string().contains(" as bob (NameNode localhost:") && error.to_string().contains("permission denied: "), "{error}");
    assert!(error.to_string().contains("user=bob, access=EXECUTE") && error.to_string().ends_with("as a user who has it"), "{error}");
    assert_eq!(problem(bob.delete(&place.at("file"))), "Denied");

    println!("quota");
    let Location::Remote(remote) = &place.dir else { panic!("in HDFS") };
    hadoop.command(&format!("set-quota {} {}", remote.path(), 4 * MIB));
    assert_eq!(problem(place.write("large", &bytes(8 * MIB, 1), Placement::New)), "Quota");
    hadoop.command(&format!("set-quota {} -1", remote.path()));
    place.write("large", &bytes(8 * MIB, 1), Placement::New).unwrap();

    println!("safe mode");
    hadoop.command("safemode enter");
    let short = connect(&hadoop, "alice", Limits { safe_mode: Duration::from_millis(600), ..LIMITS });
    let error = short.make_directory(&place.at("dir")).unwrap_err();
    assert!(error.to_string().contains("safe mode") && error.to_string().contains("dfsadmin -safemode get"), "{error}");
    assert_eq!(place.read("file"), b"x", "reading goes on");
    let (send, written) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| send.send(place.write("patient", b"y", Placement::New)).unwrap());
        assert_eq!(written.recv_timeout(Duration::from_secs(2)).err(), Some(RecvTimeoutError::Timeout));
        hadoop.command("safemode leave");
        written.recv().unwrap().unwrap();
    });
    assert_eq!(place.read("patient"), b"y");
}

#[test]
fn the_namenode_changes() {
    let Some(hadoop) = start(true) else { return };
    let alice = connect(&hadoop, "alice", LIMITS);
    let place = Place::make(&alice, home(&hadoop).join("failover"));
    let whole = Bytes::from(bytes(LENGTH, 5));
    let mut changed = false;
    let fill = &mut |writer: &mut dyn tfcoord_fs::storage::Writer| {
        for at in (0..LENGTH).step_by(MIB) {
            if at == LENGTH / 2 && !std::mem::replace(&mut changed, true) {
                hadoop.command("fail-over");
            }
            writer.write(whole.slice(at..at + MIB))?;
        }
        Ok(())
    };
    write_whole(&alice, &place.at("file"), 0o644, Placement::New, fill).unwrap();
    let mut stream = place.open("file").stream(0..u64::MAX).unwrap();
    let mut read = vec![0; MIB];
    stream.read_exact(&mut read).unwrap();
    hadoop.command("fail-over");
    stream.read_to_end(&mut read).unwrap();
    assert!(read == whole);
    assert_eq!(place.names(), ["file"]);
}
