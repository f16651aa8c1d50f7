//! People: who they are, the devices they are signed in on, how often they may try, and tickets for the socket.

/// Pictures of people on their way to being shown.
mod avatar;
/// Between the two steps of a log-in.
mod challenge;
/// The devices that a person is signed in on, as they see them.
mod devices;
/// A copy of what an account holds.
mod export;
/// The end of an account.
mod farewell;
/// Invitations: each lets one person register.
mod invites;
/// Single-use links that are sent by mail.
mod links;
/// Pictures made small.
pub mod picture;
/// Roles and what each includes.
mod role;
/// Secrets that have to be read again, encrypted at rest.
mod seal;
/// Codes of an authenticator application, and codes on paper.
mod second_factor;
/// Devices and their rotating refresh tokens.
mod sessions;
/// What staff change of an account.
mod staff;
/// Token buckets in the database, shared by all replicas.
mod throttle;
/// Single-use tickets that open a socket.
mod tickets;
/// User records.
mod users;

pub use avatar::{Avatar, AvatarStatus};
pub use challenge::Challenge;
pub use devices::Device;
pub use export::Export;
pub use farewell::Leftovers;
pub use invites::Invite;
pub use links::{Holder, Link, Purpose};
pub use role::Role;
pub use seal::Sealer;
pub use second_factor::{Enrolment, SecondFactor, SecondFactorError};
pub use sessions::{Rotation, Session};
pub use throttle::{Bucket, forgive, take};
pub use tickets::{Admitted, Ticket};
pub use users::{Login, NewUser, Profile, User, UserError};

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
