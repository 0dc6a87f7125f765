//! Checkpoints in HDFS: whole or absent, whatever happens to who writes them.
#![allow(clippy::unwrap_used, missing_docs)]

mod checkpoints {
    mod faults;
    mod fixture;
    mod kills;
    mod life;
}
