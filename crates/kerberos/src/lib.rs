//! Kerberos for clients: logins from a keytab, tickets, and GSS contexts that prove to a service who is there.
//!
//! MIT's `libkrb5` and `libgssapi_krb5` are opened when [`Kerberos::load`] is called: nothing is linked, and a machine without
//! them runs everything that does not need Kerberos. Which KDCs there are is read by them, from `krb5.conf` or the file that
//! `KRB5_CONFIG` named when the process began. Every ticket lies in a cache of its own, named explicitly: neither the
//! environment nor the user's default cache is written.
//!
//! All of it is synchronous. What talks to the KDC says so and may block for some seconds: call it off the runtime's thread.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod codes;
mod error;
mod ffi;
mod initiator;
mod login;
mod principal;

pub use error::Error;
pub use initiator::{Initiator, Mechanism, Step};
pub use login::{Login, Place, Ticket};
pub use principal::Principal;

use std::path::Path;
use std::sync::Arc;

/// The opened libraries.
#[derive(Clone, Debug)]
pub struct Kerberos(Arc<ffi::Libraries>);

impl Kerberos {
    /// Opens the libraries.
    ///
    /// # Errors
    /// [`Error::Library`] says which one is missing and what to install.
    pub fn load() -> Result<Self, Error> {
        Ok(Self(Arc::new(ffi::Libraries::load("libkrb5.so.3", "libgssapi_krb5.so.2")?)))
    }

    /// Gets a ticket for `principal` with its key in `keytab`, renewable where the KDC allows it, into a new private cache.
    /// Talks to the KDC.
    ///
    /// # Errors
    /// The keytab is missing, malformed or of somebody else; the KDC cannot be reached or refuses.
    pub fn login(&self, principal: &Principal, keytab: &Path, place: Place) -> Result<Login, Error> {
        Login::from_keytab(Arc::clone(&self.0), principal, keytab, place)
    }

    /// Uses the tickets that somebody else keeps fresh, as `kinit` does: in the cache of this name (`FILE:/tmp/krb5cc_1000`),
    /// or in the user's default cache.
    ///
    /// # Errors
    /// There is no such cache, or no ticket in it.
    pub fn tickets_of(&self, cache: Option<&str>) -> Result<Login, Error> {
        Login::from_cache(Arc::clone(&self.0), cache)
    }

    /// The user's default cache, by the name by which other processes find it too: what `KRB5CCNAME` named when this one began, or
    /// else as `krb5.conf` says. Whether there is anything in it is not looked at.
    ///
    /// # Errors
    /// `krb5.conf` cannot be read.
    pub fn default_cache(&self) -> Result<String, Error> {
        login::default_cache(&self.0.krb5)
    }

    /// The principals whose keys a keytab holds, each once, in order of names.
    ///
    /// # Errors
    /// It cannot be read, or is no keytab.
    pub fn principals_in(&self, keytab: &Path) -> Result<Vec<String>, Error> {
        login::principals_in(&self.0.krb5, keytab)
    }
}
