//! IDX files of known content: a small picture problem that models can learn.

use std::path::Path;
use tfcoord_types::draw::Stream;

/// Writes `images.idx` and `labels.idx` into `dir`: `records` pictures of `side` x `side` bytes in `classes`
/// classes. A picture is noise with a bright square whose place tells its class.
///
/// # Panics
/// If a file cannot be written.
pub fn write_pictures(dir: &Path, records: u32, side: u32, classes: u32, seed: u64) {
    let mut stream = Stream::new("testkit pictures", &[seed]);
    let mut images = header(3, &[records, side, side]);
    let mut labels = header(1, &[records]);
    let across = (1..).find(|n| n * n >= classes).expect("a square number");
    for _ in 0..records {
        let class = u32::try_from(stream.below(u64::from(classes))).expect("below a u32");
        labels.push(u8::try_from(class).expect("at most 256 classes"));
        let (row, column) = (class / across * side / across, class % across * side / across);
        let bright = side / across;
        for y in 0..side {
            for x in 0..side {
                let inside = (row..row + bright).contains(&y) && (column..column + bright).contains(&x);
                let noise = u8::try_from(stream.below(120)).expect("below 120");
                images.push(if inside { noise + 90 } else { noise });
            }
        }
    }
    std::fs::write(dir.join("images.idx"), images).expect("images can be written");
    std::fs::write(dir.join("labels.idx"), labels).expect("labels can be written");
}

fn header(dimensions: u8, sizes: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions];
    for size in sizes {
        bytes.extend(size.to_be_bytes());
    }
    bytes
}
