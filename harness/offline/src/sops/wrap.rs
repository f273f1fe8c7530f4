//! One more reader of a sealed file.

use age::x25519;

use super::cipher;
use super::error::OpenError;
use super::identity::Identities;
use super::metadata::Metadata;
use super::tree;

/// The data key of a file, wrapped for a public key. No value is opened, and nothing is written.
pub(crate) fn wrapped_for(
    file: &str,
    text: &str,
    identities: &Identities,
    recipient: &str,
) -> Result<String, OpenError> {
    let documents = tree::documents(file, text)?;
    let metadata = Metadata::read(file, &documents)?;
    let key = cipher::data_key(file, &metadata, identities)?;
    let malformed = |what: String| OpenError::malformed(file, 1, what);
    let recipient: x25519::Recipient = recipient
        .parse()
        .map_err(|reason| malformed(format!("the new recipient is none: {reason}")))?;
    cipher::wrapped(&key, &recipient).map_err(|error| malformed(error.to_string()))
}
