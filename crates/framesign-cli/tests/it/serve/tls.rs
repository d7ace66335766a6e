//! Encrypted connections with HTTP/1.1, certificates of both sides, and their renewal.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::{
    Connection, Service,
    certificates::{Authority, Encrypted, Files, connect},
    head, serve, startup, token_of,
};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// Whether the service lets a client in and answers.
fn is_answered(mut connection: Connection<Encrypted>) -> bool {
    // The handshake may fail already.
    let _ = connection.stream.write_all(LIVEZ.as_bytes());
    connection.rest().starts_with(b"HTTP/1.1 200 ")
}

/// The certificate that the service shows.
fn shown(service: &Service, authority: &Authority) -> Vec<u8> {
    let mut connection = connect(service, authority.client(None, &[]));
    connection.send(LIVEZ);
    assert_eq!(connection.answer().status, 200);
    connection.stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn http_1_1_is_spoken_over_tls() {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&[]);
    for protocols in [&["http/1.1"][..], &[]] {
        let mut connection = connect(&service, authority.client(None, protocols));
        for _ in 0..2 {
            connection.send(head("/token", 5) + "bytes");
            assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
        }
    }
}

#[test]
fn client_that_is_done_sending_gets_its_answer() {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&[]);
    let mut connection = connect(&service, authority.client(None, &[]));
    connection.send(head("/token", 5) + "bytes");
    connection.stream.conn.send_close_notify();
    connection.stream.flush().unwrap();
    assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
    assert!(connection.has_ended());
}

#[test]
fn refusal_reaches_a_client_that_is_still_sending() {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&["--max-body", "1024"]);
    let mut connection = connect(&service, authority.client(None, &[]));
    connection.send(head("/token", 200_000) + &"x".repeat(200_000));
    assert_eq!(connection.answer().status, 413);
}

#[test]
fn handshake_that_does_not_come_is_ended() {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&["--head-timeout", "0.3"]);
    assert!(service.connect().has_ended());
    // Nor does it come after what is no handshake, or the first half of one.
    for bytes in [LIVEZ.as_bytes(), b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut connection = service.connect();
        connection.send(bytes);
        connection.rest();
    }
    assert!(is_answered(connect(&service, authority.client(None, &[]))));
}

#[test]
fn request_that_does_not_come_is_ended() {
    let authority = Authority::new();
    let service = Files::of(&authority.identity()).serve(&["--head-timeout", "0.3"]);
    for sent in ["", "GET /livez HTTP/1.1\r\n"] {
        let mut connection = connect(&service, authority.client(None, &[]));
        connection.send(sent);
        assert!(connection.has_ended());
    }
}

#[test]
fn hangup_brings_the_new_certificate_and_keeps_connections() {
    let authority = Authority::new();
    let (old, new) = (authority.identity(), authority.identity());
    let files = Files::of(&old);
    let service = files.serve(&[]);
    let mut connection = connect(&service, authority.client(None, &[]));
    connection.send(head("/token", 5) + "by");
    assert_eq!(shown(&service, &authority), old.der());
    files.put(&new);
    service.hangup();
    service.wait_for_log("certificates were read again");
    assert_eq!(shown(&service, &authority), new.der());
    connection.send("tes");
    assert_eq!(connection.answer().json()["token"], token_of(b"bytes"));
}

#[test]
fn files_that_became_unusable_change_nothing() {
    let authority = Authority::new();
    let (old, new) = (authority.identity(), authority.identity());
    let files = Files::of(&old);
    let service = files.serve(&[]);
    // A certificate without its key.
    files.write("certificate.pem", &new.pem());
    service.hangup();
    service.wait_for_log("stay as they were");
    assert_eq!(shown(&service, &authority), old.der());
    files.put(&new);
    service.hangup();
    service.wait_for_log("certificates were read again");
    assert_eq!(shown(&service, &authority), new.der());
}

#[test]
fn only_clients_of_the_authority_are_let_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = Files::of(&authority.identity());
    let clients = files.write("clients.pem", &authority.pem());
    let service = files.serve(&["--tls-client-ca", &clients]);
    let (known, unknown) = (authority.identity(), other.identity());
    assert!(is_answered(connect(&service, authority.client(Some(&known), &[]))));
    assert!(!is_answered(connect(&service, authority.client(Some(&unknown), &[]))));
    assert!(!is_answered(connect(&service, authority.client(None, &[]))));
}

#[test]
fn network_is_answered_where_clients_show_certificates() {
    let (authority, other) = (Authority::new(), Authority::new());
    let files = Files::of(&authority.identity());
    let clients = files.write("clients.pem", &authority.pem());
    let service = files.serve(&["--listen", "0.0.0.0:0", "--tls-client-ca", &clients]);
    let (known, unknown) = (authority.identity(), other.identity());
    assert!(is_answered(connect(&service, authority.client(Some(&known), &[]))));
    assert!(!is_answered(connect(&service, authority.client(Some(&unknown), &[]))));
}

#[test]
fn client_is_known_by_its_certificate() {
    let authority = Authority::new();
    let files = Files::of(&authority.identity());
    let clients = files.write("clients.pem", &authority.pem());
    let service = files.serve(&["--tls-client-ca", &clients]);
    let identity = authority.identity();
    let mut connection = connect(&service, authority.client(Some(&identity), &[]));
    connection.send(head("/token", 5) + "bytes");
    assert_eq!(connection.answer().status, 200);
    let fingerprint = hex::encode(&Sha256::digest(identity.der())[..8]);
    service.wait_for_log(&format!("caller=\"{fingerprint}\""));
}

#[test]
fn operators_need_no_certificate() {
    let authority = Authority::new();
    let files = Files::of(&authority.identity());
    let clients = files.write("clients.pem", &authority.pem());
    let service = files.serve(&["--tls-client-ca", &clients, "--admin-listen", "127.0.0.1:0"]);
    let mut connection = Connection::open(service.admin.unwrap());
    connection.send(LIVEZ);
    assert_eq!(connection.answer().status, 200);
}

#[test]
fn unusable_files_are_named() {
    let authority = Authority::new();
    let (one, other) = (authority.identity(), authority.identity());
    let files = Files::of(&one);
    let (certificate, key) = (files.write("c", &one.pem()), files.write("k", &one.key_pem()));
    let (empty, garbage) = (files.write("empty", ""), files.write("garbage", "-----BEGIN"));
    let other_key = files.write("other", &other.key_pem());
    let missing = files.path("missing").into_os_string().into_string().unwrap();
    for (certificate, key, clients, named, expected) in [
        (&missing, &key, None, &missing, "No such file"),
        (&certificate, &missing, None, &missing, "No such file"),
        (&empty, &key, None, &empty, "expected a certificate in PEM, found none"),
        (&garbage, &key, None, &garbage, "expected"),
        (&certificate, &empty, None, &empty, "expected a private key in PEM, found none"),
        (&certificate, &garbage, None, &garbage, "expected a private key in PEM"),
        (&certificate, &other_key, None, &other_key, "found that of another"),
        (&certificate, &key, Some(&missing), &missing, "No such file"),
        (&certificate, &key, Some(&empty), &empty, "expected a certificate in PEM, found none"),
    ] {
        let mut command = serve(&["--tls-certificate", certificate, "--tls-key", key]);
        command.args(clients.iter().flat_map(|clients| ["--tls-client-ca", clients.as_str()]));
        let complaint = startup::complaint(&mut command);
        assert!(complaint.starts_with(named.as_str()), "{complaint}");
        assert!(complaint.contains(expected), "{complaint}");
    }
}
