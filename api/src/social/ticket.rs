//! Tickets that prove that somebody watched: who, what, and since when. A view counts only when the ticket is old enough,
//! so that nobody can count faster than they could watch. An anonymous viewer's id is signed as well, so that ids are ours.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_domain::ids::VideoId;
use sha2::Sha256;
use uuid::Uuid;

/// What a MAC is made for, so that it can stand for nothing else under the same key.
const PURPOSE: &[u8] = b"millrace watch v1";
const MAC: usize = 32;
const TICKET: usize = 16 + 16 + 8;
/// How long a ticket is good for, in seconds: longer than anybody watches without a pause.
const LIFE: u64 = 24 * 60 * 60;

/// What a ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub video: VideoId,
    /// An account, or an anonymous id.
    pub viewer: Uuid,
    /// Milliseconds since 1970.
    pub since: u64,
}

/// The key that signs tickets and anonymous ids.
#[derive(Clone)]
pub(crate) struct TicketKey(Hmac<Sha256>);

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketKey")
    }
}

impl TicketKey {
    /// A key from the configured secret.
    pub(crate) fn new(secret: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(PURPOSE);
        Self(mac)
    }

    fn sign(&self, body: &[u8]) -> String {
        let mac = self.0.clone().chain_update(body).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([body, mac.as_slice()].concat())
    }

    fn open(&self, text: &str, length: usize) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, mac) = bytes.split_at_checked(length)?;
        if mac.len() != MAC {
            return None;
        }
        self.0.clone().chain_update(body).verify_slice(mac).ok()?;
        Some(body.to_vec())
    }

    /// A ticket as text.
    pub(super) fn mint(&self, ticket: Ticket) -> String {
        let mut body = [0_u8; TICKET];
        body[..16].copy_from_slice(ticket.video.0.as_bytes());
        body[16..32].copy_from_slice(ticket.viewer.as_bytes());
        body[32..].copy_from_slice(&ticket.since.to_be_bytes());
        self.sign(&body)
    }

    /// What a ticket says if we signed it and it is not too old at `now`, in milliseconds.
    pub(super) fn read(&self, text: &str, now: u64) -> Option<Ticket> {
        let body = self.open(text, TICKET)?;
        let ticket = Ticket {
            video: VideoId(Uuid::from_slice(&body[..16]).ok()?),
            viewer: Uuid::from_slice(&body[16..32]).ok()?,
            since: u64::from_be_bytes(body[32..].try_into().ok()?),
        };
        (now.saturating_sub(ticket.since) < LIFE * 1_000).then_some(ticket)
    }

    /// An anonymous id as text.
    pub(super) fn sign_viewer(&self, id: Uuid) -> String {
        self.sign(id.as_bytes())
    }

    /// The anonymous id that we signed.
    pub(super) fn viewer(&self, text: &str) -> Option<Uuid> {
        Uuid::from_slice(&self.open(text, 16)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_says_what_it_was_made_of_until_it_is_a_day_old() {
        let key = TicketKey::new("0123456789abcdef0123456789abcdef");
        let ticket = Ticket {
            video: VideoId::new(),
            viewer: Uuid::now_v7(),
            since: 5_000,
        };
        let text = key.mint(ticket);
        assert_eq!(key.read(&text, 5_000), Some(ticket));
        assert_eq!(key.read(&text, 5_000 + LIFE * 1_000), None);
        let id = Uuid::now_v7();
        assert_eq!(key.viewer(&key.sign_viewer(id)), Some(id));
    }

    #[test]
    fn forgeries_and_one_for_the_other_are_refused() {
        let key = TicketKey::new("0123456789abcdef0123456789abcdef");
        let other = TicketKey::new("fedcba9876543210fedcba9876543210");
        let ticket = Ticket {
            video: VideoId::new(),
            viewer: Uuid::now_v7(),
            since: 5_000,
        };
        let good = key.mint(ticket);
        for text in [
            "",
            "x",
            &good[1..],
            &format!("{good}A"),
            &other.mint(ticket),
            &key.sign_viewer(ticket.viewer),
        ] {
            assert_eq!(key.read(text, 5_000), None, "{text}");
        }
        for text in ["", &good, &other.sign_viewer(ticket.viewer)] {
            assert_eq!(key.viewer(text), None, "{text}");
        }
    }
}
