//! Whether a KDC answers, and what its clock says: it is asked for a ticket of somebody that it does not know. Its refusal
//! (KRB-ERROR, RFC 4120, 5.9.1) has its time, and nobody needs to be logged in for it.

use super::der::{part, split, value};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, SystemTime};

/// For the connection, and for each message.
const ANSWER: Duration = Duration::from_secs(5);
/// A refusal is shorter.
const ANSWER_MAX: usize = 64 << 10;
const NOBODY: &str = "tfcoord-doctor";
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const TEXT: u8 = 0x1b;
const TIME: u8 = 0x18;
const AS_REQUEST: u8 = 0x6a;
const ERROR: u8 = 0x7e;

/// By how many seconds the clock of the KDC at `address` (`host:port`) is ahead of this machine's; none where it answered without
/// its time.
///
/// # Errors
/// It does not answer.
pub fn ahead_s(address: &str, realm: &str) -> io::Result<Option<i64>> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for socket in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&socket, ANSWER).and_then(|stream| ask(stream, realm)) {
            Ok(answer) => return Ok(time(&answer).map(|theirs| theirs - now())),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(mut stream: TcpStream, realm: &str) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let request = request(realm);
    stream.write_all(&[&u32::try_from(request.len()).map_err(io::Error::other)?.to_be_bytes(), request.as_slice()].concat())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > ANSWER_MAX {
        return Err(io::Error::other("it does not speak Kerberos"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    match answer.first() {
        Some(&ERROR) => Ok(answer),
        _ => Err(io::Error::other("it does not speak Kerberos")),
    }
}

// AS-REQ of RFC 4120, 5.4.1.
fn request(realm: &str) -> Vec<u8> {
    let field = |number: u8, inner: Vec<u8>| value(0xa0 | number, &[&inner]);
    let integer = |n: u8| value(INTEGER, &[&[n]]);
    let text = |text: &str| value(TEXT, &[text.as_bytes()]);
    let name = |kind: u8, parts: &[Vec<u8>]| {
        let parts = value(SEQUENCE, &[&parts.concat()]);
        value(SEQUENCE, &[&field(0, integer(kind)), &field(1, parts)])
    };
    let body = [
        field(0, value(BITS, &[&[0; 5]])),
        field(1, name(1, &[text(NOBODY)])),
        field(2, text(realm)),
        field(3, name(2, &[text("krbtgt"), text(realm)])),
        field(5, value(TIME, &[b"20370913024805Z"])),
        field(7, integer(1)),
        // aes256-cts-hmac-sha1-96 and aes128 (RFC 3962).
        field(8, value(SEQUENCE, &[&integer(18), &integer(17)])),
    ];
    let request = [field(1, integer(5)), field(2, integer(10)), field(4, value(SEQUENCE, &[&body.concat()]))];
    value(AS_REQUEST, &[&value(SEQUENCE, &[&request.concat()])])
}

// Its field `stime`, in seconds since 1970.
fn time(error: &[u8]) -> Option<i64> {
    let (_, sequence, _) = split(part(error, ERROR)?)?;
    let (_, text, _) = split(part(sequence, 0xa4)?)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    // Years begin in March, so that the leap day is the last one; 719,468 days before 1970 the year 0 did.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn refusal(stime: &str) -> Vec<u8> {
        let field = |number: u8, inner: Vec<u8>| value(0xa0 | number, &[&inner]);
        let fields = [field(0, value(INTEGER, &[&[5]])), field(4, value(TIME, &[stime.as_bytes()])), field(6, value(INTEGER, &[&[6]]))];
        value(ERROR, &[&value(SEQUENCE, &[&fields.concat()])])
    }

    #[test]
    fn its_time_is_read() {
        for (text, s) in [("19700101000000Z", 0), ("20000229000000Z", 951_782_400), ("20261126102851Z", 1_795_688_931)] {
            assert_eq!(time(&refusal(text)), Some(s), "{text}");
        }
        for text in ["", "Z", "2026", "2026112610285éZ"] {
            assert_eq!(time(&refusal(text)), None, "{text}");
        }
        assert_eq!(time(b"\x7e\x05"), None);
    }

    #[test]
    fn what_is_no_kdc_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            for answer in [&b"HTTP/1.1 400 Bad Request\r\n"[..], &b"\0\0\0\x02ab"[..]] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let mut request = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut request).unwrap();
                assert_eq!(split(&request).unwrap().2, b"");
                stream.write_all(answer).unwrap();
            }
        });
        for _ in 0..2 {
            assert!(ahead_s(&address, "R").unwrap_err().to_string().contains("does not speak Kerberos"));
        }
        server.join().unwrap();
    }

    #[test]
    fn nobody_listens() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        // Bound and held, so that nobody else is there.
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = held.local_addr().unwrap().to_string();
        assert_eq!(ahead_s(&address, "R").unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
