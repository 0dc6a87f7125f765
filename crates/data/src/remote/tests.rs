use super::*;
use crate::files::Files;
use crate::fixture::Dir;
use crate::scratch::Limits;
use proptest::prelude::*;
use std::io::Read;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tfcoord_fs::local::Local;
use tfcoord_fs::storage::FileSystem;

// Six pieces, the last one short.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| (0..5 * PIECE + 1000).map(|n| ((n * n) >> 7) as u8).collect());

// A file of this machine, as if it were far away.
fn open(source: &Identity, files: &Files) -> Remote {
    Remote::new(Local.open(&source.at).unwrap(), source, &files.fetched).unwrap()
}

fn read(remote: &Remote, place: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (place.end - place.start) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        let read = remote.read_some(&mut bytes[filled..], place.start + filled as u64).unwrap();
        assert_ne!(read, 0, "{place:?}");
        filled += read;
    }
    bytes
}

fn expected(place: Range<u64>) -> &'static [u8] {
    &BYTES[place.start as usize..place.end as usize]
}

#[test]
fn pieces_are_fetched_once_and_read_again() {
    let dir = Dir::new();
    let files = dir.files();
    let source = dir.put("a", &*BYTES);
    let remote = open(&source, &files);
    let length = BYTES.len() as u64;
    for place in [0..10, 60..70, PIECE - 1..PIECE + 1, 3 * PIECE + 5..4 * PIECE + 5, length - 1..length, 2 * PIECE + 1..2 * PIECE + 2] {
        assert_eq!(read(&remote, place.clone()), expected(place));
    }
    assert_eq!(remote.read_some(&mut [0; 8], length).unwrap(), 0);
    assert_eq!(remote.read_some(&mut [0; 8], u64::MAX).unwrap(), 0);
    let mut all = Vec::new();
    remote.in_order(PIECE + 7).unwrap().read_to_end(&mut all).unwrap();
    assert_eq!(all, &BYTES[PIECE as usize + 7..]);
    // Everything is there: also for whoever opens it again, and when the file itself is not as long any more.
    let again = open(&source, &files);
    dir.write("a", "");
    assert_eq!(read(&again, 100..length), expected(100..length));
    assert!(dir.scratch_names().is_empty(), "what is kept has no name");
}

#[test]
fn what_is_read_in_order_is_kept_the_second_time() {
    let dir = Dir::new();
    let files = dir.files();
    let source = dir.put("a", &*BYTES);
    let remote = open(&source, &files);
    let there = || (0..6).filter(|piece| files.fetched.has((remote.number, *piece))).collect::<Vec<u64>>();
    let length = BYTES.len() as u64;
    // A picture after the other, which end in the midst of pieces.
    let pass = |from: u64| {
        let (mut at, mut buffer) = (from, vec![0; 300_000]);
        while at < length {
            let mut taken = 0;
            let most = buffer.len().min((length - at) as usize);
            remote.fetch(std::iter::once(at..at + most as u64)).unwrap();
            let read = remote.take_some(&mut buffer[..most], at, |bytes| {
                assert!(bytes == expected(at..at + bytes.len() as u64), "{at}");
                taken = bytes.len();
            });
            assert_eq!(read.unwrap(), taken);
            assert!((1..=most).contains(&taken));
            at += taken as u64;
        }
    };
    pass(0);
    assert_eq!(there(), [0, 1]);
    pass(0);
    assert_eq!(there(), [0, 1, 2, 3, 4, 5]);
    dir.write("a", "");
    pass(77);
}

#[test]
fn a_file_that_ends_too_early_is_noticed_in_the_midst_of_a_run() {
    let dir = Dir::new();
    let files = dir.files();
    let source = dir.put("a", &*BYTES);
    let remote = open(&source, &files);
    read(&remote, 0..3 * PIECE - 5);
    std::fs::File::options().write(true).open(dir.path("a")).unwrap().set_len(3 * PIECE).unwrap();
    let mut buffer = [0; 16];
    let end = (3 * PIECE - 5..source.length).find_map(|at| match remote.read_some(&mut buffer, at) {
        Ok(_) => None,
        Err(error) => Some((at, error.to_string())),
    });
    let (_, error) = end.unwrap();
    assert!(error.contains("it has changed since it was opened"), "{error}");
}

#[test]
fn what_will_be_wanted_is_fetched_meanwhile() {
    let dir = Dir::new();
    let files = dir.files();
    let source = dir.put("a", &*BYTES);
    let remote = Arc::new(open(&source, &files));
    remote.expect(PIECE + 5..4 * PIECE);
    let deadline = Instant::now() + Duration::from_mins(1);
    while (1..4).any(|piece| !files.fetched.has((remote.number, piece))) {
        assert!(Instant::now() < deadline, "it was not fetched");
        std::thread::yield_now();
    }
    assert!(!files.fetched.has((remote.number, 0)) && !files.fetched.has((remote.number, 4)));
    // Whoever wants it in the same moment waits, and does not fetch it too.
    dir.write("a", "");
    assert_eq!(read(&remote, PIECE..4 * PIECE), expected(PIECE..4 * PIECE));

    let narrow = dir.files_within(Limits { fetched_bytes_max: 15 * PIECE, ..Limits::default() });
    let remote = Arc::new(open(&dir.put("b", &*BYTES), &narrow));
    remote.expect(0..PIECE);
    assert!(narrow.fetched.soon.is_idle(), "there is no room for what is not wanted yet");
}

#[test]
fn what_was_not_wanted_for_long_gives_way() {
    let dir = Dir::new();
    let limits = Limits { fetched_bytes_max: 3 * PIECE, ..Limits::default() };
    let files = dir.files_within(limits);
    let source = dir.put("a", &*BYTES);
    let remote = open(&source, &files);
    let length = BYTES.len() as u64;
    for _ in 0..3 {
        assert_eq!(read(&remote, 0..length), expected(0..length));
    }
    let there = |pieces: Range<u64>| pieces.filter(|piece| files.fetched.has((remote.number, *piece))).count();
    assert_eq!(there(0..6), 3);
    // More than there is room for is fetched when it is read.
    remote.fetch((0..6).map(|piece| piece * PIECE..piece * PIECE + 1)).unwrap();
    assert_eq!(there(0..6), 3);
}

#[test]
fn several_are_fetched_at_the_same_time() {
    let dir = Dir::new();
    let files = dir.files();
    let source = dir.put("a", &*BYTES);
    let remote = open(&source, &files);
    remote.fetch([10..20, PIECE - 1..PIECE + 1, 5 * PIECE..5 * PIECE + 1, 7..7].into_iter()).unwrap();
    let there: Vec<u64> = (0..6).filter(|piece| files.fetched.has((remote.number, *piece))).collect();
    assert_eq!(there, [0, 1, 5]);
    std::fs::write(dir.path("a"), &BYTES[..PIECE as usize]).unwrap();
    let error = dir.said(remote.fetch([2 * PIECE..3 * PIECE, 3 * PIECE + 1..5 * PIECE].into_iter()));
    assert!(error.starts_with("cannot read DIR/a: it has changed since it was opened"), "{error}");
    assert_eq!(read(&remote, 5 * PIECE..5 * PIECE + 9), expected(5 * PIECE..5 * PIECE + 9));
}

#[test]
fn a_file_that_changed_is_another_one() {
    let dir = Dir::new();
    let files = dir.files();
    let number = |source: &Identity| files.fetched.number(source);
    let (one, other) = (dir.put("a", "one"), dir.put("b", "one"));
    assert_eq!([number(&one), number(&other), number(&one)], [0, 1, 0]);
    assert_eq!(number(&dir.put("a", "longer")), 2);
}

#[test]
fn a_scratch_directory_that_cannot_be_used_is_named() {
    let dir = Dir::new();
    dir.write("scratch", "in its place");
    let remote = open(&dir.put("a", &*BYTES), &dir.files());
    assert_eq!(read(&remote, 0..64), expected(0..64));
    let error = remote.read_some(&mut [0; 8], 100).unwrap_err();
    assert!(matches!(error, Error::Scratch { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn any_bytes_in_any_order(places in proptest::collection::vec((0..5 * PIECE, 1..PIECE / 3), 1..40), slots in 1u64..5) {
        let dir = Dir::new();
        let limits = Limits { fetched_bytes_max: slots * PIECE, ..Limits::default() };
        let files = dir.files_within(limits);
        let source = dir.put("a", &*BYTES);
        let places: Vec<Range<u64>> = places.into_iter().map(|(at, length)| at..(at + length).min(BYTES.len() as u64)).collect();
        // Two readers that take each other's room.
        std::thread::scope(|scope| {
            for skip in 0..2 {
                let (source, files, places) = (&source, &files, &places);
                scope.spawn(move || {
                    let remote = open(source, files);
                    for (at, place) in places.iter().enumerate() {
                        if at % 3 == skip {
                            remote.fetch(places[at..].iter().take(4).cloned()).unwrap();
                        }
                        assert!(read(&remote, place.clone()) == expected(place.clone()), "{place:?}");
                    }
                });
            }
        });
    }
}
