//! Our own client of Kerberos and of NameNodes, against real ones.
#![allow(clippy::unwrap_used, missing_docs)]

mod rpc {
    mod highly_available;
    mod probe;
    mod protections;
    mod refusals;
    mod tickets;
    mod tls;
    mod web_hdfs;
}
