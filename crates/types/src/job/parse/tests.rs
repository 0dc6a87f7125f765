//! What is told about job files that are wrong.

use super::*;
use crate::job::{LayerGroup, OneOrMany, Sync};

const GOOD: &str = r#"{
  // a comment
  "name": "fashion-mnist",
  "model": {
    "layers": [ {"flatten": {}}, {"dense": {"units": 256, "activation": "relu"}}, {"dense": {"units": 10}} ],
    "loss": "softmax_cross_entropy", "metrics": ["accuracy"],
  },
  "data": {
    "format": "idx",
    "train": {"images": "i.gz", "labels": "l.gz", "records": [0, 8000]},
    "eval": {"images": "i.gz", "labels": "l.gz", "records": [8000, 10000]}
  },
  "train": { "batch_size": 128, "micro_batches": 4, "epochs": 10, "seed": 7, "optimizer": {"adam": {"learning_rate": 0.001}} },
  "worker": { "count": 2, "cpus": 1, "mem": 1024 },
  "parameter_server": { "count": 1 },
  "output": { "dir": "out" }, /* the end */
}
"#;

#[test]
fn a_good_file_is_read_and_written_back() {
    let mut job = parse("job.json", GOOD).unwrap();
    job.data.eval.as_mut().unwrap().labels = Some(OneOrMany::Many(vec!["file:///l".into(), "HDFS://nn/l".into(), "l://x".into()]));
    job.resolve("/base");
    assert_eq!((job.output.dir.as_str(), job.data.train.images.clone()), ("/base/out", Some(OneOrMany::One("/base/i.gz".into()))));
    let labels = job.data.eval.as_mut().unwrap().labels.replace(OneOrMany::One("/l".into())).unwrap();
    assert_eq!(labels.iter().collect::<Vec<_>>(), ["file:///l", "HDFS://nn/l", "l://x"]);
    let json = serde_json::to_string(&job).unwrap();
    assert_eq!(parse("job.json", &json).unwrap(), job);
}

fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse("job.json", &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn problems_have_places() {
    let check = |from, to, start: &str, has: &str| {
        let error = error(from, to);
        assert!(error.starts_with(start) && error.contains(has), "{error}");
    };
    check(
        "\"batch_size\": 128",
        "\"batch_size\": \"x\"",
        "job.json:13:14: train.batch_size: expected a whole number, found the text \"x\"",
        "help: write such as 128",
    );
    check(
        "\"batch_size\": 128",
        "\"batch_sise\": 128",
        "job.json:13:14: train.batch_sise: there is no such field",
        "help: did you mean \"batch_size\"?",
    );
    check("\"count\": 2", "\"count\": 5", "job.json:14:15: worker.count: 5 workers", "help: use fewer workers");
    check("\"fashion-mnist\"", "\"Fashion\"", "job.json:3:3: name:", "help:");
    check("\"loss\": \"softmax_cross_entropy\",", "", "job.json:4:3: model.loss: there is no loss", "mse");
    check(
        "\"units\": 256",
        "\"units\": -1",
        "job.json:5:45: model.layers[1].dense.units: expected a whole number from 0 to 4294967295, found -1",
        "help",
    );
    check("/* the end */", "}", "job.json:17:", "more than one");
    check("/* the end */", "\"start_timeout\": 0", "job.json:16:31: start_timeout: 0 is not from 1 to 86400", "such as 600");
    check("/* the end */", "\"lease_seconds\": 0.2", "job.json:16:31: lease_seconds: 0.2 is not from 0.5 to 600 seconds", "such as 10");
    let short = "\"lease_seconds\": 10, \"orphan_grace_seconds\": 10";
    check(
        "/* the end */",
        short,
        "job.json:16:52: orphan_grace_seconds: 10 is not from 20 (two times lease_seconds) to 86400 seconds",
        "30 times",
    );
}

#[test]
fn all_problems_come_in_one_pass() {
    let text = GOOD.replace("\"epochs\": 10", "\"epochs\": 0").replace("\"fashion-mnist\"", "\"x y\"");
    assert_eq!(parse("job.json", &text).unwrap_err().problems.len(), 2);
}

#[test]
fn deep_nesting_is_refused() {
    let text = "[".repeat(100_000);
    assert!(parse("job.json", &text).unwrap_err().to_string().contains("deep"));
}

#[test]
fn cut_anywhere_it_is_an_error_and_no_panic() {
    for end in 0..GOOD.trim_end().len() {
        assert!(parse("job.json", &GOOD[..end]).is_err(), "{end}");
    }
}

// The one problem of GOOD with this change.
fn only(from: &str, to: &str, problem: &str) {
    let problem = problem.strip_prefix('\n').unwrap_or(problem);
    let error = error(from, to);
    let (place, text) = error.split_once(": ").unwrap();
    assert!(place.starts_with("job.json:") && place.split(':').count() == 3, "{error}");
    assert_eq!(text, problem);
}

#[test]
fn what_is_expected_is_said_in_the_pages_words() {
    let adam = r#"{"adam": {"learning_rate": 0.001}}"#;
    let optimizer = "train.optimizer: expected an object with one key, its kind, found";
    let such = format!("\n  help: write such as {adam}");
    only(adam, "\"adam\"", &format!("{optimizer} the text \"adam\"\n  help: write {adam}"));
    only(adam, "{}", &format!("{optimizer} no key{such}"));
    only(adam, "[]", &format!("{optimizer} an empty list{such}"));
    only(adam, "null", &format!("{optimizer} null{such}"));
    only(adam, "{\"sgd\": {\"learning_rate\": 1}, \"add\": {}}", &format!("{optimizer} \"sgd\", \"add\"\n  help: keep one of them"));
    only(adam, "{\"adamw\": {\"learning_rate\": 1}}", "train.optimizer.adamw: there is no such kind\n  help: did you mean \"adam\"?");
    only(adam, "{\"adam\": {}}", "train.optimizer.adam.learning_rate: is missing\n  help: add \"learning_rate\": 0.001");
    only(
        "\"seed\": 7",
        "\"schedule\": \"cosine\"",
        "train.schedule: expected \"constant\", or an object with one key, its kind, found the text \"cosine\"\n  help: write {\"cosine\": {}}",
    );
    only(
        "\"seed\": 7",
        "\"schedule\": {\"constant\": {}}",
        "train.schedule.constant: there is no such kind\n  help: write \"constant\" alone",
    );
    only(
        "{\"flatten\": {}}, ",
        "{\"flatten\": {}, \"dropout\": {\"rate\": 0.5}}, ",
        "model.layers[0]: expected an object with one key, its kind, found \"flatten\", \"dropout\"\n  help: give each an object of its own: {\"flatten\": …}, {\"dropout\": …}",
    );
    only(
        "{\"flatten\": {}}",
        "\"flatten\"",
        "model.layers[0]: expected an object with one key, its kind, found the text \"flatten\"\n  help: write {\"flatten\": {}}",
    );
    only(
        "\"batch_size\": 128",
        "\"batch_size\": \"20\"",
        "train.batch_size: expected a whole number, found the text \"20\"\n  help: write 20 without quotes",
    );
    only("\"batch_size\": 128", "\"batch_size\": 12.5", "train.batch_size: expected a whole number, found 12.5\n  help: write such as 128");
    only(
        "\"worker\": { \"count\": 2, \"cpus\": 1, \"mem\": 1024 }",
        "\"worker\": [1, 1, 100, 3]",
        "worker: expected an object, found a list of 4\n  help: write such as {\"count\": 2}",
    );
    only(
        "\"relu\"",
        "\"relo\"",
        "model.layers[1].dense.activation: expected \"relu\", \"tanh\", \"sigmoid\" or \"gelu\", found the text \"relo\"\n  help: did you mean \"relu\"?",
    );
    only(
        "[\"accuracy\"]",
        "\"accuracy\"",
        "model.metrics: expected a list, found the text \"accuracy\"\n  help: put it into [ ]: write such as [\"accuracy\"]",
    );
    only("\"seed\": 7", "\"seed\": 7, \"seed\": 8", "train.seed: occurs twice\n  help: remove one of them");
    only("0.001", "1e999", "train.optimizer.adam.learning_rate: 1e999 is no number that can be held\n  help: write such as 0.001 or 1e-3");
    only(
        "[0, 8000]",
        "[0, 8000, 1]",
        "data.train.records: expected [from, to], two whole numbers, found a list of 3\n  help: write such as [0, 8000]",
    );
    only("\"epochs\": 10, ", "", "train.epochs: is missing\n  help: add \"epochs\": 10");
}

#[test]
fn a_file_without_a_job_is_told_what_one_is() {
    let error = |text: &str| parse("bad.json", text).unwrap_err().to_string();
    assert!(error("").starts_with("bad.json:1:1: there is nothing in it\n  help: write a job"), "{}", error(""));
    assert!(error("[]").starts_with("bad.json:1:1: expected an object, found an empty list\n  help: "), "{}", error("[]"));
    assert_eq!(error("[]").matches("help: ").count(), 1, "{}", error("[]"));
    let empty = error("{}");
    assert_eq!(empty.matches("help: ").count(), 5, "{empty}");
    for name in ["name", "model", "data", "train", "output"] {
        assert!(empty.contains(&format!("bad.json:1:1: {name}: is missing\n  help: add \"{name}\": ")), "{empty}");
    }
    assert!(error("{\"name\" \"m\"}").contains("bad.json:1:9: not JSON: expected colon"), "{}", error("{\"name\" \"m\"}"));
}

#[test]
fn one_problem_hides_no_other() {
    let text = GOOD
        .replace("\"seed\": 7", "\"foo\": 1")
        .replace("\"epochs\": 10", "\"epochs\": 0")
        .replace("\"count\": 2", "\"count\": 9")
        .replace("\"idx\"", "7");
    let problems = parse("job.json", &text).unwrap_err().problems;
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["data.format", "train.epochs", "train.foo", "worker.count"]);
}

#[test]
fn what_hangs_on_a_wrong_field_is_not_judged() {
    let paths = |from: &[(&str, &str)]| -> Vec<String> {
        let text = from.iter().fold(GOOD.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
        parse("job.json", &text).unwrap_err().problems.into_iter().map(|problem| problem.path).collect()
    };
    assert_eq!(paths(&[("\"micro_batches\": 4", "\"micro_batches\": true"), ("\"count\": 2", "\"count\": 9")]), ["train.micro_batches"]);
    assert_eq!(paths(&[("\"batch_size\": 128", "\"batch_size\": null")]), ["train.batch_size"]);
    assert_eq!(
        paths(&[("\"labels\": \"l.gz\"", "\"labels\": 5"), ("\"images\": \"i.gz\"", "\"images\": [\"i\", \"j\", \"k\"]")]),
        ["data.train.labels"]
    );
    assert_eq!(paths(&[("\"loss\"", "\"lose\"")]), ["model.lose"]);
    assert_eq!(paths(&[("\"layers\"", "\"layer\"")]), ["model.layer"]);
}

#[test]
fn layers_are_checked_without_data() {
    let layers = r#"[ {"dropout": {"rate": 1}}, {"dense": {"units": 0}},
        {"conv2d": {"filters": 0, "kernel": [3, 0], "stride": 0, "groups": 0}}, {"batch_norm": {"momentum": 1, "epsilon": 0}},
        {"max_pool2d": {"size": 0}}, {"layer_norm": {"epsilon": 1e39}},
        {"reshape": {"shape": [2, 0]}}, {"reshape": {"shape": []}}, {"embedding": {"dim": 0, "vocabulary": 16777217}},
        {"embedding_bag": {"dim": 1, "vocabulary": 0}} ]"#;
    let good = r#"[ {"flatten": {}}, {"dense": {"units": 256, "activation": "relu"}}, {"dense": {"units": 10}} ]"#;
    assert!(GOOD.contains(good));
    let problems = parse("job.json", &GOOD.replace(good, layers)).unwrap_err();
    let paths: Vec<&str> = problems.problems.iter().map(|problem| problem.path.as_str()).collect();
    let expected = ["0].dropout.rate", "1].dense.units", "2].conv2d.filters", "2].conv2d.kernel", "2].conv2d.stride", "2].conv2d.groups"];
    let expected =
        expected.iter().chain(&["3].batch_norm.momentum", "3].batch_norm.epsilon", "4].max_pool2d.size", "5].layer_norm.epsilon"]);
    let expected = expected.chain(&["6].reshape.shape", "7].reshape.shape", "8].embedding.dim", "8].embedding.vocabulary"]);
    let expected = expected.chain(&["9].embedding_bag.vocabulary"]);
    assert_eq!(paths, expected.map(|path| format!("model.layers[{path}")).collect::<Vec<_>>());
    let text = problems.to_string();
    assert!(
        text.contains("job.json:6:35: model.layers[2].conv2d.kernel: [3, 0] is not from 1 to 4096 in both directions\n  help:"),
        "{text}"
    );
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let check = |from, to, has: &str| assert!(error(from, to).contains(has), "{}", error(from, to));
    check("0.001", "1e39", "train.optimizer.adam.learning_rate: 1");
    check("0.001", "1e-60", "train.optimizer.adam.learning_rate: 0.");
    check("0.001", "0", "learning_rate: 0 is not above 0");
    check("\"mem\": 1024", "\"mem\": 0", "worker.mem: no task runs in 0 MB");
    check("\"idx\",", "\"idx\", \"missing\": [\"?\"],", "data.missing: idx has no texts");
    check("\"micro_batches\": 4", "\"micro_batches\": 1", "2 workers, but a step has only 1 micro-batch: ");
}

#[test]
fn places_that_are_not_there_yet_are_refused_by_name() {
    let check = |from, to, has: &str| assert!(error(from, to).contains(has), "{}", error(from, to));
    check("\"dir\": \"out\"", "\"dir\": \"s3a://bucket/out\"", "output.dir: files cannot be written to s3a://");
    for root in ["hdfs:///", "hdfs://nn", "hdfs://nn:8020//", "file:///"] {
        let said = error("\"dir\": \"out\"", &format!("\"dir\": \"{root}\""));
        assert!(said.contains("output.dir: it is the root of a file system"), "{said}");
    }
    let resolved = |dir: &str| {
        let mut job = parse("job.json", &GOOD.replace("\"dir\": \"out\"", &format!("\"dir\": \"{dir}\""))).unwrap();
        job.resolve("/base");
        job.output.dir
    };
    assert_eq!(
        ["hdfs://default/out", "HDFS:///out", "file:///out", "out"].map(resolved),
        ["hdfs://default/out", "HDFS:///out", "/out", "/base/out"]
    );
    check("\"images\": \"i.gz\"", "\"images\": [\"i.gz\", \"s3a://bucket/i\"]", "data.train.images: data cannot be read from s3a://");
    for there in ["hdfs://default/i", "VIEWFS://c/i", "file:///i"] {
        parse("job.json", &GOOD.replace("i.gz", there)).unwrap();
    }
}

#[test]
fn many_problems_are_counted() {
    let text = GOOD.replace("[\"accuracy\"]", &format!("[{}]", vec!["1"; 5000].join(",")));
    let problems = parse("job.json", &text).unwrap_err();
    assert!(problems.problems.len() <= 1000 && problems.to_string().ends_with("\nand 980 more"), "{}", problems.problems.len());
}

#[test]
fn a_field_is_found_by_its_path() {
    assert_eq!(place_of(GOOD, "train.epochs"), Some((13, 53)));
    assert_eq!(place_of(GOOD, "model.layers[2]"), Some((5, 83)));
    assert_eq!(place_of(GOOD, "data.train.files"), Some((10, 5)));
    assert_eq!(place_of("{", "x"), None);
}

#[test]
fn graphs_are_checked_without_data() {
    let good = "[ {\"flatten\": {}}, {\"dense\": {\"units\": 256, \"activation\": \"relu\"}}, {\"dense\": {\"units\": 10}} ]";
    let layers = r#"[ {"name": "a", "input": "b", "flatten": {}}, {"name": "b", "input": "featurs", "flatten": {}},
        {"name": "a", "input": [], "flatten": {}}, {"add": {}}, {"input": "numbers", "dense": {"units": 10}} ]"#;
    let text = GOOD.replacen(good, layers, 1);
    assert_ne!(text, GOOD);
    let problems = parse("job.json", &text).unwrap_err();
    let found: Vec<String> = problems.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
    let expected = [
        "model.layers[0]: no layer sees what \"a\" gives",
        "model.layers[0].input: \"b\" is no layer before this one",
        "model.layers[1]: no layer sees what \"b\" gives",
        "model.layers[1].input: \"featurs\" is no layer before this one",
        "model.layers[2].name: layer 0 is called \"a\" too",
        "model.layers[2].input: flatten has an empty list of inputs",
        "model.layers[3]: add needs several inputs",
        "model.layers[3]: no layer sees what \"add_3\" gives",
        "model.layers[4].input: \"numbers\" is no layer before this one",
    ];
    let (mut found, mut expected) = (found, expected.map(str::to_owned));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn groups_name_layers_once_and_have_one_round() {
    let with = |sync: &str, groups: &str| GOOD.replacen("\"seed\": 7", &format!("\"seed\": 7, \"sync\": {sync}, \"groups\": {groups}"), 1);
    let group = |layers: &str, sync: &str| format!("{{\"layers\": {layers}, \"sync\": {sync}}}");
    let (ssp, local) = ("{\"ssp\": {\"staleness\": 3}}", "{\"local\": {\"every\": 8}}");
    let fine = parse("job.json", &with(ssp, &format!("[{}]", group("[\"dense_1\"]", local)))).unwrap();
    assert_eq!(fine.train.groups, [LayerGroup { layers: vec!["dense_1".into()], sync: Sync::Local { every: 8, momentum: 0.0 } }]);
    let error =
        |sync: &str, groups: &[String]| parse("job.json", &with(sync, &format!("[{}]", groups.join(", ")))).unwrap_err().to_string();
    let likely = error(ssp, &[group("[\"dense_l\"]", local)]);
    assert!(
        likely.contains(": train.groups[0].layers[0]: there is no layer called \"dense_l\"\n  help: did you mean \"dense_1\"?"),
        "{likely}"
    );
    assert!(likely.starts_with("job.json:"), "with its place: {likely}");
    let far = error(ssp, &[group("[\"embedding\"]", local)]);
    assert!(far.contains("help: name one of \"flatten_0\", \"dense_1\""), "{far}");
    let twice = error(ssp, &[group("[\"dense_1\"]", local), group("[\"dense_1\"]", ssp)]);
    assert!(twice.contains("train.groups[1].layers[0]: \"dense_1\" is in train.groups[0] already\n  help: remove it"), "{twice}");
    let none = error(ssp, &[group("[]", local)]);
    assert!(none.contains("train.groups[0].layers: there are no layers in it\n  help: name at least one, or remove the group"), "{none}");
    let rounds = error("{\"local\": {\"every\": 5}}", &[group("[\"dense_1\"]", local)]);
    assert!(rounds.contains("train.groups[0].sync.local.every: it is 8, and that of train.sync is 5"), "{rounds}");
    let zero = error(ssp, &[group("[\"dense_1\"]", "{\"ssp\": {\"staleness\": 0}}")]);
    assert!(zero.contains("train.groups[0].sync.ssp.staleness: 0 batches"), "{zero}");
    let field = error(ssp, &["{\"layers\": [\"dense_1\"], \"synk\": \"bsp\"}".into()]);
    assert!(field.contains("train.groups[0].synk: there is no such field\n  help: did you mean \"sync\"?"), "{field}");
}

#[test]
fn modes_have_rules_of_their_own() {
    let with = |sync: &str| GOOD.replacen("\"seed\": 7", &format!("\"seed\": 7, \"sync\": {sync}"), 1);
    let read = |text: &str| parse("job.json", text);
    let sync = |sync: &str| read(&with(sync)).map(|job| job.train.sync);
    assert_eq!(sync("\"bsp\""), Ok(Sync::Bsp));
    assert_eq!(sync("{\"async\": {}}"), Ok(Sync::Async {}));
    assert_eq!(sync("{\"ssp\": {\"staleness\": 3}}"), Ok(Sync::Ssp { staleness: 3 }));
    assert_eq!(sync("{\"local\": {\"every\": 8}}"), Ok(Sync::Local { every: 8, momentum: 0.0 }));
    let error = |text: &str| read(text).unwrap_err().to_string();
    assert!(error(&with("{\"ssp\": {\"staleness\": 0}}")).contains("train.sync.ssp.staleness: 0 batches"));
    let local = error(&with("{\"local\": {\"every\": 0, \"momentum\": 1}}"));
    assert!(local.contains("train.sync.local.every: 0 batches") && local.contains("train.sync.local.momentum: 1 is not from 0"), "{local}");
    let clipped = error(&with("{\"async\": {}}, \"clip_norm\": 1"));
    assert!(clipped.contains("train.clip_norm: in async there is no step whose gradient"), "{clipped}");
    let several = error(&with("{\"async\": {}, \"local\": {\"every\": 2}}"));
    assert!(several.contains("train.sync"), "{several}");
    let many = |sync: &str| read(&with(sync).replacen("\"count\": 2", "\"count\": 5", 1));
    assert!(many("\"bsp\"").is_err() && many("{\"async\": {}}").is_ok(), "lanes bound workers in bsp alone");
    assert!(error(&with("{\"async\": {}}").replacen("\"count\": 2", "\"count\": 1025", 1)).contains("more than 1024"));
}
