//! What a worker takes of memory is what the plan said, and does not grow.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tfcoord_testkit::deadline::wait_for;
use tfcoord_testkit::{Lab, idx, job};

// What was seen of each worker: its peak, and what was resident by step.
#[derive(Default)]
struct Seen {
    peak: u64,
    resident: Vec<u64>,
}

// Runs a job to its end; gives the job as it is then, and what was seen of its workers.
fn run(lab: &Lab, job: &Value) -> (Value, BTreeMap<String, Seen>) {
    let workers: Vec<String> = (0..job["worker"]["count"].as_u64().unwrap()).map(|n| format!("worker-{n}")).collect();
    // A job is over before its workers have left: the last job's would be taken for this one's.
    let left = || workers.iter().all(|worker| lab.task(worker).is_empty()).then_some(());
    wait_for(60, "the end of the last job's workers", left);
    let path = lab.write_job(job);
    let out = std::fs::File::create(lab.path().join("job-in-the-end")).unwrap();
    let mut submit = lab.tfcoord(&["submit", path.to_str().unwrap(), "-o", "json"]).stdout(out).spawn().unwrap();
    let (mut processes, mut seen) = (BTreeMap::new(), BTreeMap::<String, Seen>::new());
    let status = wait_for(300, "the job's end", || {
        for worker in &workers {
            if !processes.contains_key(worker) {
                lab.task(worker).into_iter().next().map(|process| processes.insert(worker.clone(), process));
            }
            let Some(process) = processes.get(worker) else { continue };
            let (Some(peak), Some(resident)) = (process.memory("VmHWM"), process.memory("VmRSS")) else {
                // It has ended: perhaps it was the job's before.
                processes.remove(worker);
                continue;
            };
            let seen = seen.entry(worker.clone()).or_default();
            seen.peak = seen.peak.max(peak);
            seen.resident.push(resident);
        }
        submit.try_wait().unwrap()
    });
    assert!(status.success(), "{status}\n{}", lab.logs());
    let text = std::fs::read_to_string(lab.path().join("job-in-the-end")).unwrap();
    (serde_json::from_str(&text).unwrap(), seen)
}

fn check(lab: &Lab, mut job: Value) {
    for workers in [1, 2] {
        job["worker"]["count"] = json!(workers);
        let (done, seen) = run(lab, &job);
        let planned = done["plan"]["worker_bytes"].as_u64().unwrap();
        // Workers whose lanes are fewer take less: the plan is of the one that takes most.
        assert_eq!(seen.len(), workers, "every worker was seen");
        let peak = seen.values().map(|seen| seen.peak).max().unwrap();
        let off = (peak as f64 - planned as f64) / planned as f64;
        eprintln!("{} with {workers}: planned {planned} bytes, took {peak}: {:+.1} %", job["name"], off * 100.0);
        assert!(off.abs() <= 0.1, "{} with {workers} workers: planned {planned} bytes, took {peak}", job["name"]);
    }
}

fn pictures(name: &str, layers: Value) -> Value {
    let mut job = job::pictures(name, layers, 2000, 400);
    (job["train"]["batch_size"], job["train"]["epochs"]) = (json!(128), json!(3));
    job["parameter_server"] = json!({"count": 1});
    job
}

fn lab() -> Lab {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 2400, 28, 10, 1);
    lab
}

#[test]
fn of_dense_layers() {
    let layers = |units: u32| json!([{"flatten": {}}, {"dense": {"units": units, "activation": "relu"}}, {"dense": {"units": 10}}]);
    let lab = lab();
    check(&lab, pictures("small", layers(16)));
    check(&lab, pictures("large", layers(2048)));
}

#[test]
fn of_convolutions() {
    let convolution = |filters: u32| json!({"conv2d": {"filters": filters, "kernel": 3, "padding": "same", "activation": "relu"}});
    let pool = json!({"max_pool2d": {"size": 2}});
    let layers = json!([
        convolution(32), pool, convolution(64), pool, {"flatten": {}}, {"dense": {"units": 128, "activation": "relu"}}, {"dense": {"units": 10}}
    ]);
    check(&lab(), pictures("cnn", layers));
}

#[test]
fn of_recurrent_layers() {
    check(&lab(), pictures("lstm", json!([{"reshape": {"shape": [28, 28]}}, {"lstm": {"units": 256}}, {"dense": {"units": 10}}])));
}

fn table(dir: &Path) -> Value {
    let row = |n: u32| format!("{}.5,{},{},{}\n", n % 17, n * 7919 % 997, n % 50, n % 2);
    std::fs::write(dir.join("table.csv"), (0..5000).fold("a,b,c,y\n".to_owned(), |text, n| text + &row(n))).unwrap();
    let source = |from: u32, to: u32| json!({"files": "table.csv", "records": [from, to]});
    json!({
        "name": "table",
        "model": {"layers": [
            {"name": "rows", "input": "categories", "embedding": {"dim": 16, "vocabulary": 50000}},
            {"name": "flat", "flatten": {}},
            {"input": ["flat", "numbers"], "dense": {"units": 32, "activation": "relu"}},
            {"dense": {"units": 1}}
        ], "loss": "binary_cross_entropy"},
        "data": {"format": "csv", "train": source(0, 4000), "eval": source(4000, 5000),
            "features": [{"number": "a"}, {"index": "b"}, {"index": "c"}], "label": "y"},
        "train": {"batch_size": 128, "micro_batches": 4, "epochs": 3, "seed": 7, "optimizer": {"sgd": {"learning_rate": 0.01}}},
        "worker": {"count": 1},
        "output": {"dir": "out"}
    })
}

#[test]
fn of_embeddings() {
    let lab = Lab::new();
    let job = table(lab.path());
    check(&lab, job);
}

#[test]
fn over_5000_steps_nothing_grows() {
    let lab = Lab::new();
    idx::write_pictures(lab.path(), 800, 12, 4, 1);
    let mut job = job::pictures("steps", job::mlp_layers(), 800, 0);
    job["data"].as_object_mut().unwrap().remove("eval");
    job["train"]["epochs"] = json!(200);
    let (done, seen) = run(&lab, &job);
    assert_eq!(done["plan"]["steps_per_epoch"], json!(25));
    let resident = &seen["worker-0"].resident;
    assert!(resident.len() > 100, "the steps take seconds: it was looked at {} times", resident.len());
    // Steps take the same time: a tenth of the looks are 500 steps.
    let (early, late) = (resident[resident.len() / 10], *resident.iter().max().unwrap());
    eprintln!("after about 500 steps {early} bytes, at most {late}; {} looks", resident.len());
    // On a busy machine the allocator takes most of a megabyte more in a while; 500 bytes a step would be twice that.
    assert!(late < early + (2 << 20), "{early} bytes grew to {late}");
}
