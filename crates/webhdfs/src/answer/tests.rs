use super::*;
use std::time::Duration;

fn target() -> Target {
    Target { server: "http://nn:9870".into(), user: "alice".into(), connect: Duration::ZERO, whole: Duration::ZERO }
}

fn refused(status: u16, body: &str) -> Error {
    let request = Request::put("RENEWDELEGATIONTOKEN").with("token", "SECRET");
    refusal(&request, status, body.as_bytes(), &target())
}

#[test]
fn an_exception_is_named_shortly_and_without_secrets() {
    let body = format!(
        r#"{{"RemoteException": {{"exception": "InvalidToken", "javaClassName": "a.b$InvalidToken", "message": "SECRET \u001b[31m{}\n\tat java"}}}}"#,
        "x".repeat(1000)
    );
    let Error::Refused { class, message, operation, .. } = refused(403, &body) else { panic!("no refusal") };
    assert_eq!((class.as_str(), operation, message.len()), ("InvalidToken", "RENEWDELEGATIONTOKEN", MESSAGE_MAX));
    assert!(message.starts_with("<token> [31mx"), "{message}");
}

#[test]
fn what_is_wrong_with_who_asks_is_taken_out_of_its_wrapping() {
    let body = r#"{"RemoteException": {"exception": "SecurityException", "message": "Failed to obtain user group information: a.b.SecretManager$InvalidToken: Token has expired"}}"#;
    let Error::Refused { class, message, .. } = refused(403, body) else { panic!("no refusal") };
    assert_eq!((class.as_str(), message.as_str()), ("InvalidToken", "Token has expired"));
}

#[test]
fn a_page_is_told_by_its_title() {
    let page = "<html><head><title>Error 401 Authentication required</title></head><body>SECRET</body></html>";
    let text = refused(401, page).to_string();
    assert!(text.contains("does not let alice in: 401 Authentication required; "), "{text}");
    for body in ["", "{}", "SECRET", r#"{"RemoteException": 5}"#] {
        let text = refused(500, body).to_string();
        assert!(text.contains(": 500 ; ") && !text.contains("SECRET"), "{text}");
    }
}

#[test]
fn blocks_are_read_with_what_is_of_interest() {
    let node = r#"{"hostName": "one", "ipAddr": "10.0.0.1", "xferPort": 9866, "adminState": "NORMAL"}"#;
    let block = format!(
        r#"{{"startOffset": 128, "block": {{"blockId": 7, "numBytes": 64}}, "blockToken": {{"urlString": "x"}}, "locations": [{node}]}}"#
    );
    let body = format!(r#"{{"LocatedBlocks": {{"fileLength": 192, "isUnderConstruction": false, "locatedBlocks": [{block}]}}}}"#);
    let blocks: Blocks = read::<Located>(body.as_bytes()).unwrap().into();
    let expected = Block { offset: 128, length: 64, hosts: vec!["one".into()], data_nodes: vec!["10.0.0.1:9866".into()] };
    assert_eq!(blocks, Blocks { file_length: 192, blocks: vec![expected] });
}

#[test]
fn what_is_no_answer_is_told_by_its_place_alone() {
    for body in ["", "SECRET", r#"{"long": "SECRET"}"#, r#"{"long": -1}"#] {
        let text = read::<Renewed>(body.as_bytes()).err().unwrap();
        assert!(text.contains("at byte ") && !text.contains("SECRET"), "{text}");
    }
}

#[test]
fn a_server_without_tokens_gives_none() {
    assert!(read::<Given>(br#"{"Token": null}"#).unwrap().token().is_none());
    assert_eq!(read::<Given>(br#"{"Token": {"urlString": "abc"}}"#).unwrap().token().unwrap().as_str(), "abc");
}
