use super::*;
use proptest::prelude::*;
use tokio::io::duplex;

async fn received(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let (ours, mut theirs) = duplex(bytes.len().max(1));
    theirs.write_all(bytes).await.unwrap();
    drop(theirs);
    Wire::new(ours).receive().await
}

#[tokio::test]
async fn a_frame_is_read_whole() {
    assert_eq!(received(b"\0\0\0\x03abcd").await.unwrap(), b"abc");
    assert_eq!(received(b"\0\0\0\0").await.unwrap(), b"");
}

#[tokio::test]
async fn what_is_cut_or_too_long_is_refused() {
    for cut in [b"".as_slice(), b"\0\0\0", b"\0\0\0\x03ab"] {
        assert!(matches!(received(cut).await, Err(Broken::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof), "{cut:?}");
    }
    // A web server's answer: its first four letters are a length.
    let Err(Broken::Protocol(what)) = received(b"HTTP/1.1 404").await else { panic!("it was taken") };
    assert!(what.contains("an answer of 1213486160 bytes"), "{what}");
}

#[test]
fn frames_are_taken_out_of_the_stream() {
    let mut inbox = b"\0\0\0\x02ab\0\0\0\0\0\0\0\x03c".to_vec();
    assert_eq!(take_frame(&mut inbox).unwrap(), Some(b"ab".to_vec()));
    assert_eq!(take_frame(&mut inbox).unwrap(), Some(b"".to_vec()));
    assert_eq!(take_frame(&mut inbox).unwrap(), None);
    assert_eq!(inbox, b"\0\0\0\x03c");
    inbox.extend(b"de");
    assert_eq!(take_frame(&mut inbox).unwrap(), Some(b"cde".to_vec()));
    assert!(take_frame(&mut b"\xff\xff\xff\xff".to_vec()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0_usize..40) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Ok(content) = runtime.block_on(received(&bytes)) {
            let _ = message::unwrapped(&content);
            let _ = message::Response::parse(&content);
        }
        let _ = message::Response::parse(&bytes);
        let _ = message::unwrapped(&bytes);
        let _ = take_frame(&mut bytes[..cut.min(bytes.len())].to_vec());
    }
}
