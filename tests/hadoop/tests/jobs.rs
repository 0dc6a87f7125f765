//! Jobs whose results and checkpoints are in HDFS. The programs must have been built: `cargo build --workspace`.
#![allow(clippy::unwrap_used, missing_docs)]

mod jobs {
    mod faults;
    mod life;
    mod place;
    mod refusals;
    mod secured;
}
