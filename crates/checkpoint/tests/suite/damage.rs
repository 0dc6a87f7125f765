//! Whatever happens to the files: an error that names one of them, or what was saved.

use crate::fixture::{everything, id, restored, saved};
use crate::here::{curve, read, restore, verify, verify_lengths};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tfcoord_checkpoint::{Error, Manifest};

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip { at: usize, bit: u32 },
    Overwrite { at: usize, bytes: Vec<u8> },
    Cut { at: usize },
    Append(Vec<u8>),
    Swap { at: usize, with: usize },
}

fn damage() -> impl Strategy<Value = Damage> {
    // The beginning, where the headers are, more often.
    let at = || prop_oneof![0usize..200, any::<usize>()];
    let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
    prop_oneof![
        (at(), 0u32..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite { at, bytes }),
        at().prop_map(|at| Damage::Cut { at }),
        bytes().prop_map(Damage::Append),
        (at(), at()).prop_map(|(at, with)| Damage::Swap { at, with }),
    ]
}

fn damaged(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let length = bytes.len();
    match damage {
        Damage::Flip { at, bit } => bytes[at % length] ^= 1 << bit,
        Damage::Overwrite { at, bytes: new } => {
            let at = at % length;
            let end = (at + new.len()).min(length);
            bytes[at..end].copy_from_slice(&new[..end - at]);
        }
        Damage::Cut { at } => bytes.truncate(at % length),
        Damage::Append(more) => bytes.extend_from_slice(more),
        Damage::Swap { at, with } => bytes.swap(at % length, with % length),
    }
    bytes
}

// Reads everything as a job that begins from it would.
fn begin(dir: &Path) -> Result<Manifest, Error> {
    let manifest = read(dir, id(500))?;
    verify_lengths(dir, &manifest)?;
    restored(dir, &manifest, &everything())?;
    Ok(manifest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn damage_is_seen_or_harmless(servers in 1u32..3, file in any::<usize>(), damage in damage()) {
        let dir = tempfile::tempdir().unwrap();
        let saved = saved(dir.path(), id(500), 2, servers);
        let mut files: Vec<PathBuf> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let path = &files[file % files.len()];
        let bytes = fs::read(path).unwrap();
        let changed = damaged(bytes.clone(), &damage);
        fs::write(path, &changed).unwrap();
        match begin(dir.path()) {
            Ok(manifest) => prop_assert!(manifest == saved && changed == bytes, "{damage:?} of {} was not seen", path.display()),
            Err(error) => {
                prop_assert!(changed != bytes, "nothing was changed: {error}");
                prop_assert!(error.to_string().contains("1-500-507"), "{error}");
            }
        }
    }

    // With a checksum that is right: a stranger made it so.
    #[test]
    fn strangers_parts_do_no_harm(damage in proptest::collection::vec(damage(), 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = saved(dir.path(), id(500), 2, 1);
        let path = dir.path().join(&manifest.parts[0].file);
        let changed = damage.iter().fold(fs::read(&path).unwrap(), |bytes, damage| if bytes.is_empty() { bytes } else { damaged(bytes, damage) });
        fs::write(&path, &changed).unwrap();
        (manifest.parts[0].length, manifest.parts[0].crc32c) = (changed.len() as u64, crc32c::crc32c(&changed));
        // Neither panics; values may be others.
        let _ = curve(dir.path(), &manifest);
        let mut values = vec![0; 4 * 22_000];
        let _ = restore(dir.path(), &manifest, &mut [tfcoord_checkpoint::Want { slab: 0, offset: 0, values: &mut values, first: None, second: None, counted: None }]);
    }

    #[test]
    fn any_text_is_no_manifest(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("1-500-507.json"), &bytes).unwrap();
        prop_assert!(read(dir.path(), id(500)).is_err());
    }
}

#[test]
fn every_byte_of_a_manifest_counts() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), id(500), 2, 2);
    let path = dir.path().join("1-500-507.json");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        assert!(read(dir.path(), id(500)).is_err(), "flipped at {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert!(read(dir.path(), id(500)).is_err(), "cut at {at}");
    }
    fs::write(&path, &whole).unwrap();
    begin(dir.path()).unwrap();
}

#[test]
fn errors_name_file_cause_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = saved(dir.path(), id(500), 2, 1);
    let path = dir.path().join(&manifest.parts[0].file);
    let whole = fs::read(&path).unwrap();
    let check = |bytes: &[u8], expect: &str| {
        fs::write(&path, bytes).unwrap();
        let error = restored(dir.path(), &manifest, &everything()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: {expect}", path.display())), "{error}");
        assert!(error.ends_with(": begin from an earlier checkpoint, or put the file back from a backup"), "{error}");
    };
    check(&whole[..100], "it has 100 bytes, but its manifest says");
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    check(&bytes, "its CRC-32C is ");
    // A header that would be longer than the file, than memory, than anything.
    for header in [whole.len() as u64 - 7, 1 << 40, u64::MAX] {
        bytes[..8].copy_from_slice(&header.to_le_bytes());
        check(&bytes, &format!("its header would have {header} bytes"));
    }
    check(&vec![b' '; whole.len()], "its header would have 2314885530818453536 bytes");
    bytes[..8].copy_from_slice(&64u64.to_le_bytes());
    check(&bytes, "its header is no list of tensors");
}

#[test]
fn another_versions_manifest_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1-500-507.json"), r#"{"format": 2, "new": true}"#).unwrap();
    let error = read(dir.path(), id(500)).unwrap_err().to_string();
    assert!(error.ends_with("1-500-507.json: format 2, but this version reads format 1: use the version that wrote it"), "{error}");
}

#[test]
fn a_manifest_under_another_name_is_none() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), id(500), 2, 1);
    fs::rename(dir.path().join("1-500-507.json"), dir.path().join("2-900-907.json")).unwrap();
    let renamed = "2-900-907".parse().unwrap();
    assert!(read(dir.path(), renamed).unwrap_err().to_string().contains("it is the manifest of 1-500-507"));
}

#[test]
fn every_flipped_bit_is_seen_where_all_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = saved(dir.path(), id(500), 4, 2);
    verify(dir.path(), &manifest).unwrap();
    let path = dir.path().join(&manifest.parts[1].file);
    let whole = fs::read(&path).unwrap();
    for at in [0, 9, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&path, bytes).unwrap();
        verify_lengths(dir.path(), &manifest).unwrap();
        let error = verify(dir.path(), &manifest).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: ", path.display())), "{at}: {error}");
    }
}
