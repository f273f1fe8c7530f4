//! The two ciphers of a sealed file: age around the data key, AES-256-GCM around each value.

use std::io::{Read, Write};

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use age::secrecy::{ExposeSecret, SecretBox};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::OpenError;
use super::identity::Identities;
use super::metadata::Metadata;

/// SOPS takes 32 bytes of nonce where the usual AES-GCM takes 12.
type SopsCipher = AesGcm<Aes256, U32>;

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const PREFIX: &str = "ENC[AES256_GCM,";

/// The key under which the values of a file are sealed.
pub(super) struct DataKey(SecretBox<[u8; KEY_BYTES]>);

impl DataKey {
    /// A key from the system's source of randomness.
    pub(super) fn fresh() -> Result<Self, OpenError> {
        Ok(Self(SecretBox::new(Box::new(random()?))))
    }
}

fn random() -> Result<[u8; KEY_BYTES], OpenError> {
    let mut bytes = [0_u8; KEY_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| OpenError::NoRandom { message: error.to_string() })?;
    Ok(bytes)
}

/// Why one value could not be opened.
pub(super) enum ValueError {
    /// It is not in the form that SOPS writes.
    NotSealed,
    /// It is, and is broken.
    Malformed(&'static str),
    /// It was not sealed at this place with this key.
    Refused,
}

/// A value that was opened.
pub(super) struct OpenedValue {
    pub(super) text: String,
    /// SOPS keeps comments as values in some lists; they are not part of the whole.
    pub(super) is_comment: bool,
}

/// Unwrap the data key with the first recipient that one of the keys belongs to.
pub(super) fn data_key(
    file: &str,
    metadata: &Metadata,
    identities: &Identities,
) -> Result<DataKey, OpenError> {
    for wrapped in &metadata.wrapped {
        let broken = |what: &str| {
            OpenError::malformed(file, wrapped.line, format!("the wrapped data key {what}"))
        };
        let armored = age::armor::ArmoredReader::new(wrapped.armor.as_bytes());
        let decryptor = age::Decryptor::new_buffered(armored)
            .map_err(|_| broken("is not an age file in armor"))?;
        let mut reader = match decryptor.decrypt(identities.keys()) {
            Ok(reader) => reader.take(KEY_BYTES as u64 + 1),
            Err(age::DecryptError::NoMatchingKeys) => continue,
            Err(_) => return Err(broken("is damaged")),
        };
        let mut plain = Vec::with_capacity(KEY_BYTES + 1);
        reader.read_to_end(&mut plain).map_err(|_| broken("is damaged"))?;
        let key: [u8; KEY_BYTES] =
            plain.try_into().map_err(|_| broken("does not have 32 bytes"))?;
        return Ok(DataKey(SecretBox::new(Box::new(key))));
    }
    let recipients = metadata.wrapped.iter().map(|wrapped| wrapped.recipient.key.clone());
    Err(OpenError::NoMatchingKey { file: file.to_string(), recipients: recipients.collect() })
}

/// The data key, wrapped for one more recipient.
pub(super) fn wrapped(key: &DataKey, recipient: &dyn age::Recipient) -> std::io::Result<String> {
    let failed = |_| std::io::Error::other("the recipient takes no key");
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).map_err(failed)?;
    let armor = age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor)?;
    let mut writer = encryptor.wrap_output(armor)?;
    writer.write_all(key.0.expose_secret())?;
    let armored = writer.finish()?.finish()?;
    String::from_utf8(armored).map_err(std::io::Error::other)
}

/// Whether a text is in the form of a sealed value.
pub(super) fn looks_sealed(text: &str) -> bool {
    parse(text).is_ok()
}

/// Open one value that was sealed to `place`.
pub(super) fn value(key: &DataKey, place: &str, text: &str) -> Result<OpenedValue, ValueError> {
    let sealed = parse(text)?;
    let nonce = Nonce::<U32>::try_from(sealed.nonce.as_slice())
        .map_err(|_| ValueError::Malformed("has a nonce that is not 32 bytes long"))?;
    let cipher = SopsCipher::new(key.0.expose_secret().into());
    let payload = Payload { msg: &sealed.content, aad: place.as_bytes() };
    let plain = cipher.decrypt(&nonce, payload).map_err(|_| ValueError::Refused)?;
    let text =
        String::from_utf8(plain).map_err(|_| ValueError::Malformed("is not UTF-8 inside"))?;
    Ok(OpenedValue { text, is_comment: sealed.kind == "comment" })
}

/// A text sealed to `place`, of the type that the sealed value `model` has.
pub(super) fn sealed(
    key: &DataKey,
    place: &str,
    model: &str,
    plain: &str,
) -> Result<String, OpenError> {
    let kind = parse(model).map_or("str", |sealed| sealed.kind);
    let bytes = random()?;
    let nonce = Nonce::<U32>::from(bytes);
    let cipher = SopsCipher::new(key.0.expose_secret().into());
    let payload = Payload { msg: plain.as_bytes(), aad: place.as_bytes() };
    let failed = |_| OpenError::NoRandom { message: "the cipher refused a value".to_string() };
    let mut data = cipher.encrypt(&nonce, payload).map_err(failed)?;
    let tag = data.split_off(data.len().saturating_sub(TAG_BYTES));
    let [data, iv, tag] = [data, bytes.to_vec(), tag].map(|part| STANDARD.encode(part));
    Ok(format!("{PREFIX}data:{data},iv:{iv},tag:{tag},type:{kind}]"))
}

struct Sealed<'a> {
    /// Ciphertext, then tag.
    content: Vec<u8>,
    nonce: Vec<u8>,
    kind: &'a str,
}

/// `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`
fn parse(text: &str) -> Result<Sealed<'_>, ValueError> {
    let inner = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.ok_or(ValueError::NotSealed)?;
    let mut parts = inner.split(',');
    let mut part = |name: &str| {
        let part = parts.next().and_then(|part| part.strip_prefix(name)?.strip_prefix(':'));
        part.ok_or(ValueError::NotSealed)
    };
    let (data, iv, tag, kind) = (part("data")?, part("iv")?, part("tag")?, part("type")?);
    let decode = |text: &str| {
        STANDARD.decode(text).map_err(|_| ValueError::Malformed("is not base64 inside"))
    };
    let (mut content, nonce) = (decode(data)?, decode(iv)?);
    content.extend(decode(tag)?);
    Ok(Sealed { content, nonce, kind })
}
