use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;

fn offer(ways: &[(&str, &str)]) -> Negotiation {
    let way = |(method, challenge): &(&str, &str)| Way {
        method: (*method).to_owned(),
        challenge: (!challenge.is_empty()).then(|| challenge.as_bytes().to_vec()),
    };
    Negotiation { state: STATE_NEGOTIATE, ways: ways.iter().map(way).collect() }
}

fn accept(rpc: Level, ways: &[(&str, &str)]) -> Result<(), String> {
    Policy { kerberos: true, rpc, key: "k" }.accept("nn:1", &offer(ways)).map_err(|problem| problem.to_string())
}

#[test]
fn a_server_offers_at_least_what_is_demanded() {
    let challenge = |qop: &str| format!("realm=\"default\",nonce=\"x\",qop=\"{qop}\",charset=utf-8");
    let privacy = challenge("auth-conf");
    assert_eq!(accept(Level::Privacy, &[("TOKEN", &privacy), ("KERBEROS", "")]), Ok(()));
    assert_eq!(accept(Level::Authentication, &[("TOKEN", &privacy)]), Ok(()));
    let error = accept(Level::Integrity, &[("TOKEN", &challenge("auth")), ("KERBEROS", "")]).unwrap_err();
    assert_eq!(error, "nn:1 offers authentication, but k demands integrity");
    assert_eq!(accept(Level::Integrity, &[("TOKEN", &challenge("auth,auth-int"))]), Ok(()));
    assert_eq!(accept(Level::Authentication, &[("KERBEROS", "")]), Ok(()));
    assert!(accept(Level::Privacy, &[("KERBEROS", "")]).is_err());
}

#[test]
fn a_server_that_asks_for_no_login_is_refused() {
    let error = accept(Level::Authentication, &[("SIMPLE", ""), ("KERBEROS", "")]).unwrap_err();
    assert_eq!(error, "nn:1 offers a login without Kerberos, but hadoop.security.authentication demands kerberos");
}

#[test]
fn a_server_that_demands_kerberos_is_told_from_one_that_does_not() {
    let open = Policy { kerberos: false, rpc: Level::Authentication, key: "k" };
    assert!(open.accept("nn:1", &offer(&[("SIMPLE", "")])).is_ok());
    let error = open.accept("nn:1", &offer(&[("TOKEN", ""), ("KERBEROS", "")])).unwrap_err().to_string();
    assert_eq!(error, "nn:1 demands Kerberos, and hadoop.security.authentication does not");
}

#[test]
fn levels_are_read_from_a_challenge() {
    assert_eq!(levels(b"qop=auth,nonce=1"), [Level::Authentication]);
    assert_eq!(levels(b"nonce=1,qop=\"auth-conf, auth-int\""), [Level::Privacy, Level::Integrity]);
    assert_eq!(levels(b"nonce=1"), []);
    assert_eq!(levels(&[0xff, 0, b'q']), []);
    for (level, name, _) in Level::ALL {
        assert_eq!((Level::named(name), level.name()), (Some(level), name));
    }
}

// What a stranger may answer: the question ends without a panic, and without much memory.
#[tokio::test]
async fn an_answer_is_read_with_care() {
    let header = ResponseHeader { status: 0, class: String::new(), message: String::new() }.encode_length_delimited_to_vec();
    let good = [header.clone(), offer(&[("KERBEROS", "")]).encode_length_delimited_to_vec()].concat();
    let refused = ResponseHeader { status: 2, class: "E".to_owned(), message: "no".to_owned() }.encode_length_delimited_to_vec();
    let sized = |length: usize, body: &[u8]| [&(length as u32).to_be_bytes()[..], body].concat();
    for (answer, says) in [
        (sized(good.len(), &good), None),
        (sized(refused.len(), &refused), Some("it refused: E no")),
        (sized(1 << 30, b""), Some("an answer of 1073741824 bytes")),
        (sized(4, b"\xff\xff\xff\xff"), Some("")),
        (sized(100, b"short"), Some("")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 11];
            stream.read_exact(&mut hello).unwrap();
            let mut question = vec![0; u32::from_be_bytes([hello[7], hello[8], hello[9], hello[10]]) as usize];
            stream.read_exact(&mut question).unwrap();
            stream.write_all(&answer).unwrap();
            question
        });
        let asked = ask(&server).await;
        let question = serve.join().unwrap();
        assert!(question.ends_with(&[2, 0x10, 1]), "{question:?}");
        match says {
            None => assert_eq!(asked.unwrap(), offer(&[("KERBEROS", "")])),
            Some(says) => assert!(asked.unwrap_err().to_string().contains(says)),
        }
    }
}

// A DataNode may say what it likes as well.
#[tokio::test]
async fn a_data_nodes_answer_is_read_with_care() {
    let challenge = |qop: &str| DataHandshake { status: 0, payload: Some(format!("qop=\"{qop}\"").into_bytes()) };
    let long = challenge(&"auth-conf,".repeat(20)).encode_length_delimited_to_vec();
    for (answer, expect) in [
        (challenge("auth,auth-int").encode_length_delimited_to_vec(), Ok(Some(Level::Integrity))),
        (long, Ok(Some(Level::Privacy))),
        (DataHandshake { status: 1, payload: None }.encode_length_delimited_to_vec(), Ok(None)),
        (Vec::new(), Ok(None)),
        (vec![0x85, 0x80, 0x80], Err(())),
        (vec![20, 1, 2], Err(())),
        (vec![2, 0xff, 0xff], Err(())),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let serve = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 7];
            stream.read_exact(&mut hello).unwrap();
            stream.write_all(&answer).unwrap();
            hello
        });
        let asked = ask_for_data(&server).await;
        assert_eq!(serve.join().unwrap(), [0xde, 0xad, 0xbe, 0xef, 2, 8, 0]);
        let strongest = asked.map(|challenge| challenge.and_then(|challenge| levels(&challenge).into_iter().max()));
        assert_eq!(strongest.map_err(drop), expect);
    }
}
