//! The ports of local mode: all of them follow from the first.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Where each part listens, on 127.0.0.1 only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The API and the web application.
    pub web: u16,
    /// The storage server.
    pub storage: u16,
    /// Metrics of the API.
    pub api_metrics: u16,
    /// Health and metrics of the worker.
    pub worker: u16,
    /// The SMTP sink.
    pub smtp: u16,
    /// The page of what it took.
    pub mailbox: u16,
    /// The payment sandbox.
    pub sandbox: u16,
}

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    #[error(
        "port {port} is taken by another program: set MILLRACE_PORT (Millrace uses that port and the six after it)"
    )]
    Taken { port: u16 },
    #[error("port {port} cannot be used")]
    Unusable { port: u16, source: std::io::Error },
    #[error("MILLRACE_PORT {0} leaves no room for the six ports after it: use at most 65529")]
    NoRoom(u16),
}

impl Ports {
    /// Seven ports in a row.
    ///
    /// # Errors
    /// There are no six ports after it.
    pub fn from_first(web: u16) -> Result<Self, PortError> {
        match web.checked_add(6) {
            Some(sandbox) if web > 0 => Ok(Self {
                web,
                storage: web + 1,
                api_metrics: web + 2,
                worker: web + 3,
                smtp: web + 4,
                mailbox: web + 5,
                sandbox,
            }),
            _ => Err(PortError::NoRoom(web)),
        }
    }

    /// Tries all of them before anything is started, so that a refusal comes at once and leaves nothing behind.
    ///
    /// # Errors
    /// The first that is taken.
    pub fn check(&self) -> Result<(), PortError> {
        for port in [
            self.web,
            self.storage,
            self.api_metrics,
            self.worker,
            self.smtp,
            self.mailbox,
            self.sandbox,
        ] {
            TcpListener::bind(local(port)).map_err(|source| match source.kind() {
                ErrorKind::AddrInUse => PortError::Taken { port },
                _ => PortError::Unusable { port, source },
            })?;
        }
        Ok(())
    }
}

/// A port of this machine that others cannot reach.
pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let other = TcpListener::bind(local(0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let ports = Ports {
            web: port,
            storage: port,
            api_metrics: port,
            worker: port,
            smtp: port,
            mailbox: port,
            sandbox: port,
        };
        assert!(
            ports
                .check()
                .unwrap_err()
                .to_string()
                .starts_with(&format!("port {port} is taken"))
        );
    }

    #[test]
    fn ports_follow_from_the_first() {
        let ports = Ports::from_first(8080).unwrap();
        assert_eq!(
            (ports.storage, ports.api_metrics, ports.worker),
            (8081, 8082, 8083)
        );
        assert_eq!(
            (ports.smtp, ports.mailbox, ports.sandbox),
            (8084, 8085, 8086)
        );
        Ports::from_first(65_530).unwrap_err();
        Ports::from_first(0).unwrap_err();
    }
}
