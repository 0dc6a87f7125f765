//! Restoring on other servers, in other chunks.

use crate::fixture::{content, everything, heads, id, manifest, restored, saved, variables, write_part};
use crate::here::{curve, restore};
use proptest::prelude::*;
use tfcoord_checkpoint::{Error, Kind, TensorHead, Want};
use tfcoord_types::layout::{Layout, SEGMENT};

/// The chunks that each of `servers` servers holds.
fn runs(segments: u64, servers: usize) -> Vec<Vec<(u32, u64, u64)>> {
    let chunks = Layout::new(&variables(), segments * SEGMENT).unwrap().chunks;
    let of = |slot| chunks.iter().skip(slot).step_by(servers).map(|chunk| (chunk.slab, chunk.offset, chunk.len)).collect();
    (0..servers).map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_servers_restore_what_any_others_saved(from in (1u64..8, 1u32..5), to in (1u64..8, 1usize..5)) {
        let dir = tempfile::tempdir().unwrap();
        let manifest = saved(dir.path(), id(500), from.0, from.1);
        for mut runs in runs(to.0, to.1) {
            runs.reverse();
            restored(dir.path(), &manifest, &runs).unwrap();
        }
    }

    #[test]
    fn any_runs_are_restored(cuts in proptest::collection::btree_set(1u64..22_000, 0..12), segments in 1u64..4) {
        let dir = tempfile::tempdir().unwrap();
        let manifest = saved(dir.path(), id(500), segments, 3);
        let ends: Vec<u64> = cuts.into_iter().chain([22_000]).collect();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let runs: Vec<_> = starts.zip(&ends).map(|(start, end)| (0, start, end - start)).collect();
        restored(dir.path(), &manifest, &runs).unwrap();
    }
}

#[test]
fn tensors_longer_than_a_piece_are_restored() {
    let dir = tempfile::tempdir().unwrap();
    let head = |offset, elements: u64| TensorHead { slab: 1, kind: Kind::Values, offset, bytes: elements * 4 };
    let heads = [head(0, 700_000), head(700_000, 300_001)];
    let manifest = manifest(id(500), 1, vec![write_part(dir.path(), id(500), 0, &heads).unwrap()]);
    restored(dir.path(), &manifest, &[(1, 0, 1_000_001)]).unwrap();
    restored(dir.path(), &manifest, &[(1, 262_143, 2), (1, 600_000, 200_000), (1, 1, 7), (1, 999_999, 2)]).unwrap();
}

#[test]
fn what_nobody_saved_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    // Without the second server's part.
    let part = write_part(dir.path(), id(500), 0, &heads(1, 0, 2)).unwrap();
    let manifest = manifest(id(500), 1, vec![part]);
    let check = |runs: &[(u32, u64, u64)], element: u64| {
        let error = restored(dir.path(), &manifest, runs).unwrap_err().to_string();
        assert!(error.starts_with(&format!("checkpoint 1-500-507: slab 0, element {element}: no part holds its values")), "{error}");
    };
    restored(dir.path(), &manifest, &[(0, 10, 4086)]).unwrap();
    check(&[(0, 10, 4087)], 4096);
    check(&[(0, 4000, 5000)], 4096);
    check(&[(0, 5000, 1)], 5000);
    check(&[(0, 22_000, 1)], 22_000);
    assert!(matches!(restored(dir.path(), &manifest, &[(0, u64::MAX, 1)]), Err(Error::Place { .. })));
}

#[test]
fn slots_that_were_not_saved_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    let only_first: Vec<TensorHead> = heads(1, 0, 1).into_iter().filter(|head| head.kind != Kind::Second).collect();
    let manifest = manifest(id(500), 1, vec![write_part(dir.path(), id(500), 0, &only_first).unwrap()]);
    let error = restored(dir.path(), &manifest, &everything()).unwrap_err().to_string();
    assert!(error.contains("slab 0, element 0: no part holds its second") && error.contains("train with the optimizer"), "{error}");
}

#[test]
fn what_two_parts_hold_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let all = heads(7, 0, 1);
    let (first, second) = (write_part(dir.path(), id(500), 0, &all).unwrap(), write_part(dir.path(), id(500), 1, &all[..1]).unwrap());
    let manifest = manifest(id(500), 7, vec![first, second]);
    let error = restored(dir.path(), &manifest, &everything()).unwrap_err().to_string();
    assert!(error.contains("two parts hold its values"), "{error}");
    restored(dir.path(), &manifest, &[(1, 0, 300)]).unwrap();
    let curves = write_part(dir.path(), id(500), 2, &all).unwrap();
    let manifest = tfcoord_checkpoint::Manifest { parts: vec![manifest.parts[0].clone(), curves], ..manifest };
    assert!(curve(dir.path(), &manifest).unwrap_err().to_string().contains("second curve"));
}

#[test]
fn wants_that_make_no_sense_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = saved(dir.path(), id(500), 1, 1);
    let (mut a, mut b, mut short) = (vec![0; 40], vec![0; 40], vec![0; 36]);
    let mut wants = [
        Want { slab: 0, offset: 0, values: &mut a, first: None, second: None, counted: None },
        Want { slab: 0, offset: 9, values: &mut b, first: None, second: None, counted: None },
    ];
    assert!(restore(dir.path(), &manifest, &mut wants).unwrap_err().to_string().contains("element 9: it is wanted twice"));
    let mut wants = [Want { slab: 0, offset: 0, values: &mut a, first: Some(&mut short), second: None, counted: None }];
    assert!(matches!(restore(dir.path(), &manifest, &mut wants), Err(Error::Place { .. })));
    let mut wants = [Want { slab: 0, offset: 0, values: &mut a[..3], first: None, second: None, counted: None }];
    assert!(matches!(restore(dir.path(), &manifest, &mut wants), Err(Error::Place { .. })));
}

#[test]
fn what_counts_for_a_chunk_is_restored_for_the_same_chunk_alone() {
    let dir = tempfile::tempdir().unwrap();
    let head = |offset, kind, elements: u64| TensorHead { slab: 0, kind, offset, bytes: elements * 4 };
    let chunk = |offset| [head(offset, Kind::Values, SEGMENT), head(offset, Kind::Counted, 9000)];
    let heads = [chunk(0), chunk(SEGMENT)].concat();
    let manifest = manifest(id(500), 1, vec![write_part(dir.path(), id(500), 0, &heads).unwrap()]);
    let read = |offset: u64, shards: usize| {
        let (mut values, mut counted) = (vec![0; SEGMENT as usize * 4], vec![0; shards * 4]);
        let want = Want { slab: 0, offset, values: &mut values, first: None, second: None, counted: Some(&mut counted) };
        restore(dir.path(), &manifest, &mut [want]).map(|()| (values, counted)).map_err(|error| error.to_string())
    };
    for offset in [0, SEGMENT] {
        let saved = |kind, elements| content(id(500), 0, kind, offset, elements);
        assert!(read(offset, 9000) == Ok((saved(Kind::Values, SEGMENT), saved(Kind::Counted, 9000))), "chunk at {offset}");
    }
    for wrong in [read(SEGMENT / 2, 9000), read(0, 8999)] {
        assert!(wrong.clone().unwrap_err().contains("no part holds its counted"), "{wrong:?}");
    }
}
