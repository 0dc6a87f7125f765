//! The project's shape, checked. A check is a function from sources to findings; one test runs it over the working tree and
//! must come back empty, others show on small texts what it finds and what it lets pass.

mod blobs;
mod code;
mod commands;
mod crate_docs;
mod dependency_reasons;
mod edges;
mod fault_points;
mod file_names;
mod graph;
mod licences;
mod machine_paths;
mod metric_names;
mod mutants;
mod pure;
mod reach;
mod regions;
mod sleeps;
mod spdx;
mod tree;
mod words;
