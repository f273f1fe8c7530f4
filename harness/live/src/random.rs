//! Random names and passwords.

/// The system has no random numbers to give.
#[derive(Debug, thiserror::Error)]
#[error("failed to get random bytes from the system: {0}")]
pub struct RandomError(getrandom::Error);

/// 32 hexadecimal digits from the system's source of randomness.
pub fn nonce() -> Result<String, RandomError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(RandomError)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
