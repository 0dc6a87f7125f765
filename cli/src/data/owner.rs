//! Which process a temporary directory belongs to, told by its name.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io;

/// A process, for all machines that see one file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Where its id means something: a checksum over this boot of the machine and the namespace of ids.
    space: u32,
    /// Its id.
    pub pid: u32,
    /// When it began, in ticks since the boot: ids are given again.
    start: u64,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It does not run any more.
    Dead,
    /// It was on another machine, or before this one was started.
    Elsewhere,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn this() -> io::Result<Self> {
        let pid = std::process::id();
        let start = start(pid).ok_or_else(|| io::Error::other("/proc does not say when this process began"))?;
        Ok(Self { space: space()?, pid, start })
    }

    /// Of `SPACE-PID-START`, as [`Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let space = u32::from_str_radix(parts.next()?, 16).ok()?;
        let (pid, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then_some(Self { space, pid, start })
    }

    /// Whether it still runs.
    pub fn life(&self) -> Life {
        match space() {
            Ok(here) if here == self.space => {
                if start(self.pid) == Some(self.start) {
                    Life::Alive
                } else {
                    Life::Dead
                }
            }
            _ => Life::Elsewhere,
        }
    }
}

impl Display for Owner {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}-{}", self.space, self.pid, self.start)
    }
}

fn space() -> io::Result<u32> {
    let boot = fs::read("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    Ok(crc32c::crc32c_append(crc32c::crc32c(&boot), namespace.as_os_str().as_encoded_bytes()))
}

// Field 22 of /proc/PID/stat (proc(5)). The second field is a name in parentheses, which may hold anything.
fn start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_again() {
        let me = Owner::this().unwrap();
        let read = Owner::parse(&me.to_string()).unwrap();
        assert_eq!((read, read.life()), (me, Life::Alive));
        assert_eq!(Owner { start: me.start + 1, ..me }.life(), Life::Dead);
        assert_eq!(Owner { space: !me.space, ..me }.life(), Life::Elsewhere);
        for text in ["", "1-2", "x-1-2", "1-2-3-4", "1--3"] {
            assert_eq!(Owner::parse(text), None, "{text}");
        }
    }
}
