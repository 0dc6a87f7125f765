//! Tests against a real Hadoop: see `tests/`, and `README.md` for what they run on.
