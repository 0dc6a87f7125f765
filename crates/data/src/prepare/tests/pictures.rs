//! IDX.

use super::*;

const PAIR: &str =
    r#"{"format": "idx", "train": {"images": "DIR/i", "labels": "DIR/l"}, "eval": {"images": "DIR/ei", "labels": "DIR/el"}}"#;

struct Given {
    images: Vec<u8>,
    labels: Vec<u8>,
    eval_images: Vec<u8>,
    eval_labels: Vec<u8>,
    model: String,
    data: String,
}

impl Given {
    fn fine() -> Self {
        Self {
            images: gzip(&idx(&[3, 2, 2], 0..12)),
            labels: gzip(&idx(&[3], [0, 2, 1])),
            eval_images: idx(&[2, 2, 2], 0..8),
            eval_labels: idx(&[2], [1, 2]),
            model: softmax(3),
            data: PAIR.to_owned(),
        }
    }

    fn prepare(&self) -> Result<Manifest, String> {
        let dir = Dir::new();
        for (name, bytes) in [("i", &self.images), ("l", &self.labels), ("ei", &self.eval_images), ("el", &self.eval_labels)] {
            dir.write(name, bytes);
        }
        let prepared = dir.prepare(&dir.job(&self.model, &self.data));
        if prepared.is_err() { Err(dir.said(prepared)) } else { prepared.map_err(|_| String::new()) }
    }
}

#[test]
fn pictures_and_labels() {
    let manifest = Given::fine().prepare().unwrap();
    assert_eq!((manifest.input.as_slice(), manifest.train.records, manifest.scale), (&[1u32, 2, 2][..], 3, 1.0 / 255.0));
    assert_eq!(manifest.label, Label::Class { names: vec!["0".into(), "1".into(), "2".into()] });
    assert_eq!(manifest.eval.unwrap().records, 2);
}

#[test]
fn the_number_of_classes_does_not_depend_on_the_split() {
    let mut given = Given::fine();
    given.images = idx(&[4, 2, 2], 0..16);
    given.labels = idx(&[4], [0, 0, 1, 2]);
    given.data = PAIR.replacen("\"DIR/l\"", "\"DIR/l\", \"records\": [0, 2]", 1);
    let manifest = given.prepare().unwrap();
    assert_eq!((manifest.train.records, summary(&manifest).1.input.classes), (2, 3));
}

#[test]
fn pairs_that_cannot_be_used() {
    let check = |change: &dyn Fn(&mut Given), expected: &str| {
        let mut given = Given::fine();
        change(&mut given);
        assert_eq!(given.prepare().unwrap_err(), expected);
    };
    let again = "help: fetch it again; it is incomplete";
    check(
        &|g| g.images = gzip(&idx(&[3, 2, 2], 0..11)),
        &format!("DIR/i: is truncated: its header names 3 records of 4 bytes, which makes 28 bytes, but it has 27\n  {again}"),
    );
    check(
        &|g| g.eval_labels = idx(&[2], [1, 2, 0]),
        "DIR/el: has 1 bytes after the 2 records that its header names\n  help: fetch it again; its header does not fit its content",
    );
    check(
        &|g| g.labels = idx(&[2], [0, 1]),
        "DIR/i: has 3 pictures, but DIR/l has 2 labels\n  help: name images and labels that belong together",
    );
    check(
        &|g| std::mem::swap(&mut g.images, &mut g.labels),
        "DIR/i: has 1 dimensions, expected 3 (pictures, height, width), 4 with channels, or 2\n  help: check that images and labels are not mixed up",
    );
    check(
        &|g| g.eval_images = idx(&[2, 4, 1], 0..8),
        "DIR/ei: has records of shape [1, 4, 1], expected [1, 2, 2] as DIR/i has\n  help: use pictures of one size",
    );
    check(
        &|g| g.eval_labels = idx(&[2], [1, 3]),
        &label("DIR/el: record 1 (from 0; byte 9 of the unpacked file) has the label 3, but the model is for 3 classes: 0 to 2"),
    );
    check(
        &|g| g.images = b"<html>not found</html>".to_vec(),
        "DIR/i: is no IDX file: it begins with 3c68746d, expected 000008 and the number of dimensions\n  help: name an IDX file such as train-images-idx3-ubyte.gz; a table is of the format csv",
    );
    check(
        &|g| g.model = softmax(2),
        &label("DIR/l: record 1 (from 0; byte 9 of the unpacked file) has the label 2, but the model is for 2 classes: 0 to 1"),
    );
    check(
        &|g| g.model = softmax(4),
        "model.loss: softmax_cross_entropy needs one output a class: 3, but the last layer gives 4\n  help: the labels go from 0 to 2; change the last layer or the loss",
    );
    check(
        &|g| g.data = PAIR.replacen("\"DIR/l\"", "\"DIR/l\", \"records\": [0, 9]", 1),
        "data.train.records: records [0, 9] are asked for, but the files hold 3\n  help: use numbers from 0 to 3, the first below the second",
    );
}

fn label(problem: &str) -> String {
    format!(
        "{problem}\n  help: correct the label, or leave its record out with `records`; for more classes, use softmax_cross_entropy and a last layer with an output for each"
    )
}

#[test]
fn a_label_without_an_output_is_placed_wherever_it_is_used() {
    let both = r#"{"format": "idx", "train": {"images": "DIR/i", "labels": "DIR/l", "records": [0, 3]},
                   "eval": {"images": "DIR/i", "labels": "DIR/l", "records": [3, 5]}}"#;
    let mut given = Given { images: idx(&[6, 2, 2], 0..24), model: softmax(5), data: both.to_owned(), ..Given::fine() };
    let mut prepare = |labels: [u8; 6]| {
        given.labels = gzip(&idx(&[6], labels));
        given.prepare().map(|manifest| summary(&manifest).1.input.classes)
    };
    let at = |record: u64| {
        let byte = record + 8;
        Err(label(&format!(
            "DIR/l: record {record} (from 0; byte {byte} of the unpacked file) has the label 200, but the model is for 5 classes: 0 to 4"
        )))
    };
    assert_eq!(prepare([1, 200, 4, 0, 1, 0]), at(1));
    assert_eq!(prepare([1, 2, 4, 0, 200, 0]), at(4));
    // Nobody looks at the last record, and classes come from all labels that the last layer has an output for.
    assert_eq!(
        prepare([1, 2, 3, 0, 0, 200]).unwrap_err().lines().next(),
        Some("model.loss: softmax_cross_entropy needs one output a class: 4, but the last layer gives 5")
    );
    assert_eq!(prepare([1, 2, 3, 4, 0, 200]), Ok(5));
}

#[test]
fn a_third_class_of_two_is_placed() {
    let flat = r#"{"layers": [{"flatten": {}}, {"dense": {"units": 1}}], "loss": "binary_cross_entropy"}"#;
    let given = Given { model: flat.to_owned(), ..Given::fine() };
    assert_eq!(
        given.prepare().unwrap_err(),
        label("DIR/l: record 1 (from 0; byte 9 of the unpacked file) has the label 2, but the model is for 2 classes: 0 to 1")
    );
}

#[test]
fn labels_outside_the_range_that_is_used_do_not_matter() {
    let mut given = Given::fine();
    given.eval_labels = idx(&[2], [1, 9]);
    given.data = PAIR.replace("\"DIR/el\"", "\"DIR/el\", \"records\": [0, 1]");
    assert!(given.prepare().is_ok());
}

#[test]
fn one_class_alone_counts_as_two() {
    let mut given = Given::fine();
    given.labels = idx(&[3], [0; 3]);
    given.eval_labels = idx(&[2], [0, 1]);
    given.model = softmax(2);
    assert!(given.prepare().is_ok());
}
