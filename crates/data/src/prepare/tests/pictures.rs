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
    assert_eq!((manifest.train.records, summary(&manifest).1.classes), (2, 3));
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
        "DIR/el: record 1 has the label 3, but the training labels go from 0 to 2\n  help: check the labels, or train on data that hold every class",
    );
    check(
        &|g| g.images = b"<html>not found</html>".to_vec(),
        "DIR/i: is no IDX file: it begins with 3c68746d, expected 000008 and the number of dimensions\n  help: name an IDX file such as train-images-idx3-ubyte.gz, or set data.format",
    );
    check(
        &|g| g.model = softmax(2),
        "model.loss: softmax_cross_entropy needs one output a class: 3, but the last layer gives 2\n  help: the training labels are \"0\", \"1\", \"2\"; change the last layer or the loss",
    );
    check(
        &|g| g.data = PAIR.replacen("\"DIR/l\"", "\"DIR/l\", \"records\": [0, 9]", 1),
        "data.train.records: records [0, 9] are asked for, but the files hold 3\n  help: use numbers from 0 to 3, the first below the second",
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
