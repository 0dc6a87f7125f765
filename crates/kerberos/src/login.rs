//! Somebody who has a ticket, and how he keeps it.

use crate::cache::{Cache, c_string, file_name};
use crate::error::Error;
use crate::ffi::krb5::{Context, Failure, Functions, Times};
use crate::ffi::{Libraries, krb5};
use crate::initiator::{Initiator, Mechanism};
use crate::principal::Principal;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Asked for; the KDC gives less where it allows less.
const RENEWABLE: Duration = Duration::from_hours(7 * 24);

/// Where a login's tickets lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this process alone.
    Memory,
    /// In a file for this user only (0600), for programs that are to use the ticket too. It is removed with the login.
    File(PathBuf),
}

/// The times of the ticket that gets tickets, by the KDC's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Good from then on.
    pub start: SystemTime,
    /// Good until then.
    pub end: SystemTime,
    /// A renewal can prolong it until then; none, where it is not renewable.
    pub renew_till: Option<SystemTime>,
}

impl From<Times> for Ticket {
    fn from(times: Times) -> Self {
        let time = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
        let start = if times.start == 0 { times.authenticated } else { times.start };
        Self { start: time(start), end: time(times.end), renew_till: (times.renew_till != 0).then(|| time(times.renew_till)) }
    }
}

/// Somebody with a ticket. Ends with its private cache; conversations that were begun go on.
#[derive(Debug)]
pub struct Login {
    libraries: Arc<Libraries>,
    principal: Principal,
    keytab: Option<PathBuf>,
    place: Place,
    cache: Mutex<Arc<Cache>>,
}

impl Login {
    pub(crate) fn from_keytab(libraries: Arc<Libraries>, principal: &Principal, keytab: &Path, place: Place) -> Result<Self, Error> {
        let name = match &place {
            Place::Memory => c_string("MEMORY:".to_owned())?,
            Place::File(path) => file_name(path)?,
        };
        let cache = Mutex::new(Arc::new(Cache::foreign(Arc::clone(&libraries), name)));
        let login = Self { libraries, principal: principal.clone(), keytab: Some(keytab.to_owned()), place, cache };
        login.log_in_again()?;
        Ok(login)
    }

    pub(crate) fn from_cache(libraries: Arc<Libraries>, cache: Option<&str>) -> Result<Self, Error> {
        let context = context(&libraries.krb5)?;
        let name = match cache {
            Some(name) => c_string(name.to_owned())?,
            None => context.default_cache(),
        };
        let place = || format!("credential cache {}", name.to_string_lossy());
        let principal = context.cache(&name).and_then(|cache| cache.principal()?.text()).map_err(at(place))?.parse()?;
        drop(context);
        let cache = Mutex::new(Arc::new(Cache::foreign(Arc::clone(&libraries), name)));
        let login = Self { libraries, principal, keytab: None, place: Place::Memory, cache };
        login.ticket()?;
        Ok(login)
    }

    /// Who it is, with the realm where it was given or comes from a cache.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The cache's name, as other programs understand it: `FILE:/run/job/ticket`.
    #[must_use]
    pub fn cache_name(&self) -> String {
        self.cache().name().to_string_lossy().into_owned()
    }

    /// How long the ticket is good, as it stands in the cache.
    ///
    /// # Errors
    /// The cache is gone or holds no such ticket.
    pub fn ticket(&self) -> Result<Ticket, Error> {
        let (context, cache) = (context(&self.libraries.krb5)?, self.cache());
        let for_tickets = |ticket: &krb5::Credentials<'_>| {
            let service = ticket.service().ok()?;
            service.starts_with("krbtgt/").then(|| ticket.times().into())
        };
        let found = context.cache(cache.name()).and_then(|cache| cache.find(for_tickets));
        found.map_err(at(|| format!("ticket of {} in credential cache {}", self.principal, cache.name().to_string_lossy())))
    }

    /// Prolongs the ticket, by as much as it was good for at first. Talks to the KDC; readers see the old one or the new one.
    ///
    /// # Errors
    /// It is over, not renewable, or was renewed as long as it may be; the KDC cannot be reached. The old one stays.
    pub fn renew(&self) -> Result<Ticket, Error> {
        let (context, cache) = (context(&self.libraries.krb5)?, self.cache());
        let place = || format!("renewing the ticket of {}", self.principal);
        let who = self.name(&context)?;
        let before = self.ticket()?;
        let mut ticket = context.cache(cache.name()).and_then(|cache| context.renew(&who, &cache)).map_err(at(place))?;
        // At the end of what it may be renewed, the KDC gives one that is over sooner.
        if Ticket::from(ticket.times()).end < before.end {
            return Err(Error::NotRenewable { place: place(), cause: "the KDC gives one that is over sooner".to_owned() });
        }
        self.store(&context, &who, &mut ticket)
    }

    /// Gets a new ticket with the key in the keytab, and takes up a keytab that was changed. Talks to the KDC.
    ///
    /// # Errors
    /// As [`Kerberos::login`](crate::Kerberos::login); also for tickets that somebody else keeps. The old one stays.
    pub fn log_in_again(&self) -> Result<Ticket, Error> {
        let place = || format!("login of {}", self.principal);
        let Some(path) = &self.keytab else {
            let cause = "its tickets are kept by somebody else, and there is no keytab".to_owned();
            return Err(Error::NoTicket { place: place(), cause });
        };
        let context = context(&self.libraries.krb5)?;
        let who = self.name(&context)?;
        let holds = principals_in(&self.libraries.krb5, path)?;
        let full = who.text().map_err(at(place))?;
        if !holds.contains(&full) {
            return Err(Error::NotInKeytab { path: path.clone(), principal: full, holds });
        }
        let place = || format!("login of {full} from keytab {}", path.display());
        let keytab = context.keytab(file_name(path)?.as_c_str()).map_err(at(place))?;
        let renew_s = RENEWABLE.as_secs().try_into().expect("a week");
        let mut ticket = context.log_in(&who, &keytab, renew_s).map_err(at(place))?;
        self.store(&context, &who, &mut ticket)
    }

    /// Begins a conversation with a service. Asks no KDC yet: the first [`Initiator::step`] does.
    ///
    /// # Errors
    /// The cache is gone, or its ticket is over.
    pub fn initiate(&self, service: &Principal, mechanism: Mechanism) -> Result<Initiator, Error> {
        Initiator::new(Arc::clone(&self.libraries), self.cache(), &self.principal, service, mechanism)
    }

    fn name<'c>(&self, context: &'c Context<'_>) -> Result<krb5::Principal<'c>, Error> {
        let name = c_string(self.principal.to_string())?;
        context.principal(&name).map_err(at(|| format!("principal {}", self.principal)))
    }

    fn store(&self, context: &Context<'_>, who: &krb5::Principal<'_>, ticket: &mut krb5::Credentials<'_>) -> Result<Ticket, Error> {
        let libraries = Arc::clone(&self.libraries);
        let cache = match &self.place {
            Place::Memory => Some(Cache::in_memory(libraries, context, who, ticket)?),
            Place::File(path) => {
                Cache::to_file(Arc::clone(&libraries), context, path, who, ticket)?;
                // One value stands for the file, and removes it at the end.
                (!self.cache().is_owned()).then(|| file_name(path).map(|name| Cache::owned(libraries, name))).transpose()?
            }
        };
        if let Some(cache) = cache {
            *self.lock() = Arc::new(cache);
        }
        Ok(ticket.times().into())
    }

    fn cache(&self) -> Arc<Cache> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Cache>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the library's state.
fn context(functions: &Functions) -> Result<Context<'_>, Error> {
    Context::new(functions).map_err(at(|| "reading krb5.conf".to_owned()))
}

/// Puts a place to a failure of the library.
pub(crate) fn at(place: impl FnOnce() -> String) -> impl FnOnce(Failure) -> Error {
    |failure| Error::of_code(failure.code, place(), failure.message)
}

pub(crate) fn default_cache(functions: &Functions) -> Result<String, Error> {
    Ok(context(functions)?.default_cache().to_string_lossy().into_owned())
}

pub(crate) fn principals_in(functions: &Functions, path: &Path) -> Result<Vec<String>, Error> {
    // The library says "no such key" of a file that is not there.
    let opened = File::open(path).and_then(|file| match file.metadata()?.is_file() {
        true => Ok(()),
        false => Err(std::io::Error::other("it is no regular file")),
    });
    opened.map_err(|cause| Error::KeytabUnreadable { path: path.to_owned(), cause })?;
    let context = context(functions)?;
    let listed = context.keytab(file_name(path)?.as_c_str()).and_then(|keytab| keytab.principals());
    let mut names = listed.map_err(|failure| Error::KeytabMalformed { path: path.to_owned(), cause: failure.message })?;
    names.sort();
    names.dedup();
    Ok(names)
}
