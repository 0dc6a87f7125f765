//! Where tickets lie: always whole, so that a renewal never leaves a reader without one.

use crate::error::Error;
use crate::ffi::Libraries;
use crate::ffi::krb5::{Context, Credentials, Principal};
use crate::login::at;
use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A cache by name. One that was made here goes away with its last user.
#[derive(Debug)]
pub struct Cache {
    libraries: Arc<Libraries>,
    name: CString,
    owned: bool,
}

impl Cache {
    /// Somebody else's.
    pub fn foreign(libraries: Arc<Libraries>, name: CString) -> Self {
        Self { libraries, name, owned: false }
    }

    /// A file that is there already, and is ours.
    pub fn owned(libraries: Arc<Libraries>, name: CString) -> Self {
        Self { libraries, name, owned: true }
    }

    /// Whether it goes away with its last user.
    pub fn is_owned(&self) -> bool {
        self.owned
    }

    pub fn name(&self) -> &CStr {
        &self.name
    }

    /// A new one in memory with one ticket in it.
    pub fn in_memory(
        libraries: Arc<Libraries>,
        context: &Context<'_>,
        who: &Principal<'_>,
        ticket: &mut Credentials<'_>,
    ) -> Result<Self, Error> {
        // Caches in memory are known by name to the whole process.
        let name = c_string(format!("MEMORY:tfcoord-{}", next_number()))?;
        Self { libraries, name, owned: true }.filled(context, who, ticket)
    }

    /// Puts a file with one ticket in it to `path`, at once.
    pub fn to_file(
        libraries: Arc<Libraries>,
        context: &Context<'_>,
        path: &Path,
        who: &Principal<'_>,
        ticket: &mut Credentials<'_>,
    ) -> Result<(), Error> {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}-{}.new", std::process::id(), next_number()));
        let new = PathBuf::from(new);
        let mut cache = Self { libraries, name: file_name(&new)?, owned: true }.filled(context, who, ticket)?;
        fs::rename(&new, path).map_err(|cause| Error::CacheFile { path: path.to_owned(), cause })?;
        cache.owned = false;
        Ok(())
    }

    fn filled(self, context: &Context<'_>, who: &Principal<'_>, ticket: &mut Credentials<'_>) -> Result<Self, Error> {
        let place = || format!("credential cache {}", self.name.to_string_lossy());
        let filled = context.cache(&self.name).and_then(|cache| cache.fill(who, ticket));
        filled.map_err(at(place))?;
        Ok(self)
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if self.owned
            && let Ok(context) = Context::new(&self.libraries.krb5)
            && let Ok(cache) = context.cache(&self.name)
        {
            // It is gone already, or cannot be removed: nobody could do more about it.
            let _ = cache.destroy();
        }
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn c_string(text: String) -> Result<CString, Error> {
    CString::new(text).map_err(|error| Error::Nul(String::from_utf8_lossy(&error.into_vec()).escape_debug().to_string()))
}

/// The library's name for a file: of a cache or a keytab.
pub fn file_name(path: &Path) -> Result<CString, Error> {
    let Some(text) = path.to_str() else {
        return Err(Error::CacheFile { path: path.to_owned(), cause: std::io::ErrorKind::InvalidFilename.into() });
    };
    c_string(format!("FILE:{text}"))
}
