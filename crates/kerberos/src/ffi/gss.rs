//! `libgssapi_krb5` behind types that free themselves: names, credentials from a cache, contexts (RFC 2743, 2744).
#![expect(unsafe_code, reason = "calls of a C library; each block says why it is sound")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use super::Libraries;

type Handle = *mut c_void;

/// `gss_buffer_desc`.
#[repr(C)]
pub struct RawBuffer {
    length: usize,
    value: *mut c_void,
}

/// `gss_OID_desc`: its DER without tag and length.
#[repr(C)]
pub struct RawOid {
    length: u32,
    elements: *mut c_void,
}

/// `gss_OID_set_desc`.
#[repr(C)]
pub struct RawOidSet {
    count: usize,
    elements: *mut RawOid,
}

/// `gss_key_value_element_desc` and `gss_key_value_set_desc` of MIT's gssapi_ext.h.
#[repr(C)]
struct RawPair {
    key: *const c_char,
    value: *const c_char,
}

#[repr(C)]
pub struct RawStore {
    count: u32,
    elements: *mut RawPair,
}

super::functions! {
    gss_import_name(*mut u32, *mut RawBuffer, *mut RawOid, *mut Handle) -> u32;
    gss_release_name(*mut u32, *mut Handle) -> u32;
    gss_acquire_cred_from(*mut u32, Handle, u32, *mut RawOidSet, c_int, *const RawStore, *mut Handle, *mut Handle, *mut u32) -> u32;
    gss_release_cred(*mut u32, *mut Handle) -> u32;
    gss_init_sec_context(
        *mut u32, Handle, *mut Handle, Handle, *mut RawOid, u32, u32,
        Handle, *mut RawBuffer, *mut Handle, *mut RawBuffer, *mut u32, *mut u32
    ) -> u32;
    gss_delete_sec_context(*mut u32, *mut Handle, *mut RawBuffer) -> u32;
    gss_wrap(*mut u32, Handle, c_int, u32, *mut RawBuffer, *mut c_int, *mut RawBuffer) -> u32;
    gss_unwrap(*mut u32, Handle, *mut RawBuffer, *mut RawBuffer, *mut c_int, *mut u32) -> u32;
    gss_display_status(*mut u32, u32, c_int, *mut RawOid, *mut u32, *mut RawBuffer) -> u32;
    gss_release_buffer(*mut u32, *mut RawBuffer) -> u32;
}

/// 1.2.840.113554.1.2.2: the Kerberos mechanism (RFC 4121).
pub const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// 1.3.6.1.5.5.2: SPNEGO (RFC 4178).
pub const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.2.840.113554.1.2.2.1: a name as Kerberos writes it, which no name service changes (RFC 1964).
const PRINCIPAL_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01];

pub const MUTUAL: u32 = 2;
pub const SEQUENCE: u32 = 8;
pub const CONFIDENTIALITY: u32 = 16;
pub const INTEGRITY: u32 = 32;

const INITIATE: c_int = 1;
const CONTINUE_NEEDED: u32 = 1;
/// Calling and routine errors: the upper half.
const ERRORS: u32 = 0xffff_0000;
const GSS_CODE: c_int = 1;
const MECHANISM_CODE: c_int = 2;

/// A call that failed, with the library's own sentences.
#[derive(Debug)]
pub struct Failure {
    pub major: u32,
    pub minor: u32,
    pub message: String,
}

fn oid(der: &'static [u8]) -> RawOid {
    // Arguments of the library are not const in C; it does not write to them.
    RawOid { length: der.len() as u32, elements: der.as_ptr().cast_mut().cast() }
}

fn buffer(bytes: &[u8]) -> RawBuffer {
    RawBuffer { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
}

const NOTHING: RawBuffer = RawBuffer { length: 0, value: ptr::null_mut() };

impl Functions {
    fn check(&self, mechanism: &'static [u8], major: u32, minor: u32) -> Result<(), Failure> {
        if major & ERRORS == 0 {
            return Ok(());
        }
        let parts = [self.sentence(major, GSS_CODE, mechanism), self.sentence(minor, MECHANISM_CODE, mechanism)];
        let message = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        Err(Failure { major, minor, message })
    }

    // The first sentence; Kerberos has no more than one for a code.
    fn sentence(&self, code: u32, kind: c_int, mechanism: &'static [u8]) -> String {
        let (mut minor, mut more, mut text, mut oid) = (0, 0, NOTHING, oid(mechanism));
        // SAFETY: all pointers are to variables here; the text is freed by `take`.
        unsafe { (self.gss_display_status)(&raw mut minor, code, kind, &raw mut oid, &raw mut more, &raw mut text) };
        String::from_utf8_lossy(&self.take(text)).trim_end_matches('\0').to_owned()
    }

    // Copies what the library has allocated, and frees it.
    fn take(&self, mut buffer: RawBuffer) -> Vec<u8> {
        let copy = if buffer.value.is_null() {
            Vec::new()
        } else {
            // SAFETY: the library says that so many bytes are there.
            unsafe { std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length) }.to_vec()
        };
        let mut minor = 0;
        // SAFETY: allocated by the library or empty; the only copy of the pointer.
        unsafe { (self.gss_release_buffer)(&raw mut minor, &raw mut buffer) };
        copy
    }
}

/// One side of a conversation with a service: what is asked for, and what has been agreed on.
pub struct Context {
    libraries: Arc<Libraries>,
    mechanism: &'static [u8],
    service: Handle,
    credential: Handle,
    raw: Handle,
    flags: u32,
    agreed: u32,
}

// SAFETY: MIT's handles belong to no thread, and `&mut` keeps the calls one after the other.
unsafe impl Send for Context {}

impl Context {
    /// For the user whose tickets are in `cache`. Nothing is sent, and no KDC asked.
    pub fn new(libraries: Arc<Libraries>, mechanism: &'static [u8], cache: &CStr, service: &str, flags: u32) -> Result<Self, Failure> {
        let none = ptr::null_mut();
        let mut this = Self { libraries, mechanism, service: none, credential: none, raw: none, flags, agreed: 0 };
        this.import(service)?;
        this.acquire(cache)?;
        Ok(this)
    }

    fn import(&mut self, service: &str) -> Result<(), Failure> {
        let (mut minor, mut name, mut kind) = (0, buffer(service.as_bytes()), oid(PRINCIPAL_NAME));
        let lib = &self.libraries.gss;
        // SAFETY: all pointers are to variables here or fields; the name is freed when `self` is.
        let major = unsafe { (lib.gss_import_name)(&raw mut minor, &raw mut name, &raw mut kind, &raw mut self.service) };
        lib.check(self.mechanism, major, minor)
    }

    fn acquire(&mut self, cache: &CStr) -> Result<(), Failure> {
        let mut pair = RawPair { key: c"ccache".as_ptr(), value: cache.as_ptr() };
        let store = RawStore { count: 1, elements: &raw mut pair };
        let mut oid = oid(self.mechanism);
        let mut mechanisms = RawOidSet { count: 1, elements: &raw mut oid };
        let (mut minor, none) = (0, ptr::null_mut());
        let lib = &self.libraries.gss;
        // SAFETY: all pointers are to variables here or fields, or null where that means "any", "default" or "not wanted".
        let major = unsafe {
            let (minor, to) = (&raw mut minor, &raw mut self.credential);
            let store = &raw const store;
            (lib.gss_acquire_cred_from)(minor, none, 0, &raw mut mechanisms, INITIATE, store, to, ptr::null_mut(), ptr::null_mut())
        };
        lib.check(self.mechanism, major, minor)
    }

    /// Takes the service's message (empty at first) and gives the next one for it, and whether the conversation is complete
    /// from here. The first step asks the KDC for a ticket, unless the cache has it.
    pub fn step(&mut self, message: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
        let (mut minor, mut input, mut output, mut oid) = (0, buffer(message), NOTHING, oid(self.mechanism));
        let (none, unwanted) = (ptr::null_mut(), ptr::null_mut());
        let lib = &self.libraries.gss;
        // SAFETY: all pointers are to variables here or fields, or null where that means none; the output is freed by `take`.
        let major = unsafe {
            (lib.gss_init_sec_context)(
                &raw mut minor,
                self.credential,
                &raw mut self.raw,
                self.service,
                &raw mut oid,
                self.flags,
                0,
                none,
                &raw mut input,
                unwanted,
                &raw mut output,
                &raw mut self.agreed,
                ptr::null_mut(),
            )
        };
        let output = lib.take(output);
        lib.check(self.mechanism, major, minor)?;
        Ok((output, major & CONTINUE_NEEDED == 0))
    }

    /// The flags that both sides have agreed on, once it is complete.
    pub fn agreed(&self) -> u32 {
        self.agreed
    }

    /// Signs a message, and encrypts it where asked to; whether it did.
    pub fn wrap(&mut self, message: &[u8], confidential: bool) -> Result<(Vec<u8>, bool), Failure> {
        let (mut minor, mut input, mut output, mut encrypted) = (0, buffer(message), NOTHING, 0);
        let lib = &self.libraries.gss;
        // SAFETY: a context that may be null, which the library answers with an error; the output is freed by `take`.
        let major = unsafe {
            let (minor, output) = (&raw mut minor, &raw mut output);
            (lib.gss_wrap)(minor, self.raw, confidential.into(), 0, &raw mut input, &raw mut encrypted, output)
        };
        let output = lib.take(output);
        lib.check(self.mechanism, major, minor)?;
        Ok((output, encrypted != 0))
    }

    /// Checks a message, and decrypts it where it was encrypted; whether it was.
    pub fn unwrap(&mut self, message: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
        let (mut minor, mut input, mut output, mut encrypted) = (0, buffer(message), NOTHING, 0);
        let lib = &self.libraries.gss;
        // SAFETY: as in `wrap`.
        let major = unsafe {
            let (minor, output) = (&raw mut minor, &raw mut output);
            (lib.gss_unwrap)(minor, self.raw, &raw mut input, output, &raw mut encrypted, ptr::null_mut())
        };
        let output = lib.take(output);
        lib.check(self.mechanism, major, minor)?;
        Ok((output, encrypted != 0))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (lib, mut minor) = (&self.libraries.gss, 0);
        // SAFETY: each is ours or null, which is allowed, and freed once.
        unsafe {
            (lib.gss_delete_sec_context)(&raw mut minor, &raw mut self.raw, ptr::null_mut());
            (lib.gss_release_cred)(&raw mut minor, &raw mut self.credential);
            (lib.gss_release_name)(&raw mut minor, &raw mut self.service);
        }
    }
}
