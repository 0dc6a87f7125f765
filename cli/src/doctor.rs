//! What is wrong with this machine's way to HDFS: each thing that it takes is looked at by itself, in the order in which they need
//! each other, and each failure says what helps.

mod data_nodes;
mod der;
mod finding;
mod hdfs;
mod kdc;
mod kerberos;
mod realm;
mod webhdfs;

pub use finding::{Finding, Status};
pub use hdfs::examine;
