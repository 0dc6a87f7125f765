//! For tests only: a laboratory of real processes ([`Lab`]), data and job files of known content, and a gRPC
//! proxy that disturbs the exchange between workers and a parameter server ([`fault_proxy`]), a real HDFS ([`hadoop`]).

pub mod chaos;
pub mod deadline;
pub mod fault_proxy;
pub mod hadoop;
pub mod idx;
pub mod job;
pub mod lab;
pub mod processes;
pub mod table;
pub mod tmpfs;
pub mod tools;

pub use lab::Lab;
