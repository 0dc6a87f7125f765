//! Jobs on a secured HDFS: the life of their tokens, what is refused, and that no secret is found anywhere. The programs must
//! have been built: `cargo build --workspace`.
#![allow(clippy::unwrap_used, missing_docs)]

mod tokens {
    mod life;
    mod refusals;
    mod secrets;
    mod site;
    mod webhdfs;
}
