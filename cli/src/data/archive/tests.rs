use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use tar::{Builder, Header};

/// Of the kind, with the name as it stands there, and so many bytes announced.
fn header(name: &str, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    header
}

fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        builder.append(&header(name, *kind, bytes.len() as u64), *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Names with a slash behind those of directories, and contents; or why not.
fn read_within(bytes: &[u8], limits: Limits) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let mut found = Vec::new();
    let read = each(Path::new("a.tgz"), &mut file, bytes.len() as u64, limits, &Meter::default(), &mut |item| {
        let mut contents = Vec::new();
        match item.body {
            Body::Directory => found.push((format!("{}/", item.name), contents)),
            Body::File(body) => {
                body.read_to_end(&mut contents).map_err(|error| Error::Source { path: "visit".into(), problem: error.into() })?;
                found.push((item.name.to_owned(), contents));
            }
        }
        Ok(())
    });
    read.map(|()| found).map_err(|error| error.to_string())
}

fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    read_within(bytes, Limits::default())
}

fn refused(bytes: &[u8], why: &str) {
    let error = read(bytes).unwrap_err();
    assert!(error.starts_with("a.tgz: ") && error.contains(why), "{why}: {error}");
}

#[test]
fn files_and_directories_come_out() {
    let plain = tar(&[("./", EntryType::Directory, b""), ("./d", EntryType::Directory, b""), ("d/a.csv", EntryType::Regular, b"1,2\n")]);
    let expected = vec![("d/".to_owned(), vec![]), ("d/a.csv".to_owned(), b"1,2\n".to_vec())];
    assert_eq!(read(&plain).unwrap(), expected);
    assert_eq!(read(&gzip(&plain)).unwrap(), expected);
    // Several members of gzip, as pigz and bgzip write them.
    let (one, two) = plain.split_at(700);
    assert_eq!(read(&[gzip(one), gzip(two)].concat()).unwrap(), expected);
    assert_eq!(read(&tar(&[])).unwrap(), []);
}

#[test]
fn long_names_and_common_attributes_come_out() {
    let long = format!("{}/x.csv", "n".repeat(180));
    let mut builder = Builder::new(Vec::new());
    let mut global = header("pax_global_header", EntryType::XGlobalHeader, 17);
    global.set_cksum();
    builder.append(&global, &b"17 comment=abcde\n"[..]).unwrap();
    let mut file = header("", EntryType::Regular, 1);
    builder.append_data(&mut file, &long, &b"1"[..]).unwrap();
    assert_eq!(read(&builder.into_inner().unwrap()).unwrap(), [(long, b"1".to_vec())]);
}

#[test]
fn what_leads_elsewhere_is_refused() {
    for (name, why) in [("/etc/passwd", "absolute"), ("../a", "leads out"), ("a/../../b", "leads out"), ("a\nb", "control"), ("./", "link")]
    {
        let kind = if why == "link" { EntryType::Symlink } else { EntryType::Regular };
        refused(&tar(&[(name, kind, b"")]), why);
    }
    for (kind, why) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::new(b'V'), "not known"),
    ] {
        refused(&tar(&[("good", EntryType::Regular, b"1"), ("bad", kind, b"")]), why);
    }
    let sparse = tar(&[("h", EntryType::XHeader, b"22 GNU.sparse.major=1\n"), ("s", EntryType::Regular, b"1")]);
    refused(&sparse, "a sparse file");
}

#[test]
fn what_is_cut_or_damaged_is_refused() {
    let plain = tar(&[("a", EntryType::Regular, &[7; 5000]), ("b", EntryType::Regular, &[8; 5000])]);
    let end = plain.len() - 1024;
    for length in [100, 512, 3000, 5632, 6000, end - 600, end] {
        refused(&plain[..length], "archive is");
    }
    assert!(read(&plain[..end + 512]).is_ok(), "one empty block is an end");
    let packed = gzip(&plain);
    for length in [5, packed.len() / 2, packed.len() - 1] {
        refused(&packed[..length], "archive is");
    }
    let mut wrong = packed;
    let checksum = wrong.len() - 6;
    wrong[checksum] ^= 1;
    refused(&wrong, "damaged");
    refused(b"", "cut");
    refused(&[b"no archive".to_vec(), vec![1; 2000]].concat(), "damaged");
    refused(&[plain.clone(), plain].concat(), "something follows");
}

#[test]
fn bombs_are_refused() {
    let large = tar(&[("zeros", EntryType::Regular, &vec![0; 3 << 20])]);
    refused(&gzip(&large), "more than 100 times");
    let limits = Limits { bytes_max: 1 << 20, ..Limits::default() };
    assert!(read_within(&large, limits).unwrap_err().contains("more than 1048576 bytes"));
    assert!(read_within(&large, Limits { bytes_max: 4 << 20, ..limits }).is_ok());
    // A gigabyte announced, and not there.
    let mut builder = Builder::new(Vec::new());
    builder.append(&header("a", EntryType::Regular, 1 << 30), &b""[..]).unwrap();
    refused(&builder.into_inner().unwrap(), "cut");
    let many = tar(&[("a", EntryType::Directory, &[][..]); 5]);
    assert!(read_within(&many, Limits { entries_max: 4, ..limits }).unwrap_err().contains("more than 4 files and directories"));
}

// The tar reader takes them into memory before it gives them out.
#[test]
fn long_headers_are_refused() {
    let name = vec![b'n'; (HEADERS_MAX + 1) as usize];
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader] {
        refused(&tar(&[("././@LongLink", kind, &name), ("a", EntryType::Regular, b"1")]), "names and attributes");
    }
}

#[test]
fn archives_are_known_by_their_names() {
    for (name, expect) in [("a.tgz", true), ("a.TAR.GZ", true), ("d/a.tar", true), ("a.csv.gz", false), (".tgz", false), ("tar", false)] {
        assert_eq!(is_archive(Path::new(name)), expect, "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..3000, bytes in proptest::collection::vec(any::<u8>(), 1..600), packed: bool) {
        let mut archive = tar(&[("d/", EntryType::Directory, b""), ("d/a", EntryType::Regular, &[7; 700])]);
        archive.resize(4000, 0);
        archive[at..at + bytes.len()].copy_from_slice(&bytes);
        for (name, _) in read(&if packed { gzip(&archive) } else { archive }).unwrap_or_default() {
            prop_assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."));
        }
    }
}
