//! What every file system does alike.

use super::place::{NEW, Place, bytes, problem};
use std::io::{BufRead, Read};
use tfcoord_fs::storage::{Create, FileSystem, Kind, Location, Placement};
use tfcoord_testkit::deadline::wait_for;

/// All of it, in directories of `root`.
pub fn all(system: &dyn FileSystem, root: &Location) {
    for (name, check) in CHECKS {
        println!("{name}");
        check(&Place::make(system, root.join(name)));
    }
}

type Check = fn(&Place<'_>);

const CHECKS: [(&str, Check); 12] = [
    ("directories", directories),
    ("written", written),
    ("placed", placed),
    ("raced", raced),
    ("dropped", dropped),
    ("missing", missing),
    ("kinds", kinds),
    ("renamed", renamed),
    ("deleted", deleted),
    ("ranges", ranges),
    ("begun_again", begun_again),
    ("elsewhere", elsewhere),
];

fn directories(place: &Place<'_>) {
    assert!(place.names().is_empty());
    let deep = place.at("b/c/d");
    place.system.make_directory(&deep).unwrap();
    place.system.make_directory(&deep).unwrap();
    let status = place.system.stat(&deep).unwrap();
    assert_eq!((status.kind, status.length), (Kind::Directory, 0));
    for name in ["z", "a", "ü", "with blank"] {
        place.write(name, b"x", Placement::New).unwrap();
    }
    let entries = place.system.list(&place.dir).unwrap();
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "with blank", "z", "ü"]);
    assert_eq!((entries[0].status.kind, entries[0].status.length, entries[1].status.kind), (Kind::File, 1, Kind::Directory));
    assert_eq!(entries[0].status, place.system.stat(&place.at("a")).unwrap());
}

fn written(place: &Place<'_>) {
    place.write("empty", b"", Placement::New).unwrap();
    assert_eq!(place.read("empty"), b"");
    assert_eq!(place.open("empty").read_at(0, 10).unwrap(), "");
    let mut writer = place.begin("file", b"one ").unwrap();
    writer.write("".into()).unwrap();
    writer.write("two".into()).unwrap();
    assert_eq!(problem(place.system.stat(&place.at("file"))), "Missing", "it has no name before it is whole");
    writer.commit(Placement::New).unwrap();
    assert_eq!(place.read("file"), b"one two");
    assert_eq!(place.names(), ["empty", "file"]);
    let status = place.system.stat(&place.at("file")).unwrap();
    assert_eq!((status.kind, status.length), (Kind::File, 7));
    assert!(status.modified_ns > 1_700_000_000_000_000_000, "{status:?}");
    assert_eq!(place.open("file").status(), status);
}

fn placed(place: &Place<'_>) {
    place.write("file", b"first", Placement::New).unwrap();
    assert_eq!(problem(place.write("file", b"second", Placement::New)), "Exists");
    assert_eq!(place.read("file"), b"first");
    place.write("file", b"third", Placement::Replace).unwrap();
    assert_eq!(place.read("file"), b"third");
    place.write("other", b"free", Placement::Replace).unwrap();
    wait_for(60, "only final names", || (place.names() == ["file", "other"]).then_some(()));
}

fn raced(place: &Place<'_>) {
    let race = |byte: u8| place.write("file", &[byte; 100_000], Placement::New).is_ok().then_some(byte);
    let won: Vec<u8> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..4).map(|byte| scope.spawn(move || race(byte))).collect();
        racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(place.read("file"), [won[0]; 100_000]);
}

fn dropped(place: &Place<'_>) {
    drop(place.begin("file", &bytes(3 << 20, 1)).unwrap());
    drop(place.system.create(&place.at("other"), NEW).unwrap());
    wait_for(60, "nothing is left", || place.names().is_empty().then_some(()));
}

fn missing(place: &Place<'_>) {
    let nothing = place.at("no/thing");
    assert_eq!(problem(place.system.stat(&nothing)), "Missing");
    assert_eq!(problem(place.system.list(&nothing)), "Missing");
    assert_eq!(problem(place.system.open(&nothing)), "Missing");
    assert_eq!(problem(place.system.create(&nothing, NEW)), "Missing");
    assert_eq!(problem(place.system.rename(&nothing, &place.at("new"))), "Missing");
    let error = place.system.open(&nothing).err().unwrap().to_string();
    assert!(error.starts_with(&format!("cannot read {nothing}")) && error.ends_with(": it is not there: check the path"), "{error}");
}

fn kinds(place: &Place<'_>) {
    place.write("file", b"x", Placement::New).unwrap();
    assert_eq!(problem(place.system.open(&place.dir)), "NotAFile");
    assert_eq!(problem(place.system.list(&place.at("file"))), "NotADirectory");
    assert_eq!(problem(place.system.create(&place.at("file/below"), NEW)), "NotADirectory");
    let below = problem(place.system.make_directory(&place.at("file/below")));
    assert!(["NotADirectory", "Exists"].contains(&below.as_str()), "{below}");
}

fn renamed(place: &Place<'_>) {
    let rename = |from: &str, to: &str| place.system.rename(&place.at(from), &place.at(to));
    place.write("file", b"x", Placement::New).unwrap();
    place.write("taken", b"y", Placement::New).unwrap();
    rename("file", "new").unwrap();
    assert_eq!(problem(rename("new", "taken")), "Exists");
    for dir in ["dir", "empty"] {
        place.system.make_directory(&place.at(dir)).unwrap();
    }
    place.write("dir/file", b"in it", Placement::New).unwrap();
    rename("dir", "moved").unwrap();
    assert_eq!(place.read("moved/file"), b"in it");
    assert_eq!(problem(rename("moved", "empty")), "Exists", "nothing is moved into a directory, or put in its place");
    assert_eq!(place.names(), ["empty", "moved", "new", "taken"]);
    assert_eq!(place.read("taken"), b"y");
}

fn deleted(place: &Place<'_>) {
    place.write("file", b"x", Placement::New).unwrap();
    place.system.make_directory(&place.at("dir/deep")).unwrap();
    place.write("dir/deep/file", b"x", Placement::New).unwrap();
    for name in ["file", "dir"] {
        assert!(place.system.delete(&place.at(name)).unwrap());
        assert!(!place.system.delete(&place.at(name)).unwrap());
    }
    assert!(place.names().is_empty());
}

fn ranges(place: &Place<'_>) {
    const LENGTH: usize = (11 << 20) + 17;
    let whole = bytes(LENGTH, 7);
    place.write("file", &whole, Placement::New).unwrap();
    assert!(place.read("file") == whole);
    let file = place.open("file");
    for (offset, length) in [(0, 1), (5, 0), (1 << 20, 1), ((1 << 20) - 3, 7), (65_535, 3 << 20), (LENGTH - 2, 2), (0, LENGTH)] {
        assert!(file.read_at(offset as u64, length).unwrap() == whole[offset..offset + length], "{length} from {offset}");
    }
    assert_eq!(file.read_at(LENGTH as u64 - 2, 100).unwrap(), whole[LENGTH - 2..]);
    assert!(file.read_at(LENGTH as u64, 1).unwrap().is_empty() && file.read_at(u64::MAX, 1).unwrap().is_empty());
    for range in [3 << 20..9 << 20, LENGTH - 1..LENGTH, 4..4] {
        let mut read = Vec::new();
        file.stream(range.start as u64..range.end as u64).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == whole[range.clone()], "{range:?}");
    }
    let mut stream = file.stream(1..u64::MAX).unwrap();
    let ahead = stream.fill_buf().unwrap().to_vec();
    stream.consume(1);
    assert!(ahead == whole[1..=ahead.len()]);
    let piece = stream.next_piece().unwrap().unwrap();
    assert!(piece == whole[2..2 + piece.len()]);
    // Left in the middle: nothing hangs, and the file can be read again.
    drop(stream);
    assert_eq!(file.read_at(9, 1).unwrap(), whole[9..10]);
}

fn begun_again(place: &Place<'_>) {
    let mut writer = place.system.create(&place.at("file"), Create { mode: 0o600, begun: 1 }).unwrap();
    writer.write("x".into()).unwrap();
    writer.commit(Placement::New).unwrap();
    assert_eq!(place.read("file"), b"x");
    assert_eq!(place.names(), ["file"]);
}

fn elsewhere(place: &Place<'_>) {
    let other = Location::parse("viewfs://other/x", None).unwrap();
    assert_eq!(problem(place.system.stat(&other)), "Elsewhere");
    assert_eq!(problem(place.system.rename(&place.at("x"), &other)), "Elsewhere");
}
