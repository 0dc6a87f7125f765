use super::*;
use tfcoord_types::order::Span;

fn set(first: u64, records: u64) -> DataSet {
    DataSet { files: Vec::new(), first, records }
}

fn part(name: &str, length: u64, records: Range<u64>) -> Part {
    Part { at: Location::parse(&format!("hdfs://nn:1/{name}"), None).unwrap(), length, records, packed: false }
}

fn held(bytes: Range<u64>, hosts: &[&str]) -> Held {
    Held { bytes, hosts: hosts.iter().map(|host| (*host).to_owned()).collect() }
}

// What each host holds of records `0..half` and `half..`.
fn halves(holders: &Holders, records: u64) -> Vec<(u64, Vec<u64>)> {
    let half = records / 2;
    let of = |range: Range<u64>| {
        let taken = range.end - range.start;
        let weight = holders.weigh(records, [Span { records: range, taken }]);
        (weight.bytes, weight.held)
    };
    vec![of(0..half), of(half..records)]
}

#[test]
fn blocks_are_held_by_the_runs_whose_records_they_have() {
    // Two files; the first ten records of all are not used. Blocks end within files and within runs.
    let parts = [part("a", 4000, 0..40), part("b", 6000, 40..100)];
    let ask = |part: &Part| {
        let first = part.at.to_string().ends_with("/a");
        Ok(Some(if first {
            vec![held(0..2500, &["x"]), held(2500..4000, &["y", "x"])]
        } else {
            vec![held(0..1500, &["z"]), held(1500..6000, &["y"])]
        }))
    };
    let holders = gather(&set(10, 90), &parts, ask).unwrap();
    assert_eq!((holders.hosts.join(" "), holders.runs.len()), ("x y z".into(), 90));
    // Records 10..55 are 3000 bytes of a (1500 of x alone, 1500 of both), and 1500 of b.
    assert_eq!(halves(&holders, 90), [(4500, vec![3000, 1500, 1500]), (4500, vec![0, 4500, 0])]);
}

#[test]
fn what_is_packed_or_not_told_is_held_by_nobody() {
    let packed = Part { packed: true, ..part("a", 1000, 0..10) };
    let parts = [packed, part("b", 1000, 10..20)];
    let asked = |part: &Part| if part.packed { panic!("it is read whole by all") } else { Ok(None) };
    let holders = gather(&set(0, 20), &parts, asked).unwrap();
    assert_eq!(halves(&holders, 20), [(1000, vec![]), (1000, vec![])]);
}

#[test]
fn a_stranger_s_hosts_are_few_and_those_that_hold_most() {
    let long = "h".repeat(HOST_BYTES_MAX + 1);
    let hosts =
        |block: u64| (0..40).map(move |n| format!("h{:05}", (block * 7 + n) % 4000)).chain([long.clone(), String::new(), "all".into()]);
    let ask =
        |_: &Part| Ok(Some((0..6000).map(|block| Held { bytes: block * 10..block * 10 + 10, hosts: hosts(block).collect() }).collect()));
    let holders = gather(&set(0, 6000), &[part("a", 60_000, 0..6000)], ask).unwrap();
    assert_eq!((holders.hosts.len(), holders.runs.len() as u64), (HOSTS_MAX, RUNS_MAX));
    assert!(holders.hosts.contains(&"all".to_owned()) && !holders.hosts.contains(&long));
    assert!(holders.runs.iter().all(|run| run.held.len() <= RUN_HOSTS_MAX && run.held.iter().any(|(_, bytes)| *bytes == run.bytes)));
    assert!(serde_json::to_string(&holders).unwrap().len() < 200_000);
}

#[test]
fn data_of_this_machine_are_held_by_nobody_in_particular() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::new(tfcoord_fs::FileSystems::of_environment(), dir.path());
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "format": "csv", "eval": null, "input": [1], "label": "number", "columns": [], "scale": 1.0,
        "train": {"first": 0, "records": 4, "files": [{
            "path": "/d/a.csv", "labels": null, "length": 9, "modified_ns": 1, "labels_length": 0, "labels_modified_ns": 0, "records": 4
        }]},
    }))
    .unwrap();
    assert!(holders(&manifest, &files).unwrap().is_none());
}
