//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use crate::app::App;

/// The caller's address, for throttling: an IPv4 address, or the /64 of an IPv6 one, since a household has 2^64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(pub String);

impl FromRequestParts<App> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip());
        Ok(Self::of(peer, &parts.headers, app.settings.trust_proxy))
    }
}

impl Address {
    fn of(peer: Option<IpAddr>, headers: &HeaderMap, trust_proxy: bool) -> Self {
        // The last entry was written by our proxy; those before it by whoever asked.
        let forwarded = || {
            let last = headers
                .get_all("x-forwarded-for")
                .iter()
                .next_back()?
                .to_str()
                .ok()?;
            last.rsplit(',').next()?.trim().parse().ok()
        };
        let address = if trust_proxy {
            forwarded().or(peer)
        } else {
            peer
        };
        Self(match address.map(|a| a.to_canonical()) {
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => {
                let s = v6.segments();
                format!("{:x}:{:x}:{:x}:{:x}::/64", s[0], s[1], s[2], s[3])
            }
            None => "unknown".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: Option<&str>, trust: bool) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = forwarded {
            headers.insert("x-forwarded-for", value.parse().unwrap());
        }
        Address::of(Some(peer.parse().unwrap()), &headers, trust).0
    }

    #[test]
    fn a_header_counts_only_behind_a_proxy_and_only_its_last_entry() {
        assert_eq!(of("10.0.0.1", Some("1.2.3.4"), false), "10.0.0.1");
        assert_eq!(of("10.0.0.1", Some("6.6.6.6, 1.2.3.4"), true), "1.2.3.4");
        assert_eq!(of("10.0.0.1", Some("nonsense"), true), "10.0.0.1");
    }

    #[test]
    fn a_household_is_one_address() {
        assert_eq!(
            of("2001:db8:1:2:aaaa::1", None, false),
            of("2001:db8:1:2:bbbb::9", None, false)
        );
        assert_eq!(of("::ffff:1.2.3.4", None, false), "1.2.3.4");
    }
}
