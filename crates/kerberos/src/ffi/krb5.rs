//! `libkrb5` behind types that free themselves. A [`Context`] is used by one thread at a time, as the library demands; all else
//! borrows from one.
#![expect(unsafe_code, reason = "calls of a C library; each block says why it is sound")]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;

type Handle = *mut c_void;

/// `krb5_creds` of MIT's krb5.h, with the structs in it.
#[repr(C)]
struct RawCredentials {
    magic: i32,
    client: Handle,
    server: Handle,
    keyblock: RawKey,
    times: Times,
    is_skey: c_uint,
    ticket_flags: i32,
    addresses: Handle,
    ticket: RawData,
    second_ticket: RawData,
    authdata: Handle,
}

#[repr(C)]
struct RawKey {
    magic: i32,
    enctype: i32,
    length: c_uint,
    contents: *mut u8,
}

#[repr(C)]
struct RawData {
    magic: i32,
    length: c_uint,
    data: *mut c_char,
}

/// `krb5_keytab_entry`.
#[repr(C)]
struct RawEntry {
    magic: i32,
    principal: Handle,
    timestamp: i32,
    vno: c_uint,
    key: RawKey,
}

/// `krb5_ticket_times`: seconds since 1970. MIT reads its 32 bits as unsigned, so that they last until 2106.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Times {
    pub authenticated: u32,
    pub start: u32,
    pub end: u32,
    pub renew_till: u32,
}

// As a C compiler lays them out for 64 bits: a slip in one field would shift those behind it.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<RawCredentials>() == 120 && offset_of!(RawCredentials, server) == 16);
    assert!(offset_of!(RawCredentials, times) == 48 && offset_of!(RawCredentials, ticket) == 80);
    assert!(size_of::<RawEntry>() == 48 && offset_of!(RawEntry, principal) == 8 && offset_of!(RawEntry, key) == 24);
};

super::functions! {
    krb5_init_context(*mut Handle) -> i32;
    krb5_free_context(Handle) -> ();
    krb5_get_error_message(Handle, i32) -> *const c_char;
    krb5_free_error_message(Handle, *const c_char) -> ();
    krb5_parse_name(Handle, *const c_char, *mut Handle) -> i32;
    krb5_unparse_name(Handle, Handle, *mut *mut c_char) -> i32;
    krb5_free_unparsed_name(Handle, *mut c_char) -> ();
    krb5_free_principal(Handle, Handle) -> ();
    krb5_kt_resolve(Handle, *const c_char, *mut Handle) -> i32;
    krb5_kt_close(Handle, Handle) -> i32;
    krb5_kt_start_seq_get(Handle, Handle, *mut Handle) -> i32;
    krb5_kt_next_entry(Handle, Handle, *mut RawEntry, *mut Handle) -> i32;
    krb5_kt_end_seq_get(Handle, Handle, *mut Handle) -> i32;
    krb5_free_keytab_entry_contents(Handle, *mut RawEntry) -> i32;
    krb5_cc_resolve(Handle, *const c_char, *mut Handle) -> i32;
    krb5_cc_default_name(Handle) -> *const c_char;
    krb5_cc_initialize(Handle, Handle, Handle) -> i32;
    krb5_cc_store_cred(Handle, Handle, *mut RawCredentials) -> i32;
    krb5_cc_get_principal(Handle, Handle, *mut Handle) -> i32;
    krb5_cc_start_seq_get(Handle, Handle, *mut Handle) -> i32;
    krb5_cc_next_cred(Handle, Handle, *mut Handle, *mut RawCredentials) -> i32;
    krb5_cc_end_seq_get(Handle, Handle, *mut Handle) -> i32;
    krb5_cc_close(Handle, Handle) -> i32;
    krb5_cc_destroy(Handle, Handle) -> i32;
    krb5_get_init_creds_opt_alloc(Handle, *mut Handle) -> i32;
    krb5_get_init_creds_opt_set_renew_life(Handle, c_int) -> ();
    krb5_get_init_creds_opt_free(Handle, Handle) -> ();
    krb5_get_init_creds_keytab(Handle, *mut RawCredentials, Handle, Handle, i32, *const c_char, Handle) -> i32;
    krb5_get_renewed_creds(Handle, *mut RawCredentials, Handle, Handle, *const c_char) -> i32;
    krb5_free_cred_contents(Handle, *mut RawCredentials) -> ();
}

/// A call that failed: its number, and the library's own sentence.
#[derive(Debug)]
pub struct Failure {
    pub code: i32,
    pub message: String,
}

/// The library's state: its reading of krb5.conf.
pub struct Context<'l> {
    lib: &'l Functions,
    raw: Handle,
}

impl<'l> Context<'l> {
    pub fn new(lib: &'l Functions) -> Result<Self, Failure> {
        let mut raw = ptr::null_mut();
        // SAFETY: it writes one pointer to where we say.
        let code = unsafe { (lib.krb5_init_context)(&raw mut raw) };
        // Without a context the library still has a sentence for the code.
        let context = Self { lib, raw };
        context.check(code)?;
        Ok(context)
    }

    fn check(&self, code: i32) -> Result<(), Failure> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: a context of ours, or null, which these two functions allow; the text ends in NUL and is freed once.
        let message = unsafe {
            let text = (self.lib.krb5_get_error_message)(self.raw, code);
            let message = CStr::from_ptr(text).to_string_lossy().into_owned();
            (self.lib.krb5_free_error_message)(self.raw, text);
            message
        };
        Err(Failure { code, message })
    }

    // Calls what fills in a handle.
    fn handle(&self, call: impl FnOnce(*mut Handle) -> i32) -> Result<Handle, Failure> {
        let mut handle = ptr::null_mut();
        self.check(call(&raw mut handle))?;
        Ok(handle)
    }

    pub fn principal(&self, name: &CStr) -> Result<Principal<'_>, Failure> {
        // SAFETY: our context, a text that ends in NUL.
        let raw = self.handle(|to| unsafe { (self.lib.krb5_parse_name)(self.raw, name.as_ptr(), to) })?;
        Ok(Principal { context: self, raw })
    }

    fn text(&self, principal: Handle) -> Result<String, Failure> {
        let mut text = ptr::null_mut();
        // SAFETY: our context, a principal that its owner keeps alive; the text is freed once, below.
        self.check(unsafe { (self.lib.krb5_unparse_name)(self.raw, principal, &raw mut text) })?;
        // SAFETY: the call has succeeded: the text is there and ends in NUL.
        let copy = unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned();
        // SAFETY: it came from the same context, and is not used after.
        unsafe { (self.lib.krb5_free_unparsed_name)(self.raw, text) };
        Ok(copy)
    }

    pub fn keytab(&self, name: &CStr) -> Result<Keytab<'_>, Failure> {
        // SAFETY: as in `principal`.
        let raw = self.handle(|to| unsafe { (self.lib.krb5_kt_resolve)(self.raw, name.as_ptr(), to) })?;
        Ok(Keytab { context: self, raw })
    }

    pub fn cache(&self, name: &CStr) -> Result<Cache<'_>, Failure> {
        // SAFETY: as in `principal`.
        let raw = self.handle(|to| unsafe { (self.lib.krb5_cc_resolve)(self.raw, name.as_ptr(), to) })?;
        Ok(Cache { context: self, raw })
    }

    pub fn default_cache(&self) -> CString {
        // SAFETY: the text belongs to the context and is copied before anything else can change it; null where there is none.
        let name = unsafe { (self.lib.krb5_cc_default_name)(self.raw) };
        // SAFETY: not null: it ends in NUL.
        if name.is_null() { CString::default() } else { unsafe { CStr::from_ptr(name) }.to_owned() }
    }

    /// Asks the KDC for a ticket to get tickets with, renewable for so many seconds if it likes.
    pub fn log_in(&self, who: &Principal<'_>, keytab: &Keytab<'_>, renew_s: i32) -> Result<Credentials<'_>, Failure> {
        // SAFETY: our context; the options are freed once, below.
        let options = self.handle(|to| unsafe { (self.lib.krb5_get_init_creds_opt_alloc)(self.raw, to) })?;
        let mut credentials = self.no_credentials();
        // SAFETY: all handles are of this context and alive; null asks for the realm's usual ticket.
        let code = unsafe {
            (self.lib.krb5_get_init_creds_opt_set_renew_life)(options, renew_s);
            let to = &raw mut credentials.raw;
            (self.lib.krb5_get_init_creds_keytab)(self.raw, to, who.raw, keytab.raw, 0, ptr::null(), options)
        };
        let result = self.check(code);
        // SAFETY: allocated above, not used after.
        unsafe { (self.lib.krb5_get_init_creds_opt_free)(self.raw, options) };
        result.map(|()| credentials)
    }

    /// Asks the KDC to prolong the ticket in `cache`.
    pub fn renew(&self, who: &Principal<'_>, cache: &Cache<'_>) -> Result<Credentials<'_>, Failure> {
        let mut credentials = self.no_credentials();
        let to = &raw mut credentials.raw;
        // SAFETY: all handles are of this context and alive; null means the ticket that gets tickets.
        self.check(unsafe { (self.lib.krb5_get_renewed_creds)(self.raw, to, who.raw, cache.raw, ptr::null()) })?;
        Ok(credentials)
    }

    fn no_credentials(&self) -> Credentials<'_> {
        // SAFETY: integers and pointers alone; all zero is what the library calls empty credentials.
        Credentials { context: self, raw: unsafe { std::mem::zeroed() } }
    }
}

impl Drop for Context<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, freed once; what borrows from it is gone. Null is allowed.
        unsafe { (self.lib.krb5_free_context)(self.raw) }
    }
}

/// A parsed name.
pub struct Principal<'c> {
    context: &'c Context<'c>,
    raw: Handle,
}

impl Principal<'_> {
    /// With its realm.
    pub fn text(&self) -> Result<String, Failure> {
        self.context.text(self.raw)
    }
}

impl Drop for Principal<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { (self.context.lib.krb5_free_principal)(self.context.raw, self.raw) }
    }
}

/// A named keytab; its file is opened when it is used.
pub struct Keytab<'c> {
    context: &'c Context<'c>,
    raw: Handle,
}

impl Keytab<'_> {
    /// Whose keys are in it, in its order, once for each key.
    pub fn principals(&self) -> Result<Vec<String>, Failure> {
        let (context, lib) = (self.context, self.context.lib);
        // SAFETY: the keytab is open; the cursor is ended below.
        let mut cursor = context.handle(|to| unsafe { (lib.krb5_kt_start_seq_get)(context.raw, self.raw, to) })?;
        let mut names = Vec::new();
        let failure = loop {
            // SAFETY: integers and pointers alone.
            let mut entry: RawEntry = unsafe { std::mem::zeroed() };
            // SAFETY: the cursor is of this keytab.
            let code = unsafe { (lib.krb5_kt_next_entry)(context.raw, self.raw, &raw mut entry, &raw mut cursor) };
            if let Err(failure) = context.check(code) {
                break failure;
            }
            let name = context.text(entry.principal);
            // SAFETY: the call has filled it in; it is freed once, its key with it.
            unsafe { (lib.krb5_free_keytab_entry_contents)(context.raw, &raw mut entry) };
            match name {
                Ok(name) => names.push(name),
                Err(failure) => break failure,
            }
        };
        // SAFETY: begun above, ended once.
        unsafe { (lib.krb5_kt_end_seq_get)(context.raw, self.raw, &raw mut cursor) };
        if failure.code == crate::codes::KEYTAB_END { Ok(names) } else { Err(failure) }
    }
}

impl Drop for Keytab<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, closed once.
        unsafe { (self.context.lib.krb5_kt_close)(self.context.raw, self.raw) };
    }
}

/// A ticket with its session key, never shown.
pub struct Credentials<'c> {
    context: &'c Context<'c>,
    raw: RawCredentials,
}

impl Credentials<'_> {
    pub fn times(&self) -> Times {
        self.raw.times
    }

    /// Which service the ticket is for.
    pub fn service(&self) -> Result<String, Failure> {
        self.context.text(self.raw.server)
    }
}

impl Drop for Credentials<'_> {
    fn drop(&mut self) {
        // SAFETY: filled in by the library or all zero, freed once; it overwrites the key.
        unsafe { (self.context.lib.krb5_free_cred_contents)(self.context.raw, &raw mut self.raw) }
    }
}

/// A named credential cache.
pub struct Cache<'c> {
    context: &'c Context<'c>,
    raw: Handle,
}

impl<'c> Cache<'c> {
    /// Empties it, or makes it, and puts the ticket in.
    pub fn fill(&self, who: &Principal<'_>, credentials: &mut Credentials<'_>) -> Result<(), Failure> {
        let (context, lib) = (self.context, self.context.lib);
        // SAFETY: handles of this context, all alive. The credentials are copied.
        context.check(unsafe { (lib.krb5_cc_initialize)(context.raw, self.raw, who.raw) })?;
        // SAFETY: as above.
        context.check(unsafe { (lib.krb5_cc_store_cred)(context.raw, self.raw, &raw mut credentials.raw) })
    }

    /// Whose it is.
    pub fn principal(&self) -> Result<Principal<'c>, Failure> {
        let context = self.context;
        // SAFETY: handles of this context.
        let raw = context.handle(|to| unsafe { (context.lib.krb5_cc_get_principal)(context.raw, self.raw, to) })?;
        Ok(Principal { context, raw })
    }

    /// The first of its tickets that `wanted` picks, by what is in it.
    pub fn find<T>(&self, mut wanted: impl FnMut(&Credentials<'_>) -> Option<T>) -> Result<T, Failure> {
        let (context, lib) = (self.context, self.context.lib);
        // SAFETY: the cache is open; the cursor is ended below.
        let mut cursor = context.handle(|to| unsafe { (lib.krb5_cc_start_seq_get)(context.raw, self.raw, to) })?;
        let found = loop {
            let mut credentials = context.no_credentials();
            // SAFETY: the cursor is of this cache.
            let code = unsafe { (lib.krb5_cc_next_cred)(context.raw, self.raw, &raw mut cursor, &raw mut credentials.raw) };
            if let Err(failure) = context.check(code) {
                break Err(failure);
            }
            if let Some(found) = wanted(&credentials) {
                break Ok(found);
            }
        };
        // SAFETY: begun above, ended once.
        unsafe { (lib.krb5_cc_end_seq_get)(context.raw, self.raw, &raw mut cursor) };
        found
    }

    /// Removes it with all that is in it.
    pub fn destroy(self) -> Result<(), Failure> {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: it closes the handle too, whether it succeeds or not; it is not closed again.
        this.context.check(unsafe { (this.context.lib.krb5_cc_destroy)(this.context.raw, this.raw) })
    }
}

impl Drop for Cache<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, closed once.
        unsafe { (self.context.lib.krb5_cc_close)(self.context.raw, self.raw) };
    }
}
