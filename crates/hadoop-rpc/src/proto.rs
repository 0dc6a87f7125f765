//! The messages that build.rs generates from proto/*.proto.

#[allow(clippy::all, missing_docs)]
pub mod rpc {
    include!(concat!(env!("OUT_DIR"), "/hadoop.rpc.rs"));
}

#[allow(clippy::all, missing_docs)]
pub mod name_node {
    include!(concat!(env!("OUT_DIR"), "/hadoop.name_node.rs"));
}
