//! The job files under `examples/`.

use super::*;
use std::path::{Path, PathBuf};
use tfcoord_types::job::{Graph, Input, JobFile, parse};

fn example(name: &str) -> (JobFile, PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut job = parse(name, &text).unwrap_or_else(|problems| panic!("{problems}"));
    let base = path.parent().unwrap().canonicalize().unwrap();
    job.resolve(base.to_str().unwrap());
    (job, base)
}

#[test]
fn fashion_mnist_prepares() {
    let dir = Dir::new();
    let manifest = dir.prepare(&example("fashion-mnist/job.json").0).unwrap();
    assert_eq!((manifest.train.records, manifest.input.as_slice()), (8000, &[1u32, 28, 28][..]));
    let eval = manifest.eval.as_ref().unwrap();
    assert_eq!((eval.first, eval.records, summary(&manifest).1.input.classes), (8000, 2000, 10));
    // Both sets are of the same two files: they are unpacked once.
    assert_eq!(dir.scratch_names().len(), 2);
}

#[test]
fn full_fashion_mnist_parses() {
    let (job, base) = example("fashion-mnist/full.json");
    let root = base.parent().unwrap().parent().unwrap();
    let images = job.data.train.images.unwrap().iter().next().unwrap().clone();
    assert_eq!(images, format!("{}/../../data/fashion-mnist/train-images-idx3-ubyte.gz", base.display()));
    assert!(root.join("Cargo.toml").exists(), "data/ lies at the root");
    let graph = Graph::new(&job.model, &Input::plain(&[1, 28, 28], 10)).unwrap();
    assert_eq!(graph.output(), Some(&[10][..]));
}

#[test]
fn tabular_prepares() {
    let dir = Dir::new();
    let manifest = dir.prepare(&example("tabular/job.json").0).unwrap();
    assert_eq!((manifest.train.records, manifest.eval.as_ref().unwrap().records), (6000, 2000));
    assert_eq!(manifest.label, Label::Class { names: vec!["no".into(), "yes".into()] });
    let region = manifest.columns.iter().find(|column| column.name == "region").unwrap();
    let ColumnKind::Category { names } = &region.kind else { panic!("categories") };
    assert_eq!(names, &["", "east", "north", "south", "west"], "nobody in training lives on islands");
}
