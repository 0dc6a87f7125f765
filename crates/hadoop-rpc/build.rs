//! Compiles the messages into OUT_DIR with protox: no protoc is needed.

/// Those that hold secrets have no `Debug`: nothing prints them.
const SECRET: [&str; 6] = [
    ".hadoop.rpc.Sasl",
    ".hadoop.rpc.Sasl.Auth",
    ".hadoop.name_node.Token",
    ".hadoop.name_node.DelegationToken",
    ".hadoop.name_node.RenewDelegationToken",
    ".hadoop.name_node.CancelDelegationToken",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/rpc.proto", "proto/name_node.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    tonic_prost_build::configure().skip_debug(SECRET).compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}
