//! Where HDFS refuses: what is said, and what goes on.

use super::place::{Place, job};
use serde_json::{Value, json};
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};

fn said(place: &Place<'_>, job: &Value) -> (bool, String) {
    let path = place.lab.write_job(job);
    let output = place.lab.run(&["submit", path.to_str().unwrap()]);
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

fn ended(place: &Place<'_>, id: &str) -> Value {
    wait_for(300, "the job's end", || {
        let status = place.lab.status(id);
        (status["state"] == "succeeded" || status["state"] == "failed").then_some(status)
    })
}

#[test]
fn it_is_said_before_the_training_or_the_training_goes_on() {
    let Some(hadoop) = Hadoop::start(Form::new(Security::Simple)) else { return };

    println!("permission");
    let bob = Place::of(&hadoop, "bob");
    for field in ["output", "checkpoint"] {
        let mut job = job("denied", 1);
        job[field]["dir"] = json!(bob.at("of-bob").to_string());
        let (done, text) = said(&bob, &job);
        let through = format!(" (NameNode localhost:{}", hadoop.rpc_port(0));
        assert!(!done && text.contains(&format!("{field}.dir: cannot make hdfs://")), "{text}");
        assert!(
            text.contains(&through)
                && text.contains("user=bob")
                && text.contains("permission denied")
                && text.contains("help: ask the owner for access"),
            "{text}"
        );
    }

    println!("a folder that is there already");
    let alice = Place::of(&hadoop, "alice");
    let mut taken = job("taken", 1);
    taken["output"]["dir"] = json!(alice.at("out").to_string());
    // Jobs are numbered by the log's entries: the first one is the second.
    hadoop.command("set-quota /user/alice -1");
    let made = hadoop.dfs("alice", &["-mkdir", "-p", "/user/alice/out/taken-2/model"]);
    assert!(made.status.success(), "{made:?}");
    let (done, text) = said(&alice, &taken);
    assert!(!done && text.contains("taken-2 is there already, and its content is not this job's"), "{text}");
    assert_eq!(alice.names("out/taken-2"), ["model"], "nothing in it is touched");

    println!("a quota that only checkpoints come up against");
    let alice = Place::of(&hadoop, "alice");
    let mut full = job("full", 8);
    full["checkpoint"] = json!({"every_steps": 20, "dir": alice.at("small").to_string()});
    let made = hadoop.dfs("alice", &["-mkdir", "-p", "/user/alice/small/full-2"]);
    assert!(made.status.success(), "{made:?}");
    let path = alice.lab.write_job(&full);
    let id = alice.lab.submit_detached(&full);
    assert_eq!(id, "full-2", "{}", path.display());
    alice.lab.wait_for_step();
    hadoop.command("set-quota /user/alice/small/full-2 1");
    let status = ended(&alice, &id);
    hadoop.command("set-quota /user/alice/small/full-2 -1");
    assert_eq!(status["state"], "succeeded", "{status}\n{}", alice.lab.logs());
    let logs = alice.lab.logs();
    assert!(logs.contains("is not written: cannot write hdfs://") && logs.contains("a quota is used up"), "{logs}");

    println!("a quota that the results come up against");
    let alice = Place::of(&hadoop, "alice");
    let mut narrow = job("narrow", 8);
    narrow["output"]["dir"] = json!(alice.at("narrow").to_string());
    let id = alice.lab.submit_detached(&narrow);
    alice.lab.wait_for_step();
    hadoop.command("set-quota /user/alice/narrow 1");
    let status = ended(&alice, &id);
    let reason = status["reason"].to_string();
    assert!(status["state"] == "failed" && reason.contains("/user/alice/narrow/narrow-2/"), "{status}\n{}", alice.lab.logs());
    assert!(reason.contains(" as alice (NameNode localhost:") && reason.contains("a quota is used up: "), "{reason}");
    assert!(reason.contains("hdfs dfsadmin -setSpaceQuota"), "{reason}");
}
