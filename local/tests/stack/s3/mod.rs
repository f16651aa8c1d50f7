//! The S3-protocol server through the AWS SDK and plain HTTP.

/// Signatures, presigned URLs, CORS.
mod access;
/// Whole objects, ranges, lists.
mod objects;
/// Uploads in parts, and kills in between.
mod uploads;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier,
};
use aws_smithy_http_client::{Builder, tls};
use millrace_local::s3::{S3Options, S3Server};
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

const ORIGIN: &str = "http://127.0.0.1:18080";
const MIB: usize = 1024 * 1024;

struct Stack {
    s3: Client,
    http: reqwest::Client,
    folder: PathBuf,
    endpoint: String,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
    _temp: Option<tempfile::TempDir>,
}

impl Stack {
    async fn start() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let mut stack = Self::open(temp.path()).await;
        stack._temp = Some(temp);
        stack
    }

    async fn open(folder: &Path) -> Self {
        let options = S3Options {
            data_dir: folder.into(),
            addr: "127.0.0.1:0".parse().unwrap(),
            buckets: vec!["media".into()],
            access_key: "local".into(),
            secret_key: "secret".into(),
            cors_origins: vec![ORIGIN.into()],
        };
        let server = S3Server::bind(options).await.unwrap();
        let endpoint = format!("http://{}", server.addr);
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(stop.clone()));
        let s3 = client(
            &endpoint,
            "secret",
            RequestChecksumCalculation::WhenRequired,
        );
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            s3,
            http,
            folder: folder.into(),
            endpoint,
            stop,
            server,
            _temp: None,
        }
    }

    /// Stops the server and starts another one on the same files.
    async fn reopen(self) -> Self {
        self.stop.cancel();
        self.server.await.unwrap();
        let mut next = Self::open(&self.folder).await;
        next._temp = self._temp;
        next
    }

    async fn put(&self, key: &str, body: &str) {
        let body = ByteStream::from(body.as_bytes().to_vec());
        self.s3
            .put_object()
            .bucket("media")
            .key(key)
            .body(body)
            .send()
            .await
            .unwrap();
    }

    async fn text(&self, key: &str) -> String {
        let object = self
            .s3
            .get_object()
            .bucket("media")
            .key(key)
            .send()
            .await
            .unwrap();
        String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
    }

    async fn begin(&self, key: &str) -> String {
        let upload = self
            .s3
            .create_multipart_upload()
            .bucket("media")
            .key(key)
            .content_type("video/mp4");
        upload.send().await.unwrap().upload_id.unwrap()
    }

    async fn part(&self, key: &str, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
        let part = self
            .s3
            .upload_part()
            .bucket("media")
            .key(key)
            .upload_id(id)
            .part_number(number);
        let etag = part.body(body.into()).send().await.unwrap().e_tag.unwrap();
        CompletedPart::builder()
            .part_number(number)
            .e_tag(etag)
            .build()
    }

    async fn complete(
        &self,
        key: &str,
        id: &str,
        parts: &[CompletedPart],
    ) -> Result<String, String> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.to_vec()))
            .build();
        let call = self
            .s3
            .complete_multipart_upload()
            .bucket("media")
            .key(key)
            .upload_id(id)
            .multipart_upload(parts);
        call.send()
            .await
            .map(|done| done.e_tag.unwrap())
            .map_err(|error| code(&error))
    }

    fn files(&self, folder: &str) -> usize {
        std::fs::read_dir(self.folder.join(folder)).unwrap().count()
    }
}

fn client(endpoint: &str, secret: &str, checksums: RequestChecksumCalculation) -> Client {
    let http = Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", secret, None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .request_checksum_calculation(checksums)
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled());
    Client::from_conf(config.build())
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("no code").into()
}

fn within(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

/// Bytes that differ from place to place, so that a shifted range is noticed.
fn pattern(length: usize, salt: usize) -> Vec<u8> {
    (0..length)
        .map(|i| ((i * 31 + i / 251 + salt) % 256) as u8)
        .collect()
}
