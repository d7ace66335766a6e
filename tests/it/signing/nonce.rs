//! Nonces, which make two signatures of one head.

use framesign::{
    ApiMisuse, SigningError, SigningOptions,
    verify::{FieldNames, Policy, Reason},
};

use super::{HEAD, fixed, sign, signature_of, signed, values, verify, with};

#[test]
fn a_nonce_makes_two_signatures_of_one_head() {
    let options = SigningOptions::default();
    let heads: Vec<_> = (0..3).map(|_| signed(HEAD, &options)).collect();
    for (at, head) in heads.iter().enumerate() {
        let [nonce] = values(head, "dynata-nonce")[..] else { panic!("{head}") };
        assert_eq!(nonce.len(), 32);
        assert!(nonce.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{nonce}");
        assert_eq!(values(head, "dynata-signature"), [signature_of(head)]);
        verify(head, &Policy::default()).unwrap();
        for other in &heads[..at] {
            assert_ne!(values(head, "dynata-nonce"), values(other, "dynata-nonce"));
            assert_ne!(values(head, "dynata-signature"), values(other, "dynata-signature"));
        }
    }
    // It is signed.
    let nonce = values(&heads[0], "dynata-nonce")[0];
    let forged = heads[0].replace(nonce, values(&heads[1], "dynata-nonce")[0]);
    assert_eq!(verify(&forged, &Policy::default()), Err(Reason::Signature));
}

#[test]
fn without_a_nonce_two_heads_are_the_same() {
    let options = SigningOptions::default().without_nonce();
    let head = signed(HEAD, &options);
    assert!(values(&head, "dynata-nonce").is_empty());
    assert_eq!(signed(HEAD, &options), head);
    verify(&head, &Policy::default()).unwrap();
}

#[test]
fn a_nonce_that_is_there_is_kept() {
    let longest = "n".repeat(128);
    for nonce in ["a", "!~", longest.as_str()] {
        let given = SigningOptions::default().nonce(nonce).unwrap();
        assert_eq!(values(&signed(HEAD, &given), "dynata-nonce"), [nonce]);
        for options in [SigningOptions::default(), fixed(), given.without_nonce()] {
            let head = signed(&with(&format!("Dynata-Nonce:  {nonce} \r\n")), &options);
            assert_eq!(values(&head, "dynata-nonce"), [format!(" {nonce} ")]);
            verify(&head, &Policy::default()).unwrap();
        }
    }
}

#[test]
fn a_nonce_that_is_none_is_an_error() {
    let too_long = "n".repeat(129);
    for nonce in ["", "a b", "a\tb", "schlüssel", too_long.as_str()] {
        assert_eq!(SigningOptions::default().nonce(nonce), Err(ApiMisuse::Nonce), "{nonce}");
        let head = with(&format!("dynata-nonce: {nonce}\r\n"));
        for options in [SigningOptions::default(), SigningOptions::default().without_nonce()] {
            let error = sign(&head, &options).unwrap_err();
            assert_eq!(error, SigningError::Misuse(ApiMisuse::Nonce), "{nonce}");
        }
    }
    let twice = with("dynata-nonce: a\r\nDynata-Nonce: a\r\n");
    let error = sign(&twice, &SigningOptions::default()).unwrap_err();
    assert!(error.to_string().starts_with("expected one nonce of 1 to 128 bytes"), "{error}");
}

/// Whoever calls one of the three fields so has no place for a nonce.
#[test]
fn no_nonce_is_added_beside_a_field_of_its_name() {
    let names = FieldNames::new("x-key", "x-date", "Dynata-Nonce").unwrap();
    let head = signed(HEAD, &SigningOptions::default().names(names.clone()));
    assert_eq!(values(&head, "dynata-nonce").len(), 1);
    verify(&head, &Policy::default().names(names)).unwrap();
}
