use super::*;
use crate::fixture::{BINARY, Dir, REGRESSION, gzip, idx, softmax};
use proptest::prelude::*;
use tfcoord_types::manifest::{Column, ColumnKind, Label, Manifest};

const PAIRS: &str = r#"{"format": "idx", "train": {"images": "DIR/i-*", "labels": "DIR/l-*", "records": [1, 6]}}"#;

// Two pairs of files with 3 and 4 pictures of 2 x 2, numbered through: 0 0 0 0, 1 1 1 1, …
fn pictures(dir: &Dir) -> Manifest {
    let values = |range: std::ops::Range<u8>| range.flat_map(|n| [n; 4]);
    dir.write("i-1", idx(&[3, 2, 2], values(0..3)));
    dir.write("l-1", gzip(&idx(&[3], [2, 1, 0])));
    dir.write("i-2.gz", gzip(&idx(&[4, 2, 2], values(3..7))));
    dir.write("l-2", idx(&[4], [1, 1, 0, 2]));
    dir.prepare(&dir.job(&softmax(3), PAIRS)).unwrap()
}

#[test]
fn pictures_are_read_across_files() {
    let dir = Dir::new();
    let manifest = pictures(&dir);
    let mut reader = dir.train(&manifest);
    assert_eq!((reader.records(), reader.features(), reader.labelled()), (5, 4, true));
    let mut batch = RecordBatch::default();
    reader.read(&[4, 0, 1, 2, 3, 0], &mut batch).unwrap();
    let scaled: Vec<f32> = [5u8, 1, 2, 3, 4, 1].iter().flat_map(|n| [f32::from(*n) * (1.0 / 255.0); 4]).collect();
    assert_eq!(batch.features, scaled);
    assert_eq!((batch.classes.as_slice(), batch.indices.as_slice()), (&[0u32, 1, 0, 1, 1, 1][..], &[4u64, 0, 1, 2, 3, 0][..]));
    assert!(batch.numbers.is_empty());
    reader.read(&[], &mut batch).unwrap();
    assert!(batch.is_empty() && batch.features.is_empty());
    assert_eq!(dir.said(reader.read(&[5], &mut batch)), "record 5 of 5 was asked for");
}

#[test]
fn byte_labels_can_be_numbers() {
    let dir = Dir::new();
    pictures(&dir);
    let manifest = dir.prepare(&dir.job(&softmax(1).replace("softmax_cross_entropy", "mse"), PAIRS)).unwrap();
    let mut batch = RecordBatch::default();
    dir.train(&manifest).read(&[0, 4], &mut batch).unwrap();
    assert_eq!((batch.classes.len(), batch.numbers.as_slice()), (0, &[1.0f32, 0.0][..]));
}

const TABLE: &str = "\
y,kind,size,note
no,b,1,x
yes,a,3,\"p,
q\"
no,, ? ,x
yes, a ,5,x
";

fn table(dir: &Dir) -> Manifest {
    dir.write("train.csv", TABLE);
    dir.write("eval.csv", "note,size,kind,y\nx,7,c,yes\n-,,b,no\n");
    let data =
        r#"{"format": "csv", "label": "y", "missing": ["?"], "train": {"files": "DIR/train.csv"}, "eval": {"files": "DIR/eval.csv"}}"#;
    dir.prepare(&dir.job(BINARY, data)).unwrap()
}

#[test]
fn tables_are_read_as_training_found_them() {
    let dir = Dir::new();
    let manifest = table(&dir);
    let category = |name: &str, names: &[&str]| Column {
        name: name.into(),
        kind: ColumnKind::Category { names: names.iter().map(|n| (*n).to_owned()).collect() },
    };
    let deviation = (8.0f64 / 3.0).sqrt();
    let size = Column { name: "size".into(), kind: ColumnKind::Number { mean: 3.0, deviation } };
    assert_eq!(manifest.columns, [category("kind", &["", "a", "b"]), size, category("note", &["p,\nq", "x"])]);
    assert_eq!((manifest.input.as_slice(), manifest.label_column.as_deref()), (&[8u32][..], Some("y")));
    assert_eq!(manifest.label, Label::Class { names: vec!["no".into(), "yes".into()] });
    let two = (2.0 / deviation) as f32;
    let mut batch = RecordBatch::default();
    dir.train(&manifest).read(&[1, 2, 3], &mut batch).unwrap();
    #[rustfmt::skip]
    assert_eq!(batch.features, [
        0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0,
        1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0,
        0.0, 1.0, 0.0, 0.0, two, 0.0, 1.0, 0.0,
    ]);
    assert_eq!(batch.classes, [1, 0, 1]);
    // Another order of columns, categories that training has not seen, a gap.
    let eval = manifest.eval.as_ref().unwrap();
    let mut reader = Reader::open(&Preprocessing::from(&manifest), eval, &dir.files()).unwrap();
    reader.read(&[0, 1], &mut batch).unwrap();
    #[rustfmt::skip]
    assert_eq!(batch.features, [
        0.0, 0.0, 0.0, 1.0, 2.0 * two, 0.0, 1.0, 0.0,
        0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0,
    ]);
    assert_eq!(batch.classes, [1, 0]);
}

#[test]
fn a_file_that_changed_since_it_was_prepared_is_named() {
    let dir = Dir::new();
    let manifest = pictures(&dir);
    let preprocessing = Preprocessing::from(&manifest);
    dir.write("l-2", idx(&[4], [1, 1, 0, 2]));
    let touched = std::fs::File::options().write(true).open(dir.path("l-2")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH).unwrap();
    let expected = "DIR/l-2: has changed since it was first looked at: its modification time is another one, though it has 12 bytes as before\n  help: start again; data must not change while a job, or a prediction, uses them";
    assert_eq!(dir.said(Reader::open(&preprocessing, &manifest.train, &dir.files())), expected);
    std::fs::remove_file(dir.path("i-1")).unwrap();
    assert!(
        dir.said(Reader::open(&preprocessing, &manifest.train, &dir.files()))
            .starts_with("cannot look at DIR/i-1: it is not there\n  help: check the path")
    );
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_named() {
    let dir = Dir::new();
    let manifest = table(&dir);
    let mut reader = dir.train(&manifest);
    let mut batch = RecordBatch::default();
    reader.read(&[0], &mut batch).unwrap();
    dir.write("train.csv", &TABLE[..30]);
    assert!(dir.said(reader.read(&[3], &mut batch)).starts_with("DIR/train.csv: has changed since"));
    // As long as before, but not the same: what is read is checked again.
    dir.write("train.csv", TABLE.replace("yes, a ,5,x", "yes, a ,?5x"));
    let said = dir.said(reader.read(&[3], &mut batch));
    assert!(said.starts_with("DIR/train.csv:6: the row has 3 fields, expected 4"), "{said}");
}

#[test]
fn new_data_are_read_as_the_training_data_were() {
    let dir = Dir::new();
    let preprocessing = Preprocessing::from(&table(&dir));
    let json = serde_json::to_string(&preprocessing).unwrap();
    let preprocessing: Preprocessing = serde_json::from_str(&json).unwrap();
    let open = |source: &str| Reader::of_source(&preprocessing, &dir.source(source), &dir.files());
    let mut batch = RecordBatch::default();
    let mut reader = open(r#"{"files": "DIR/train.csv", "records": [1, 3]}"#).unwrap();
    assert_eq!((reader.records(), reader.labelled()), (2, true));
    reader.read(&[1, 0], &mut batch).unwrap();
    assert_eq!(batch.classes, [0, 1]);
    dir.write("new-2.csv", "size,kind,note\n1,a,x\n");
    dir.write("new-3.csv", "size,kind,note\n2,a,x\n");
    let mut reader = open(r#"{"files": "DIR/new-*.csv"}"#).unwrap();
    reader.read(&[0, 1], &mut batch).unwrap();
    assert_eq!((reader.labelled(), batch.len(), batch.classes.len(), batch.features.len()), (false, 2, 0, 16));
    dir.write("new-1.csv", "size,kind,note,y\n1,a,x,no\n");
    assert_eq!(
        dir.said(open(r#"{"files": "DIR/new-*.csv"}"#)),
        "DIR/new-2.csv: has no label column \"y\", but other files have\n  help: use files that all have it, or all lack it"
    );
    let no_such = "DIR/plain.csv: has no column \"kind\"; it has \"size\"\n  help: check data.features and data.label against the header";
    dir.write("plain.csv", "size\n1\n");
    assert_eq!(dir.said(open(r#"{"files": "DIR/plain.csv"}"#)), no_such);
    assert!(dir.said(open(r#"{"images": "DIR/train.csv"}"#)).starts_with("--data: there are no files"));
}

#[test]
fn new_pictures_need_no_labels_but_the_shape() {
    let dir = Dir::new();
    let preprocessing = Preprocessing::from(&pictures(&dir));
    let open = |source: &str| Reader::of_source(&preprocessing, &dir.source(source), &dir.files());
    let mut batch = RecordBatch::default();
    let mut reader = open(r#"{"images": "DIR/i-2.gz"}"#).unwrap();
    reader.read(&[3], &mut batch).unwrap();
    assert_eq!((reader.labelled(), batch.features.len(), batch.classes.len()), (false, 4, 0));
    assert!(open(r#"{"images": "DIR/i-2.gz", "labels": "DIR/l-2"}"#).unwrap().labelled());
    dir.write("large", idx(&[1, 1, 4], [0; 4]));
    assert_eq!(
        dir.said(open(r#"{"images": "DIR/large"}"#)),
        "DIR/large: has records of shape [1, 1, 4], expected [1, 2, 2] as the model has\n  help: use pictures of one size"
    );
}

#[test]
fn what_a_prediction_cannot_use_is_named_as_its_command_line_does() {
    let dir = Dir::new();
    let preprocessing = Preprocessing::from(&pictures(&dir));
    let check = |source: &str, expected: &str| {
        assert_eq!(dir.said(Reader::of_source(&preprocessing, &dir.source(source), &dir.files())), expected);
    };
    check(r#"{"images": ["DIR/no"]}"#, "--data: DIR/no is not there\n  help: check the path");
    check(r#"{"images": ["DIR/i-1"], "labels": ["DIR/no-*"]}"#, "--labels: DIR/no-* holds no file\n  help: check the path");
    check(
        r#"{"images": ["DIR/i-2.gz"], "records": [0, 9]}"#,
        "--records: records [0, 9] are asked for, but the files hold 4\n  help: use numbers from 0 to 4, the first below the second",
    );
}

#[test]
fn an_index_is_one_feature_of_its_column() {
    let dir = Dir::new();
    dir.write("train.csv", TABLE);
    dir.write("eval.csv", "y,kind,size,note\nno,b,5,x\nno,c,3,y\nyes,?,4,\nno,A,1,x\n");
    let features = r#""features": [{"index": "size"}, {"index": "kind"}, {"category": "note"}], "missing": ["?"]"#;
    let data = r#"{"format": "csv", "label": "y", FEATURES, "train": {"files": "DIR/train.csv"}, "eval": {"files": "DIR/eval.csv"}}"#;
    let layers = r#"[{"input": "categories", "embedding_bag": {"dim": 1}}, {"input": ["embedding_bag_0", "note"], "dense": {"units": 1}}]"#;
    let model = format!(r#"{{"layers": {layers}, "loss": "binary_cross_entropy"}}"#);
    let manifest = dir.prepare(&dir.job(&model, &data.replace("FEATURES", features))).unwrap();
    let index = |name: &str, names: &[&str]| Column {
        name: name.into(),
        kind: ColumnKind::Index { names: names.iter().map(|n| (*n).to_owned()).collect() },
    };
    assert_eq!(manifest.columns[..2], [index("size", &["", "1", "3", "5"]), index("kind", &["", "a", "b"])]);
    let counts: Vec<_> = manifest.columns.iter().map(Column::categories).collect();
    assert_eq!((counts.as_slice(), manifest.input.as_slice()), (&[Some(5), Some(4), None][..], &[5u32][..]));
    // The first two features: the indices.
    let indices = |reader: &mut Reader| {
        let mut batch = RecordBatch::default();
        reader.read(&[0, 1, 2, 3], &mut batch).unwrap();
        batch.features.chunks(5).map(|record| [record[0], record[1]]).collect::<Vec<_>>()
    };
    assert_eq!(indices(&mut dir.train(&manifest)), [[1.0, 2.0], [2.0, 1.0], [0.0, 0.0], [3.0, 1.0]]);
    // Kept with a model and read back; of the sizes 4, of the kinds c and A are not seen in training.
    let kept = serde_json::to_string(&Preprocessing::from(&manifest)).unwrap();
    let preprocessing: Preprocessing = serde_json::from_str(&kept).unwrap();
    let mut reader = Reader::open(&preprocessing, manifest.eval.as_ref().unwrap(), &dir.files()).unwrap();
    assert_eq!(indices(&mut reader), [[3.0, 2.0], [2.0, 3.0], [4.0, 0.0], [1.0, 3.0]]);
}

#[test]
fn a_raw_number_stays_as_it_is() {
    let dir = Dir::new();
    dir.write("train.csv", "a,b,y\n16777216,2,0\n3,,1\n-0.5,?,0\n");
    let data = r#"{"format": "csv", "label": "y", "features": [{"raw": "a"}, {"raw": "b"}], "missing": ["?"], "train": {"files": "DIR/train.csv"}}"#;
    let manifest = dir.prepare(&dir.job(BINARY, data)).unwrap();
    let mut batch = RecordBatch::default();
    dir.train(&manifest).read(&[0, 1, 2], &mut batch).unwrap();
    assert_eq!(batch.features, [16_777_216.0, 2.0, 3.0, 0.0, -0.5, 0.0]);
    dir.write("train.csv", "a,b,y\n1,2,0\n2,1e39,1\n");
    let expected = "DIR/train.csv:3: column \"b\": \"1e39\" is out of range\n  help: check the value";
    assert_eq!(dir.said(dir.prepare(&dir.job(BINARY, data))), expected);
}

#[test]
fn a_raw_number_must_name_a_row_where_an_embedding_sees_it() {
    let dir = Dir::new();
    let model = r#"{"layers": [{"input": ["a", "b"], "embedding_bag": {"dim": 1, "vocabulary": 5}}], "loss": "mse"}"#;
    let data = r#"{"format": "csv", "label": "y", "features": [{"raw": "a"}, {"number": "z"}, {"raw": "b"}], "train": {"files": "DIR/train.csv"}}"#;
    dir.write("train.csv", "a,b,z,y\n4,0,-7,0\n,4.0,9,1\n");
    let wide = model.replace(r#"], "loss""#, r#", {"input": ["z", "embedding_bag_0"], "dense": {"units": 1}}], "loss""#);
    let manifest = dir.prepare(&dir.job(&wide, data)).unwrap();
    assert_eq!(manifest.columns[2].kind, ColumnKind::Raw { rows: Some(5) });
    // As predict reads them.
    for wrong in ["5", "-1", "1.5"] {
        dir.write("new.csv", format!("z,a,b\n3,4,4\n3,1,{wrong}\n"));
        let mut reader =
            Reader::of_source(&Preprocessing::from(&manifest), &dir.source(r#"{"files": "DIR/new.csv"}"#), &dir.files()).unwrap();
        let expected = format!(
            "DIR/new.csv:3: column \"b\": \"{wrong}\" names no row: the embedding's vocabulary has the rows 0 to 4\n  help: correct the value; or, if there are more rows, train with a larger vocabulary"
        );
        assert_eq!(dir.said(reader.read(&[0, 1], &mut RecordBatch::default())), expected);
    }
    dir.write("train.csv", "a,b,z,y\n4,0,-7,0\n5,1,9,1\n");
    assert!(dir.said(dir.prepare(&dir.job(&wide, data))).starts_with("DIR/train.csv:3: column \"a\": \"5\" names no row"));
    let expected = "data.features[1]: \"z\" is brought to mean 0 and deviation 1, but an embedding with a vocabulary sees it\n  help: take it as it is: {\"raw\": \"z\"}";
    assert_eq!(dir.said(dir.prepare(&dir.job(&model.replace("\"b\"", "\"z\""), data))), expected);
}

#[test]
fn preprocessing_that_does_not_fit_itself_is_refused() {
    let dir = Dir::new();
    let sound = Preprocessing::from(&table(&dir));
    let check = |change: fn(&mut Preprocessing), expected: &str| {
        let mut damaged = sound.clone();
        change(&mut damaged);
        let said = damaged.features().unwrap_err().to_string();
        assert!(said.starts_with(&format!("preprocessing: {expected}")), "{said}");
    };
    check(|p| p.input = vec![9], "the columns make 8 features, but the input is of shape [9]");
    check(|p| p.input = vec![u32::MAX; 3], "an input of shape");
    check(|p| p.input = vec![], "the columns make 8 features");
    check(|p| p.columns[1].kind = ColumnKind::Number { mean: 0.0, deviation: 0.0 }, "column \"size\" has no usable mean");
    check(|p| p.columns[0].kind = ColumnKind::Category { names: vec!["b".into(), "a".into(), "c".into()] }, "column \"kind\"");
    let index = |p: &mut Preprocessing| {
        p.columns[0].kind = ColumnKind::Index { names: vec!["b".into(), "a".into()] };
        p.input = vec![5];
    };
    check(index, "column \"kind\" has no usable");
    assert_eq!(sound.features().unwrap(), 8);
}

#[test]
fn more_files_than_are_open_at_once() {
    let dir = Dir::new();
    for n in 0..150 {
        dir.write(&format!("d/{n:03}.csv"), format!("x,y\n{n},{n}\n"));
    }
    let data = r#"{"format": "csv", "label": "y", "train": {"files": "DIR/d"}}"#;
    let mut reader = dir.train(&dir.prepare(&dir.job(REGRESSION, data)).unwrap());
    let mut batch = RecordBatch::default();
    for _ in 0..2 {
        let all: Vec<u64> = (0..150).rev().collect();
        reader.read(&all, &mut batch).unwrap();
        assert_eq!(batch.numbers, all.iter().map(|n| *n as f32).collect::<Vec<_>>());
    }
    assert_eq!(reader.open.len(), OPEN_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn records_are_the_same_whatever_the_batches(order in Just((0u64..9).collect::<Vec<_>>()).prop_shuffle(), cuts in proptest::collection::vec(1usize..9, 9)) {
        let dir = Dir::new();
        dir.write("d/1.csv", "x,c,y\n1,a,1\n2,\"b\n\",2\n,a,3\n4,,4\n");
        dir.write("d/2.csv", "x,c,y\r\n5,\"\u{feff}\",5\r\n6,a,6\r\n7,z,7\r\n8,a,8\r\n\r\n9,a,9");
        let data = r#"{"format": "csv", "label": "y", "train": {"files": "DIR/d"}}"#;
        let mut reader = dir.train(&dir.prepare(&dir.job(REGRESSION, data)).unwrap());
        let (mut whole, mut part) = (RecordBatch::default(), RecordBatch::default());
        reader.read(&(0..9).collect::<Vec<_>>(), &mut whole).unwrap();
        prop_assert_eq!(&whole.numbers, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        let (width, mut rest) = (reader.features(), order.as_slice());
        for cut in cuts {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            reader.read(now, &mut part).unwrap();
            for (at, record) in now.iter().map(|n| usize::try_from(*n).unwrap()).enumerate() {
                prop_assert_eq!(&part.features[at * width..][..width], &whole.features[record * width..][..width]);
                prop_assert_eq!(part.numbers[at], whole.numbers[record]);
            }
            rest = later;
        }
    }
}
