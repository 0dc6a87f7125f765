//! The client on a terminal.

use super::process::Running;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// A pseudo-terminal; somebody sits before it.
pub struct Terminal {
    keyboard: File,
    pub running: Running,
}

impl Terminal {
    /// Starts `command` on a terminal of its own; all it writes comes to `running.out`.
    pub fn start(command: Command) -> Self {
        Self::of_width(command, 80)
    }

    /// The same, of so many columns.
    pub fn of_width(mut command: Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave: OwnedFd = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap().into();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&slave, size).unwrap();
        let side = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        // The command holds copies of the terminal's other side: without them it ends with the process.
        drop((command, slave));
        let keyboard = File::from(master);
        let running = Running::of(child);
        running.out.collect(keyboard.try_clone().unwrap());
        Self { keyboard, running }
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }
}
