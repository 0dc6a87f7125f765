//! Loops as vector code for the instructions at hand.

/// Functions whose loops become code for the [`Isa`](crate::kernel::Isa) that they take before their other arguments. A
/// body is compiled once for each, so it should be a loop over slices; what it calls must be `#[inline(always)]`.
macro_rules! vectorized {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        #[allow(unsafe_code)] // only a processor that has the instructions gives an `Isa` that names them
        $visibility fn $name(isa: $crate::kernel::Isa, $($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi2")]
            fn avx512($($argument: $type),*) $(-> $result)? {
                body($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi2")]
            fn avx2($($argument: $type),*) $(-> $result)? {
                body($($argument),*)
            }

            match isa.0 {
                // SAFETY: this variant is made only where the processor has the instructions.
                #[cfg(target_arch = "x86_64")]
                pulp::Arch::V4(_) => unsafe { avx512($($argument),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                pulp::Arch::V3(_) => unsafe { avx2($($argument),*) },
                _ => body($($argument),*),
            }
        }
    )*};
}

pub(crate) use vectorized;
