//! `s3_server FOLDER ADDRESS ORIGIN`: the local S3 server as a process of its own, which tests kill.

use anyhow::{Context as _, Result};
use millrace_local::s3::{S3Options, S3Server};
use millrace_tests::store::{ACCESS_KEY, BUCKET, SECRET_KEY};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<()> {
    const USAGE: &str = "usage: s3_server FOLDER ADDRESS ORIGIN";
    let mut words = std::env::args().skip(1);
    let mut word = || words.next().context(USAGE);
    let options = S3Options {
        data_dir: word()?.into(),
        addr: word()?.parse().context(USAGE)?,
        buckets: vec![BUCKET.to_owned()],
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        cors_origins: vec![word()?],
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let server = S3Server::bind(options).await?;
    let serving = server.run(shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(()),
        _ = terminate.recv() => shutdown.cancel(),
    }
    serving.await;
    Ok(())
}
