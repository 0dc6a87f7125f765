//! Vector code that gives the same bits on every processor.
//!
//! **Bits.** Each element of a matrix product is one chain of fused multiply-adds in the order of k ([`product`]),
//! whatever the width of the vectors, the tiles, the blocks of k or the number of threads: the chain passes through
//! memory unchanged. What the points of tiles are made of ([`crate::layer::Conv2d`]) is added and multiplied value by value in
//! one order, too. Functions of single values ([`crate::math`]) use no fused operations, and sums of many values
//! ([`crate::sum`]) have a fixed number of partial sums. So processors with AVX-512, AVX2 or NEON and any other one
//! agree, and a job's tasks may run on all of them together.

mod buffer;
mod product;
mod transpose;
mod vectorized;

pub use buffer::{Buffer, LINE};
pub use product::{Grid, Left, Out, Right, Start, product, products};
pub use transpose::transpose;
pub(crate) use vectorized::vectorized;

/// The name of what the bits follow from. Tasks of one job must agree on it; it changes when an operation does.
pub const BITS: &str = "f32-chains-2";

/// The vector instructions to be used.
#[derive(Debug, Clone, Copy)]
pub struct Isa(pub(crate) pulp::Arch);

impl Isa {
    /// The best that this processor has.
    pub fn detect() -> Self {
        Self(pulp::Arch::new())
    }

    /// All that this processor has and this crate knows, the best first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(pulp::x86::V4::try_new().map(|v4| Self(pulp::Arch::V4(v4))));
            all.extend(pulp::x86::V3::try_new().map(|v3| Self(pulp::Arch::V3(v3))));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(pulp::aarch64::Neon::try_new().map(|neon| Self(pulp::Arch::Neon(neon))));
        all.push(Self(pulp::Arch::Scalar));
        all
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V4(_) => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            pulp::Arch::Neon(_) => "NEON",
            _ => "no vectors",
        }
    }
}
