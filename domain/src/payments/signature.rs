//! Whether a provider said something.

/// Why bytes are not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("there is no signature")]
    Missing,
    #[error("the signature cannot be read")]
    Malformed,
    #[error("the signature is too old, or from the future")]
    Stale,
    #[error("the signature is not the provider's")]
    Wrong,
}
