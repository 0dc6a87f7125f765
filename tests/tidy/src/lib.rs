//! Checks of the project's own shape: the graph of its crates, licences, names, words, metrics.
//!
//! There is no library here; each check is a file of `tests/checks`, with tests of its own that show it can find something.
