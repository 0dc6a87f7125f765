//! The two libraries, opened at run time. All unsafe code of this crate is in here and in [`krb5`] and [`gss`]; what they give
//! out is safe.

pub mod gss;
pub mod krb5;

use crate::error::Error;
use libloading::os::unix::{Library, RTLD_NOW};

const INSTALL_KRB5: &str = "libkrb5-3 (Debian, Ubuntu) or krb5-libs (RHEL, Fedora)";
const INSTALL_GSS: &str = "libgssapi-krb5-2 (Debian, Ubuntu) or krb5-libs (RHEL, Fedora)";

/// `RTLD_NODELETE` of Linux: the libraries leave destructors with each thread, which must not point into nothing.
const RTLD_NODELETE: i32 = 0x1000;

/// Both libraries, with every function that is needed: a library that lacks one is refused at once.
pub struct Libraries {
    pub krb5: krb5::Functions,
    pub gss: gss::Functions,
}

impl Libraries {
    pub fn load(krb5: &'static str, gss: &'static str) -> Result<Self, Error> {
        let error = |library, install| move |cause: libloading::Error| Error::Library { library, cause: full(&cause), install };
        Ok(Self {
            krb5: open(krb5).and_then(krb5::Functions::find).map_err(error(krb5, INSTALL_KRB5))?,
            gss: open(gss).and_then(gss::Functions::find).map_err(error(gss, INSTALL_GSS))?,
        })
    }
}

impl std::fmt::Debug for Libraries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("libkrb5, libgssapi_krb5")
    }
}

#[expect(unsafe_code, reason = "opening a library runs its initializers; those of MIT Kerberos only set up locks")]
fn open(file: &str) -> Result<Library, libloading::Error> {
    // SAFETY: see above. The name is fixed, and the system's loader finds it.
    unsafe { Library::open(Some(file), RTLD_NOW | RTLD_NODELETE) }
}

fn full(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

/// A struct of C functions by name, and how they are found.
macro_rules! functions {
    ($($name:ident($($argument:ty),*) -> $result:ty;)*) => {
        /// The functions, by their C names. Each has the type that the library's public header gives it.
        pub struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) -> $result,)*
        }

        impl Functions {
            pub fn find(library: libloading::os::unix::Library) -> Result<Self, libloading::Error> {
                // SAFETY: the types are those of the public headers, and the pointers stay valid: the library is never unloaded.
                Ok(Self { $($name: *unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }?,)* })
            }
        }
    };
}
use functions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_says_what_to_install() {
        let error = Libraries::load("libkrb5-not-there.so.3", "libgssapi_krb5.so.2").unwrap_err().to_string();
        assert!(error.contains("cannot open libkrb5-not-there.so.3"), "{error}");
        assert!(error.contains("No such file") && error.contains("libkrb5-3") && error.contains("krb5-libs"), "{error}");
        // A library that is no Kerberos: every function is asked for at the start.
        let error = Libraries::load("libc.so.6", "libgssapi_krb5.so.2").unwrap_err().to_string();
        assert!(error.contains("krb5_"), "{error}");
    }
}
