//! Nothing is allocated in a step once memory is there.
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code)] // an allocator that counts

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Isa, Labels, Model, Options, Parameters, StepKey, Workspace};
use tfcoord_types::job::Input;

struct Counting;

// Of all threads: there are the test's own and the models', and no harness beside them.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// Every layer.
const PICTURES: &str = r#"{"layers": [
    {"conv2d": {"filters": 12, "kernel": 3, "padding": "same"}}, {"conv2d": {"filters": 16, "kernel": 3, "activation": "gelu"}},
    {"conv2d": {"filters": 4, "kernel": 3, "padding": "same", "activation": "relu"}}, {"batch_norm": {}},
    {"conv2d": {"filters": 4, "kernel": 3, "padding": "same", "groups": 4}}, {"conv2d": {"filters": 6, "kernel": 1, "groups": 2}},
    {"max_pool2d": {"size": 2}}, {"conv2d": {"filters": 3, "kernel": [2, 3], "stride": [1, 2]}}, {"activation": "tanh"},
    {"average_pool2d": {"size": 2, "stride": 1}}, {"flatten": {}}, {"layer_norm": {}}, {"dropout": {"rate": 0.2}},
    {"dense": {"units": 9, "activation": "gelu"}}, {"dense": {"units": 5}}], "loss": "softmax_cross_entropy",
    "metrics": ["confusion_matrix"]}"#;

const RECURRENT: &str = r#"{"layers": [{"reshape": {"shape": [30, 62]}}, {"lstm": {"units": 9, "sequences": true}}, {"gru": {"units": 5}}],
    "loss": "softmax_cross_entropy"}"#;
const TOKENS: &str = r#"{"layers": [{"flatten": {}}, {"embedding": {"dim": 3, "vocabulary": 17}}, {"reshape": {"shape": [1, 60, 93]}},
    {"max_pool2d": {"size": 5}}, {"flatten": {}}, {"dense": {"units": 5, "init": "he"}}], "loss": "softmax_cross_entropy"}"#;
const BAG: &str = r#"{"layers": [{"flatten": {}}, {"embedding_bag": {"dim": 3, "vocabulary": 17, "mode": "mean"}}, {"dense": {"units": 5}}],
    "loss": "softmax_cross_entropy"}"#;
const BINARY: &str = r#"{"layers": [{"batch_norm": {}}, {"flatten": {}}, {"dense": {"units": 1, "activation": "tanh"}}],
    "loss": "binary_cross_entropy"}"#;
// Layers that see several others.
const JOINED: &str = r#"{"layers": [{"name": "a", "input": "features", "conv2d": {"filters": 2, "kernel": 1}},
    {"residual": {"layers": [{"activation": "tanh"}]}}, {"input": ["a", "residual_1", "features"], "batch_norm": {}},
    {"conv2d": {"filters": 2, "kernel": 1}}], "loss": "reconstruction"}"#;

const SHAPE: [u32; 3] = [2, 30, 31];

// Features from 0 to below 17 times `scale`.
fn batch(records: usize, classes: u32, scale: f32) -> Batch {
    let values = records * SHAPE.iter().product::<u32>() as usize;
    let features = (0..values).map(|n| (n % 17) as f32 * scale).collect();
    let labels = Labels::Classes((0..classes).cycle().take(records).collect());
    Batch::new(records, Buffers { features, labels, indices: Vec::new() }).unwrap()
}

// How many allocations there are while `work` is done.
fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let done = work();
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    drop(done);
    allocations
}

fn check(json: &str, (classes, scale): (u32, f32), threads: usize) {
    let options = Options { threads, train_records: 0, isa: Isa::detect() };
    let model = Model::new(&serde_json::from_str(json).unwrap(), &Input::plain(&SHAPE, classes), options).unwrap();
    let parameters = Parameters::new(model.variables()).unwrap();
    let (large, small) = (batch(40, classes, scale), batch(3, classes, scale));
    let mut workspace = Workspace::default();
    let mut train = |batch: &Batch, step: u64| {
        let key = StepKey { seed: 1, epoch: 0, step, lane: 0 };
        allocations(|| model.train(&parameters, batch, key, &mut workspace, &mut |_, _| ()).unwrap())
    };
    assert!(train(&large, 0) > 0, "memory has to come from somewhere");
    for step in 1..100 {
        let allocations = train(if step % 7 == 0 { &small } else { &large }, step);
        assert_eq!(allocations, 0, "step {step} of {json} with {threads} threads");
    }
    for batch in [&large, &small] {
        // What they give: a confusion matrix if it is asked for, and the predictions with the scores of each.
        let evaluated = allocations(|| model.evaluate(&parameters, batch, &mut workspace).unwrap());
        assert_eq!(evaluated, usize::from(json.contains("confusion_matrix")), "an evaluation of {json} with {threads} threads");
        let scores = if json.contains("reconstruction") { 0 } else { batch.records() };
        let predicted = allocations(|| model.predict(&parameters, batch, &mut workspace).unwrap());
        assert_eq!(predicted, 1 + scores, "predictions of {json} with {threads} threads");
    }
}

// Without a harness: its thread would allocate beside this one now and then.
fn main() {
    for threads in [1, 2, 3] {
        for (json, classes, scale) in
            [(PICTURES, 5, 0.1), (RECURRENT, 5, 0.1), (TOKENS, 5, 1.0), (BAG, 5, 1.0), (BINARY, 2, 0.1), (JOINED, 2, 0.1)]
        {
            check(json, (classes, scale), threads);
        }
    }
    println!("nothing is allocated in a step");
}
