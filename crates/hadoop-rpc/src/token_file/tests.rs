use super::*;
use proptest::prelude::*;

fn sample() -> TokenFile {
    let token = Token {
        identifier: crate::identifier::tests::sample(),
        password: b"canary".to_vec().into(),
        kind: HDFS_DELEGATION_TOKEN.into(),
        service: "127.0.0.1:8020".into(),
    };
    let other = Token { identifier: vec![0xff; 3], kind: "kms-dt".into(), service: String::new(), ..token.clone() };
    let mut file = TokenFile::of(token);
    file.tokens.push(("kms".into(), other));
    file.secrets.push(("key".into(), b"canary".to_vec().into()));
    file
}

#[test]
fn a_file_comes_back_as_it_was_written() {
    let file = sample();
    assert_eq!(TokenFile::parse(file.encode().expose()).unwrap(), file);
    let services: Vec<_> = file.of_hdfs().map(|token| token.service.as_str()).collect();
    assert_eq!(services, ["127.0.0.1:8020"]);
}

/// Written by `hdfs fetchdt --renewer tfcoord` of Hadoop 3.5.0, for a cluster that is no more.
const FETCHED: &[u8] = b"HDTS\x00\x01\x0f127.0.0.1:38773)\x00\x0ealice@BED.TEST\x07tfcoord\x00\x8a\x01\xa2\x170[\xe3\x8a\x01\xa2;<\xdf\
    \xe3\x01\x02\x14\x04L\xd9\xe9\xda\xf3\xdb\xce\xfd\x1c\xd2X\xde\xd7\x80r\xce\xec\x07!\x15HDFS_DELEGATION_TOKEN\
    \x0f127.0.0.1:38773\x00";

#[test]
fn a_file_of_hadoop_is_read_and_written_alike() {
    let file = TokenFile::parse(FETCHED).unwrap();
    let (alias, token) = &file.tokens[0];
    assert_eq!(
        (alias.as_str(), token.service.as_str(), token.kind.as_str()),
        ("127.0.0.1:38773", "127.0.0.1:38773", HDFS_DELEGATION_TOKEN)
    );
    let identifier = token.identifier().unwrap();
    assert_eq!((identifier.owner.as_str(), identifier.renewer.as_str(), identifier.sequence), ("alice@BED.TEST", "tfcoord", 1));
    // As Hadoop's log had it, in milliseconds.
    let issued = identifier.issued.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(issued, 1_795_685_374_947);
    assert_eq!(file.encode().expose(), FETCHED);
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", sample());
    assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
    assert!(shown.contains("127.0.0.1:8020"), "{shown}");
}

#[test]
fn what_is_cut_or_goes_on_is_refused() {
    let bytes = sample().encode();
    for length in 0..bytes.expose().len() {
        assert!(TokenFile::parse(&bytes.expose()[..length]).is_err(), "the first {length} bytes");
    }
    let error = TokenFile::parse(&[bytes.expose(), &[0]].concat()).unwrap_err();
    assert!(error.to_string().contains("something follows the end"), "{error}");
}

#[test]
fn a_damaged_identifier_is_refused() {
    let mut file = sample();
    file.tokens[0].1.identifier.truncate(9);
    let error = TokenFile::parse(file.encode().expose()).unwrap_err().to_string();
    assert!(error.contains("the token for 127.0.0.1:8020 in it is damaged") && error.contains("fetchdt"), "{error}");
}

#[test]
fn errors_name_the_file_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("job.token");
    let check = |bytes: &[u8], expect: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = TokenFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("job.token: ") && error.contains(expect), "{error}");
    };
    check(b"", "does not begin with HDTS");
    check(b"{\"token\": 1}", "does not begin with HDTS");
    check(b"HDTS\x01", "format 1");
    check(&vec![b'x'; SIZE_MAX as usize + 1], "larger than");
    std::fs::remove_file(&path).unwrap();
    assert!(TokenFile::read(&path).unwrap_err().to_string().contains("cannot read it"));
}

#[test]
fn a_count_costs_no_memory() {
    // 2^31 - 1 tokens are announced in five bytes.
    let error = TokenFile::parse(b"HDTS\x00\x8c\x7f\xff\xff\xff").unwrap_err().to_string();
    assert!(error.contains("more is announced than there is"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0_usize..200, byte: u8) {
        let _ = TokenFile::parse(&bytes);
        let _ = TokenFile::parse(&[b"HDTS\0", bytes.as_slice()].concat());
        let mut damaged = sample().encode().expose().to_vec();
        if let Some(place) = damaged.get_mut(at) {
            *place = byte;
        }
        let _ = TokenFile::parse(&damaged);
    }
}
