//! What programs take of memory, and whether memory is there, asked before much of it is taken: an allocation that fails
//! in the middle aborts the process, and nobody hears why.

/// What a worker takes before it has a model: the parts of its program and libraries in use, threads, connections, the
/// allocator's own. Measured, as the system counts what is resident.
pub const WORKER_PROGRAM_BYTES: u64 = 23 << 19;
/// As [`WORKER_PROGRAM_BYTES`], of a server.
pub const SERVER_PROGRAM_BYTES: u64 = 8 << 20;

/// Whether so many bytes can be allocated now, as far as the system says beforehand.
pub fn is_there(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    let mut room: Vec<u8> = Vec::new();
    let reserved = room.try_reserve_exact(bytes).is_ok();
    // Else it would not be allocated at all, as nothing is put into it.
    std::hint::black_box(&room);
    reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_an_address_space_is_not_there() {
        assert!(is_there(0) && is_there(1 << 20));
        assert!(!is_there(1 << 62) && !is_there(u64::MAX));
    }
}
