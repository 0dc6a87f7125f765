//! Jobs on real processes, from `tfcoord submit` to their outputs.
#![allow(clippy::unwrap_used, missing_docs)]

mod jobs {
    mod bad_input;
    mod bits;
    mod chaos;
    mod checkpoints;
    mod coordinator_death;
    mod death;
    mod detach;
    mod disk_full;
    mod docs;
    mod exactly_once;
    mod example;
    mod fault_points;
    mod fetched_examples;
    mod groups;
    mod memory;
    mod modes;
    mod network;
    mod observed;
    mod parts;
    mod predict;
    mod scaling;
    mod straggler;
    mod tabular;
}
