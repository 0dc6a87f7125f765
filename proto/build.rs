//! Compiles the protocol into OUT_DIR with protox: no protoc is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["tfcoord/v1/coordinator.proto", "tfcoord/v1/task_session.proto", "tfcoord/v1/parameter_server.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    // Payloads are slices of the received message, not copies of it.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
