//! What all clients of AWS have in common: who we are, and the TLS stack.

use aws_config::{
    default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use aws_sdk_s3::config::{Region, SharedHttpClient};
use aws_smithy_http_client::{Builder, tls};
use tokio::sync::OnceCell;

/// The client that all of them share the settings of: rustls with ring, as everywhere else.
pub(crate) fn http_client() -> SharedHttpClient {
    Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https()
}

/// These keys, or without them, what the environment, the profile, the task or the machine gives.
pub(crate) fn credentials(
    access_key: &str,
    secret_key: &str,
    region: &str,
) -> SharedCredentialsProvider {
    if access_key.is_empty() {
        return SharedCredentialsProvider::new(Chain {
            region: Region::new(region.to_owned()),
            found: OnceCell::new(),
        });
    }
    SharedCredentialsProvider::new(Credentials::new(
        access_key, secret_key, None, None, "millrace",
    ))
}

/// The chain of the SDK, put together when it is asked for the first time: that may take requests, and clients are made
/// where nobody waits.
#[derive(Debug)]
struct Chain {
    region: Region,
    found: OnceCell<DefaultCredentialsChain>,
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let build = || {
                let config = ProviderConfig::without_region()
                    .with_region(Some(self.region.clone()))
                    .with_http_client(http_client());
                DefaultCredentialsChain::builder()
                    .configure(config)
                    .region(self.region.clone())
                    .build()
            };
            let chain = self.found.get_or_init(build).await;
            chain.provide_credentials().await
        })
    }
}
