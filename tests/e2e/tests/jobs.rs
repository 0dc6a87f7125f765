//! Jobs on real processes, from `tfcoord submit` to their outputs.
#![allow(clippy::unwrap_used, missing_docs)]

mod jobs {
    mod bad_input;
    mod bits;
    mod checkpoints;
    mod coordinator_death;
    mod death;
    mod detach;
    mod docs;
    mod exactly_once;
    mod example;
    mod fetched_examples;
    mod memory;
    mod modes;
    mod network;
    mod observed;
    mod parts;
    mod predict;
    mod scaling;
    mod tabular;
}
