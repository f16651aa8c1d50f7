//! People: who they are, the devices they are signed in on, how often they may try, and tickets for the socket.

/// Roles and what each includes.
mod role;
/// Devices and their rotating refresh tokens.
mod sessions;
/// Token buckets in the database, shared by all replicas.
mod throttle;
/// Single-use tickets that open a socket.
mod tickets;
/// User records.
mod users;

pub use role::Role;
pub use sessions::{Rotation, Session};
pub use throttle::{Bucket, forgive, take};
pub use tickets::{Admitted, Ticket};
pub use users::{Login, NewUser, User, UserError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// A new opaque secret of 256 bits, as text, and the hash under which it is stored.
fn new_secret() -> (String, Vec<u8>) {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_secret(&text);
    (text, hash)
}

/// What is stored of a secret. A plain hash is enough: 256 random bits cannot be guessed, unlike a password.
fn hash_secret(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}
