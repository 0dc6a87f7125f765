use super::*;
use crate::fixture::{BINARY, Dir, REGRESSION, gzip, idx, softmax};
use tfcoord_types::manifest::{Column, ColumnKind, Label};

mod examples;
mod pictures;

const FILES: &str = r#"{"format": "csv", "label": "y", "train": {"files": "DIR/train.csv"}, "eval": {"files": "DIR/eval.csv"}}"#;

fn table(model: &str, data: &str, train: &str, eval: &str) -> Result<Manifest, String> {
    let dir = Dir::new();
    dir.write("train.csv", train);
    dir.write("eval.csv", eval);
    let prepared = dir.prepare(&dir.job(model, data));
    if prepared.is_err() { Err(dir.said(prepared)) } else { prepared.map_err(|_| String::new()) }
}

fn said(model: &str, data: &str, train: &str, eval: &str) -> String {
    table(model, data, train, eval).unwrap_err()
}

fn kinds(manifest: &Manifest) -> Vec<(&str, bool)> {
    manifest.columns.iter().map(|Column { name, kind }| (name.as_str(), matches!(kind, ColumnKind::Number { .. }))).collect()
}

#[test]
fn columns_are_numbers_where_every_training_value_is_one() {
    let train = "a,b,y,c,d\n1,x,0,,5\n,2,1,,5\n3,?,0,,5\n9,9,1,9,word\n";
    let data = FILES.replace("train.csv\"", "train.csv\", \"records\": [0, 3]").replace("\"y\"", "\"y\", \"missing\": [\"?\"]");
    let manifest = table(BINARY, &data, train, "d,c,b,a,y\n1,1,1,1,1\n").unwrap();
    assert_eq!(kinds(&manifest), [("a", true), ("b", false), ("c", true), ("d", true)]);
    let moments = |at: usize| match manifest.columns[at].kind {
        ColumnKind::Number { mean, deviation } => (mean, deviation),
        _ => panic!("a number"),
    };
    // Only the records that are used count; a column without values, or with one value, has the deviation 1.
    assert_eq!((moments(0), moments(2), moments(3)), ((2.0, 1.0), (0.0, 1.0), (5.0, 1.0)));
    assert_eq!((manifest.train.records, manifest.eval.as_ref().unwrap().records, manifest.input[0]), (3, 1, 7));
}

#[test]
fn a_column_of_numbers_but_for_few_values_is_refused_at_the_first_of_them() {
    let rows = |n: u32, odd: &[(u32, &str)]| {
        let text = |row: u32| odd.iter().find(|(at, _)| *at == row).map_or_else(|| format!("{row}.5"), |(_, text)| (*text).to_owned());
        (0..n).fold(String::from("a,x,y\n"), |all, row| all + &format!("red,{},{}\n", text(row), row % 2))
    };
    let fine = "a,x,y\nred,1,0\n";
    let help = "correct the value; or name the text in data.missing if it means that there is no value; or list the columns in data.features, this one as a category";
    for (n, odd) in [(2000, &[(7, "NaN")][..]), (2000, &[(7, "inf"), (1500, "oops")]), (10, &[(7, "1e999")])] {
        let numbers = n as usize - odd.len();
        assert_eq!(
            said(BINARY, FILES, &rows(n, odd), fine),
            format!(
                "DIR/train.csv:9: column \"x\": {:?} is no number, but {numbers} of the column's {n} values are\n  help: {help}",
                odd[0].1
            )
        );
    }
    let x = |data: &str, train: &str| kinds(&table(BINARY, data, train, fine).unwrap())[1].1;
    let odd = rows(2000, &[(7, "NaN")]);
    assert!(x(&FILES.replace("\"y\"", r#""y", "missing": ["NaN"]"#), &odd), "a number with a missing value");
    assert!(!x(&FILES.replace("\"y\"", r#""y", "features": [{"category": "a"}, {"category": "x"}]"#), &odd), "a category as asked for");
    assert!(!x(FILES, &rows(10, &[(1, "b"), (7, "c")])), "plainly mixed");
}

#[test]
fn for_a_wide_and_deep_model_columns_of_words_are_indices() {
    let model = r#"{"preset": {"wide_deep": {}}, "loss": "binary_cross_entropy"}"#;
    let train = "a,b,y\n1,x,0\n2,,1\n";
    let columns = |model: &str, data: &str| table(model, data, train, train).unwrap().columns;
    let names = vec![String::new(), "x".into()];
    assert_eq!(columns(model, FILES)[1].kind, ColumnKind::Index { names: names.clone() });
    assert_eq!(columns(&softmax(2), FILES)[1].kind, ColumnKind::Category { names: names.clone() });
    let named = FILES.replace("\"y\"", r#""y", "features": [{"category": "a"}, {"index": "b"}]"#);
    let a = columns(model, &named).remove(0).kind;
    assert!(matches!(a, ColumnKind::Category { .. }), "as it is named: {a:?}");
}

#[test]
fn features_are_taken_as_they_are_named() {
    let data = FILES.replace("\"y\"", r#""y", "features": [{"category": "b"}, {"number": "a"}]"#);
    let manifest = table(BINARY, &data, "a,b,y\n1,2,0\n3,2,1\n", "b,a,y\n1,2,0\n").unwrap();
    assert_eq!(kinds(&manifest), [("b", false), ("a", true)]);
    assert_eq!(
        said(BINARY, &data, "a,c,y\n1,2,0\n", ""),
        "DIR/train.csv: has no column \"b\"; it has \"a\", \"c\", \"y\"\n  help: check data.features and data.label against the header"
    );
    assert_eq!(
        said(BINARY, &data, "a,b,b,y\n1,2,3,0\n", ""),
        "DIR/train.csv: has two columns named \"b\"\n  help: give each column a name of its own"
    );
}

#[test]
fn classes_are_sorted_by_number_if_they_are_numbers() {
    let names = |labels: &[&str]| {
        let train = labels.iter().map(|label| format!("1,{label}\n")).collect::<String>();
        let manifest = table(&softmax(labels.len()), FILES, &format!("x,y\n{train}"), "x,y\n1,9\n").unwrap();
        let Label::Class { names } = manifest.label else { panic!("classes") };
        names
    };
    assert_eq!(names(&["10", "9", "-1"]), ["-1", "9", "10"]);
    assert_eq!(names(&["10", "9", "b", "B"]), ["10", "9", "B", "b"]);
}

#[test]
fn rows_that_cannot_be_used() {
    let number = "help: name the text in data.missing if it means that there is no value, or make the column a category";
    let numbers = FILES.replace("\"y\"", r#""y", "features": [{"number": "x"}]"#);
    let check = |model: &str, data: &str, train: &str, eval: &str, expected: &str| assert_eq!(said(model, data, train, eval), expected);
    let fine = "x,y\n1,0\n2,1\n";
    check(BINARY, &numbers, "x,y\n1,0\nabc,1\n", fine, &format!("DIR/train.csv:3: column \"x\": \"abc\" is no number\n  {number}"));
    check(BINARY, &numbers, fine, "y,x\r\n0,1\r\n1,1e\r\n", &format!("DIR/eval.csv:3: column \"x\": \"1e\" is no number\n  {number}"));
    check(BINARY, &numbers, fine, "x,y\n1e300,0\n", "DIR/eval.csv:2: column \"x\": \"1e300\" is out of range\n  help: check the value");
    check(
        BINARY,
        &numbers,
        "x,y\n1e300,0\n-1e300,1\n",
        fine,
        "DIR/train.csv:3: column \"x\": \"-1e300\" is out of range\n  help: check the value",
    );
    let label = "help: remove the row, or fill in its label";
    check(BINARY, FILES, "x,y\n1,0\n2,\n", fine, &format!("DIR/train.csv:3: column \"y\": the label is missing\n  {label}"));
    check(BINARY, FILES, fine, "x,y\n1,\n", &format!("DIR/eval.csv:2: column \"y\": the label is missing\n  {label}"));
    check(
        BINARY,
        FILES,
        fine,
        "x,y\n1,0\n1,maybe\n",
        "DIR/eval.csv:3: column \"y\": the label \"maybe\" does not occur in the training records, which have \"0\", \"1\"\n  help: check the label, or train on data that hold every class",
    );
    check(REGRESSION, FILES, "x,y\n1,0\n2,b\n", fine, &format!("DIR/train.csv:3: column \"y\": \"b\" is no number\n  {number}"));
    check(
        REGRESSION,
        FILES,
        "x,y\n1,0\n2,1e39\n",
        fine,
        "DIR/train.csv:3: column \"y\": \"1e39\" is out of range\n  help: check the value",
    );
    check(
        BINARY,
        FILES,
        fine,
        "x\n1\n",
        "DIR/eval.csv: has no column \"y\"; it has \"x\"\n  help: check data.features and data.label against the header",
    );
}

#[test]
fn too_many_classes_or_categories() {
    let rows = (0..10_002).map(|n| format!("{n},{n}.\n")).collect::<String>();
    assert_eq!(
        said(&softmax(2), FILES, &format!("x,y\n{rows}"), ""),
        "DIR/train.csv:10002: column \"y\": more than 10000 different labels\n  help: use the loss mse if the label is a number, or name another column"
    );
    let data = r#"{"format": "csv", "label": "y", "features": [{"category": "x"}], "train": {"files": "DIR/train.csv"}}"#;
    let long = (0..100).map(|n| format!("{n}{},{n}\n", "x".repeat(400_000))).collect::<String>();
    assert!(
        said(REGRESSION, data, &format!("x,y\n{long}"), "").starts_with("DIR/train.csv:85: column \"x\": more than"),
        "names are bounded"
    );
}

#[test]
fn records_that_the_files_lack() {
    let job = |range: &str| FILES.replace("train.csv\"", &format!("train.csv\", \"records\": {range}"));
    let fine = "x,y\n1,1\n2,0\n3,1\n";
    assert_eq!(table(BINARY, &job("[1, 3]"), fine, fine).unwrap().train.first, 1);
    assert_eq!(
        said(BINARY, &job("[1, 4]"), fine, fine),
        "data.train.records: records [1, 4] are asked for, but the files hold 3\n  help: use numbers from 0 to 3, the first below the second"
    );
    assert_eq!(said(BINARY, FILES, fine, "x,y\n"), "data.eval: the files hold no records\n  help: name files that hold some");
}

#[test]
fn models_that_do_not_fit_the_data() {
    let two = "x,y\n1,0\n2,1\n";
    let three = "x,y\n1,a\n2,b\n3,c\n";
    assert_eq!(
        said(BINARY, FILES, three, three),
        "model.loss: binary_cross_entropy needs two classes, but the data have 3: use softmax_cross_entropy\n  help: the training labels are \"a\", \"b\", \"c\"; change the last layer or the loss"
    );
    assert_eq!(
        said(&softmax(4), FILES, three, three),
        "model.loss: softmax_cross_entropy needs one output a class: 3, but the last layer gives 4\n  help: the training labels are \"a\", \"b\", \"c\"; change the last layer or the loss"
    );
    let pool = r#"{"layers": [{"max_pool2d": {"size": 2}}], "loss": "mse"}"#;
    assert_eq!(
        said(pool, FILES, two, two),
        "model.layers[0]: max_pool2d takes pictures of three dimensions (channels, height, width); its input is [1]\n  help: see what the layer before it gives"
    );
    let label = FILES.replace("train.csv\"", "train.csv\", \"records\": [0, 1]").replace(r#", "eval": {"files": "DIR/eval.csv"}"#, "");
    assert_eq!(
        said(REGRESSION, &label, two, ""),
        "train.micro_batches: 1 training records for 2 micro-batches: some would never have one\n  help: use fewer micro-batches (and workers), or more records"
    );
    assert_eq!(
        said(BINARY, FILES, "y\n0\n1\n", ""),
        "data.features: no column becomes a feature\n  help: name some, or use files with more columns than the label"
    );
}

#[test]
fn the_summary_names_the_manifest_by_its_bytes() {
    let manifest = table(BINARY, FILES, "x,y\n0.1,0\n0.7,1\n", "x,y\n1,0\n").unwrap();
    let (json, summary) = summary(&manifest);
    assert_eq!(
        (summary.train_records, summary.eval_records, summary.input.classes, summary.input.shape.as_slice()),
        (2, 1, 2, &[1u32][..])
    );
    let read: Manifest = serde_json::from_slice(&json).unwrap();
    assert_eq!(read, manifest, "the moments must keep every bit");
    assert_eq!(super::summary(&read).1, summary);
    assert_eq!(summary.digest.len(), 64);
}
