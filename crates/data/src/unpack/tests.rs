use super::*;
use crate::fixture::{Dir, gzip};
use crate::plain::Plain;
use crate::scratch::Limits;

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * n % 251) as u8).collect()
}

fn unpacked(dir: &Dir, name: &str, files: &Files) -> Result<Vec<u8>, Error> {
    let plain = Plain::open(&dir.identity(name)?, files)?;
    let mut bytes = vec![0; usize::try_from(plain.length).unwrap()];
    plain.read(&mut bytes, 0, &dir.identity(name)?)?;
    Ok(bytes)
}

#[test]
fn gzip_is_unpacked_once() {
    let dir = Dir::new();
    let bytes = text(300_000);
    dir.write("a.gz", gzip(&bytes));
    assert_eq!(unpacked(&dir, "a.gz", &dir.files()).unwrap(), bytes);
    let [kept] = <[String; 1]>::try_from(dir.scratch_names()).unwrap();
    // What is there is used, not made again.
    dir.write(&format!("scratch/{kept}"), "as it was");
    assert_eq!(unpacked(&dir, "a.gz", &dir.files()).unwrap(), b"as it was");
    // Another content is another file.
    dir.write("a.gz", gzip(b"new"));
    assert_eq!(unpacked(&dir, "a.gz", &dir.files()).unwrap(), b"new");
}

#[test]
fn plain_files_are_used_where_they_are() {
    let dir = Dir::new();
    for bytes in [&b""[..], b"\x1f", b"plain"] {
        dir.write("a", bytes);
        assert_eq!(unpacked(&dir, "a", &dir.files()).unwrap(), bytes);
    }
    assert!(dir.scratch_names().is_empty());
}

#[test]
fn members_follow_each_other() {
    let dir = Dir::new();
    dir.write("a.gz", [gzip(b"one "), gzip(b"two")].concat());
    assert_eq!(unpacked(&dir, "a.gz", &dir.files()).unwrap(), b"one two");
}

#[test]
fn those_that_race_see_one_whole_file() {
    let dir = Dir::new();
    let bytes = text(200_000);
    dir.write("a.gz", gzip(&bytes));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(unpacked(&dir, "a.gz", &dir.files()).unwrap(), bytes));
        }
    });
    assert_eq!(dir.scratch_names().len(), 1);
}

#[test]
fn cut_anywhere_it_is_an_error_and_leaves_nothing() {
    let dir = Dir::new();
    let packed = gzip(b"some text that is packed");
    for end in 2..packed.len() {
        dir.write("a.gz", &packed[..end]);
        let said = dir.said(unpacked(&dir, "a.gz", &dir.files()));
        assert!(said.starts_with("DIR/a.gz: cannot be unpacked: ") && said.contains("help: fetch it again"), "{end}: {said}");
        assert!(dir.scratch_names().is_empty());
    }
    let mut flipped = packed.clone();
    let last = flipped.len() - 1;
    flipped[last - 6] ^= 1;
    dir.write("a.gz", flipped);
    assert!(unpacked(&dir, "a.gz", &dir.files()).is_err(), "the checksum must be looked at");
}

#[test]
fn bombs_are_refused_by_what_really_comes_out() {
    let dir = Dir::new();
    let packed = gzip(&vec![0; 2_000_000]);
    dir.write("a.gz", &packed);
    let with = |limits| dir.files_within(limits);
    let by_ratio = with(Limits { unpacked_bytes_max: u64::MAX, ratio_max: 100, ..Limits::default() });
    let most = packed.len() * 100;
    assert_eq!(
        dir.said(unpacked(&dir, "a.gz", &by_ratio)),
        format!(
            "DIR/a.gz: unpacks to more than {most} bytes, the most for a file of {}\n  help: unpack it by hand if it is what it should be, and name the unpacked file",
            packed.len()
        )
    );
    let by_bytes = with(Limits { unpacked_bytes_max: 1_999_999, ratio_max: u64::MAX, ..Limits::default() });
    assert!(dir.said(unpacked(&dir, "a.gz", &by_bytes)).contains("more than 1999999 bytes"));
    assert!(dir.scratch_names().is_empty());
    let enough = with(Limits { unpacked_bytes_max: 2_000_000, ..Limits::default() });
    assert_eq!(unpacked(&dir, "a.gz", &enough).unwrap().len(), 2_000_000);
}

#[test]
fn a_scratch_directory_that_cannot_be_used_is_no_fault_of_the_data() {
    let dir = Dir::new();
    dir.write("a.gz", gzip(b"text"));
    dir.write("scratch", "in its place");
    let error = unpacked(&dir, "a.gz", &dir.files()).unwrap_err();
    assert!(matches!(error, Error::Scratch { .. }), "{error}");
    let said = dir.said(Err::<(), _>(error));
    assert!(said.starts_with("cannot open DIR/scratch/unpacked-") && said.contains("\n  help: unpacked and fetched data"), "{said}");
    let full = Error::scratch_io("write", &dir.path("scratch/a"))(ErrorKind::StorageFull.into());
    let said = dir.said(Err::<(), _>(full));
    assert!(said.starts_with("cannot write DIR/scratch/a: ") && said.contains("\n  help: free space"), "{said}");
}

#[test]
fn a_file_that_changed_is_named() {
    let dir = Dir::new();
    let identity = dir.put("a", "four");
    dir.write("a", "fifth");
    assert_eq!(
        dir.said(Plain::open(&identity, &dir.files())),
        "DIR/a: has changed since it was first looked at: it had 4 bytes, it has 5\n  help: start again; data must not change while a job, or a prediction, uses them"
    );
}

#[test]
fn what_is_written_to_while_it_is_unpacked_is_not_kept() {
    let dir = Dir::new();
    let identity = dir.put("a.gz", gzip(b"old"));
    let opened = Bytes::open(&identity, &dir.files()).unwrap();
    dir.write("a.gz", gzip(b"a new content"));
    let said = dir.said(unpack(&identity, &opened, &dir.path("kept"), &dir.files()));
    assert!(said.starts_with("DIR/a.gz: has changed since"), "{said}");
    assert!(!dir.path("kept").exists());
}
