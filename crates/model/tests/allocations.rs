//! Nothing is allocated in a step once memory is there.
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code)] // an allocator that counts

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tfcoord_model::batch::Buffers;
use tfcoord_model::{Batch, Isa, Labels, Model, Options, Parameters, StepKey, Workspace};
use tfcoord_types::job::Input;

struct Counting;

thread_local! {
    // Of this thread alone: the test's own harness allocates beside it.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: the system's allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
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

// Every layer, in three models: an embedding is the first one.
const PICTURES: &str = r#"{"layers": [
    {"conv2d": {"filters": 4, "kernel": 3, "padding": "same", "activation": "relu"}}, {"batch_norm": {}},
    {"conv2d": {"filters": 4, "kernel": 3, "padding": "same", "groups": 4}}, {"conv2d": {"filters": 6, "kernel": 1, "groups": 2}},
    {"max_pool2d": {"size": 2}}, {"conv2d": {"filters": 3, "kernel": [2, 3], "stride": [1, 2]}}, {"activation": "tanh"},
    {"average_pool2d": {"size": 2, "stride": 1}}, {"flatten": {}}, {"layer_norm": {}}, {"dropout": {"rate": 0.2}},
    {"dense": {"units": 9, "activation": "gelu"}}, {"dense": {"units": 5}}], "loss": "softmax_cross_entropy"}"#;

const RECURRENT: &str =
    r#"{"layers": [{"lstm": {"units": 9, "sequences": true}}, {"gru": {"units": 5}}], "loss": "softmax_cross_entropy"}"#;
const TOKENS: &str = r#"{"layers": [{"reshape": {"shape": [20, 11]}}, {"flatten": {}}, {"embedding": {"dim": 3, "vocabulary": 17}},
    {"reshape": {"shape": [1, 60, 11]}}, {"max_pool2d": {"size": 5}}, {"flatten": {}}, {"dense": {"units": 5, "init": "he"}}],
    "loss": "softmax_cross_entropy"}"#;
const BAG: &str = r#"{"layers": [{"embedding_bag": {"dim": 3, "vocabulary": 17, "mode": "mean"}}, {"dense": {"units": 5}}],
    "loss": "softmax_cross_entropy"}"#;

// Features from 0 to below 17 times `scale`.
fn batch(records: usize, scale: f32) -> Batch {
    let features = (0..records * 220).map(|n| (n % 17) as f32 * scale).collect();
    let labels = Labels::Classes((0..5).cycle().take(records).collect());
    Batch::new(records, Buffers { features, labels, indices: Vec::new() }).unwrap()
}

#[test]
fn a_step_allocates_nothing() {
    check(PICTURES, &[2, 10, 11], 1.0 / 17.0);
    check(RECURRENT, &[22, 10], 1.0 / 17.0);
    check(TOKENS, &[220], 1.0);
    check(BAG, &[220], 1.0);
}

fn check(json: &str, input: &[u32], scale: f32) {
    let options = Options { threads: 1, train_records: 0, isa: Isa::detect() };
    let model = Model::new(&serde_json::from_str(json).unwrap(), &Input::plain(input, 5), options).unwrap();
    let parameters = Parameters::new(model.variables()).unwrap();
    let (large, small) = (batch(18, scale), batch(3, scale));
    let mut workspace = Workspace::default();
    let mut train = |batch: &Batch, step: u64| {
        let key = StepKey { seed: 1, epoch: 0, step, lane: 0 };
        let before = ALLOCATIONS.get();
        model.train(&parameters, batch, key, &mut workspace, &mut |_, _| ()).unwrap();
        ALLOCATIONS.get() - before
    };
    assert!(train(&large, 0) > 0, "memory has to come from somewhere");
    for step in 1..100 {
        assert_eq!(train(if step % 7 == 0 { &small } else { &large }, step), 0, "step {step} of {json}");
    }
}
