//! The same records, wherever they lie.

use super::set::{Place, copy, home, start, systems, write};
use serde_json::{Value, json};
use tfcoord_data::{Preprocessing, Reader, RecordBatch, summary};
use tfcoord_fs::FileSystems;
use tfcoord_testkit::hadoop::Hadoop;
use tfcoord_types::manifest::Manifest;

// Data of both formats below `root`, named in all the ways there are.
fn ways(root: &str) -> [Value; 4] {
    let pictures = |images: Value, labels: Value| json!({"format": "idx", "train": {"images": images, "labels": labels}});
    let at = |name: &str| format!("{root}/{name}");
    let mut table = json!({"format": "csv", "label": "good", "train": {"files": at("tables/*")}});
    table["eval"] = json!({"files": [at("tables/b.csv.gz")], "records": [100, 3000]});
    [
        pictures(json!(at("images/a")), json!([at("labels/a")])),
        pictures(json!(at("images")), json!([at("labels/a"), at("labels/b*")])),
        json!({"format": "csv", "label": "good", "train": {"files": at("tables"), "records": [10, 8000]}}),
        table,
    ]
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.train.files.iter().map(|file| file.path.rsplit('/').next().unwrap()).collect()
}

fn same(place: &Place, hadoop: &Hadoop, here: &str, there: &str) {
    let machine = Place::of(systems(hadoop, "nobody"));
    for (here, there) in ways(here).iter().zip(ways(there)) {
        let (near, far) = (machine.prepare(here).unwrap(), place.prepare(&there).unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(summary(&near).1.records_digest, summary(&far).1.records_digest, "{there}");
        assert_eq!(names(&near), names(&far));
        let (near_records, far_records) = (machine.read(&near), place.read(&far));
        assert!(near_records == far_records, "{there}");
    }
}

#[test]
fn they_are_the_same_from_hdfs_as_from_this_machine() {
    let Some(hadoop) = start(false) else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let (here, there) = (dir.path().display().to_string(), home(&hadoop, "same"));
    copy(&hadoop, dir.path(), &there);
    let default = there.to_string().replace(&hadoop.url(), "hdfs://default");

    println!("by address");
    let alice = Place::of(systems(&hadoop, "alice"));
    same(&alice, &hadoop, &here, &there.to_string());
    println!("by the site's default");
    same(&alice, &hadoop, &here, &default);
    println!("by a name for this machine");
    same(&Place::of(systems(&hadoop, "alice")), &hadoop, &here, &format!("file://{here}"));
    println!("with room for one piece");
    same(&Place::narrow(systems(&hadoop, "alice"), 1), &hadoop, &here, &there.to_string());

    println!("predicted");
    let manifest = alice.prepare(&ways(&here)[3]).unwrap();
    let predicted = |root: &str| {
        let source = serde_json::from_value(ways(root)[3]["train"].clone()).unwrap();
        let mut reader = Reader::of_source(&Preprocessing::from(&manifest), &source, &alice.files).unwrap();
        let mut batch = RecordBatch::default();
        reader.read(&(0..reader.records()).collect::<Vec<_>>(), &mut batch).unwrap();
        batch
    };
    assert!(predicted(&here) == predicted(&there.to_string()));
}

#[test]
fn here_and_there_can_be_mixed() {
    let Some(hadoop) = start(false) else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let there = home(&hadoop, "mixed");
    copy(&hadoop, dir.path(), &there);
    let images = [dir.path().join("images/a").display().to_string(), there.join("images/b.gz").to_string()];
    let labels = [there.join("labels/a").to_string(), format!("file://{}/labels/b.gz", dir.path().display())];
    let place = Place::of(systems(&hadoop, "alice"));
    let manifest = place.prepare(&json!({"format": "idx", "train": {"images": images, "labels": labels}})).unwrap();
    let here = Place::of(FileSystems::of_environment());
    let all = here.prepare(&ways(&dir.path().display().to_string())[1]).unwrap();
    assert!(place.read(&manifest) == here.read(&all));
}
