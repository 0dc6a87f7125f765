//! Which kernels this machine runs. All tasks of a job must run the same ones: others round otherwise.

/// The name of the path. It follows what the `gemm` crate chooses by; our own kernels do not depend on the processor.
pub fn kernel_path() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2") {
        return "x86_64-fma";
    }
    std::env::consts::ARCH
}
