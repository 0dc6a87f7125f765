//! A job's whole life, with deaths of servers, DataNodes and the coordinator.

use super::place::{Place, job, quiet_bits};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Child;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

const EPOCHS: u32 = 20;

fn ended(place: &Place<'_>, submit: Child) -> String {
    let output = submit.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{}", place.lab.logs());
    text
}

#[test]
fn it_is_saved_restored_exported_resumed_and_used() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };
    let place = Place::of(&hadoop, "alice");
    let quiet = quiet_bits(EPOCHS);

    println!("servers, a DataNode and the coordinator die");
    let mut killed = job("killed", EPOCHS);
    killed["output"]["dir"] = json!(place.at("out").to_string());
    killed["checkpoint"] = json!({"every_steps": 40, "keep": 2});
    let submit = place.lab.spawn_submit(&killed);
    place.wait_for_checkpoint("out", "/checkpoints", 40);
    place.lab.wait_for_task("ps-0").signal(Signal::KILL);
    place.wait_for_checkpoint("out", "/checkpoints", 160);
    hadoop.command("kill-datanode 2");
    place.wait_for_checkpoint("out", "/checkpoints", 240);
    place.lab.kill_coordinator();
    let text = ended(&place, submit);
    assert!(text.contains("went back to the checkpoint at step") && text.contains("ps-0 is replaced"), "{text}");
    assert!(place.bits("out") == quiet, "the bits differ");
    hadoop.command("restart-datanode 2");

    println!("what is there is whole, and nothing else");
    let folder = place.only("out");
    let files = wait_for(60, "what was not finished is gone", || {
        let files = place.tree(&format!("out/{folder}"));
        files.iter().all(|file| !file.contains("/.") && !file.starts_with('.')).then_some(files)
    });
    for file in ["curve.csv", "model/metrics.json", "model/model.json", "model/model.safetensors"] {
        assert!(files.contains(&file.to_owned()), "{files:?}");
    }
    assert!(files.iter().any(|file| file.starts_with("tensorboard/events.out.tfevents.")), "{files:?}");
    assert_eq!(files.iter().filter(|file| file.starts_with("checkpoints/")).count(), 6, "two of two servers: {files:?}");

    println!("predict");
    let model = format!("{}/{folder}/model", place.at("out"));
    let local = place.lab.path().join("model");
    std::fs::create_dir(&local).unwrap();
    for name in ["model.json", "model.safetensors"] {
        std::fs::write(local.join(name), place.read(&format!("out/{folder}/model/{name}"))).unwrap();
    }
    let predict = |model: &str| {
        let output = place.lab.run(&["predict", model, "--data", "images.idx", "--labels", "labels.idx", "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(predict(&model), predict(local.to_str().unwrap()));
    let missing = place.lab.run(&["predict", &format!("{model}s"), "--data", "images.idx"]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(missing.status.code() == Some(2) && said.contains("it is not there: check the path"), "{said}");
    assert_eq!(said.matches("it is not there").count(), 1, "no cause is said twice: {said}");

    println!("resume");
    let longer = quiet_bits(EPOCHS + 4);
    killed["train"]["epochs"] = json!(EPOCHS + 4);
    let path = place.lab.write_job(&killed);
    let output = place.lab.run(&["submit", path.to_str().unwrap(), "--resume"]);
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), place.lab.logs());
    let resumed = place.names("out").into_iter().find(|name| *name != folder).unwrap();
    let bits = (place.read(&format!("out/{resumed}/model/model.safetensors")), place.read(&format!("out/{resumed}/curve.csv")));
    assert!(bits == longer, "the bits differ");
}
