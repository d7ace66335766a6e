//! A key for each frame.

use framesign::{
    Credentials, Signer, SigningKey,
    codec::{CodecError, CodecMisuse, SigningCodec, SigningEvent},
};
use futures_util::StreamExt;
use tokio_util::codec::FramedRead;

use crate::stages::DATE;

fn key(access_key: &str) -> SigningKey {
    let credentials = Credentials::new(access_key, "secret").unwrap();
    SigningKey::derive(&credentials, DATE.parse().unwrap())
}

fn frame(access_key: &str) -> Vec<u8> {
    format!("PUT / HTTP/1.1\r\nHost: a\r\nKey: {access_key}\r\nContent-Length: 5\r\n\r\nhello")
        .into_bytes()
}

#[tokio::test]
async fn each_frame_is_signed_with_the_key_that_its_head_asks_for() {
    let names = ["one", "two", "one", "three"];
    let input = names.map(frame).concat();
    let mut frames = FramedRead::new(&input[..], SigningCodec::with_key_per_frame());
    let mut signatures = Vec::new();
    while let Some(event) = frames.next().await {
        match event.unwrap() {
            SigningEvent::Head(head) => {
                let name = head.values("key").next().unwrap();
                tokio::task::yield_now().await;
                let key = key(str::from_utf8(&name).unwrap());
                frames.decoder_mut().provide(key).unwrap();
            }
            SigningEvent::Signed(signature) => signatures.push(signature),
            _ => {}
        }
    }
    let expected = names.map(|name| {
        let mut signer = Signer::new(&key(name));
        signer.update(&frame(name)).unwrap();
        signer.finish().unwrap()
    });
    assert_eq!(signatures, expected);
}

#[test]
fn the_message_of_a_misuse_says_what_to_call() {
    for (misuse, call) in [
        (CodecMisuse::NoKey, "call `provide`"),
        (CodecMisuse::Upgrade, "call `resume`"),
        (CodecMisuse::Tunnel, "by `into_parts`"),
        (CodecMisuse::UnaskedKey, "call `provide`"),
    ] {
        let message = misuse.to_string();
        assert!(message.contains(call), "{message}");
        assert_eq!(CodecError::from(misuse).to_string(), message);
    }
}

#[tokio::test]
async fn going_on_without_a_key_is_a_misuse_that_loses_nothing() {
    let input = frame("one");
    let mut frames = FramedRead::new(&input[..], SigningCodec::with_key_per_frame());
    let is_unasked = |result| assert_eq!(result, Err(CodecMisuse::UnaskedKey));
    is_unasked(frames.decoder_mut().provide(key("one")));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Head(_)))));
    let misuse = frames.next().await;
    assert!(matches!(misuse, Some(Err(CodecError::Misuse(CodecMisuse::NoKey)))), "{misuse:?}");
    assert!(frames.next().await.is_none());
    frames.decoder_mut().provide(key("one")).unwrap();
    is_unasked(frames.decoder_mut().provide(key("one")));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Data(data))) if data == "hello"));
    assert!(matches!(frames.next().await, Some(Ok(SigningEvent::Signed(_)))));
    is_unasked(frames.decoder_mut().provide(key("one")));
    is_unasked(SigningCodec::new(key("one")).provide(key("one")));
}
