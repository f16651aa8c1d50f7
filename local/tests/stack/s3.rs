//! The S3-protocol server through the AWS SDK and plain HTTP.

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

#[tokio::test]
async fn an_object_comes_back_with_its_bytes_headers_and_etag() {
    let stack = Stack::start().await;
    let body = pattern(3 * MIB + 17, 0);
    let put = stack
        .s3
        .put_object()
        .bucket("media")
        .key("hls/影 片+/a b.mp4")
        .body(body.clone().into());
    let put = put
        .content_type("video/mp4")
        .cache_control("no-store")
        .metadata("owner", "me");
    let etag = put.send().await.unwrap().e_tag.unwrap();
    assert_eq!(
        etag,
        format!(
            "\"{}\"",
            hex::encode(<md5::Md5 as md5::Digest>::digest(&body))
        )
    );

    let stack = stack.reopen().await;
    let head = stack
        .s3
        .head_object()
        .bucket("media")
        .key("hls/影 片+/a b.mp4")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_length, Some(body.len() as i64));
    assert_eq!(head.e_tag.as_deref(), Some(etag.as_str()));
    let got = stack
        .s3
        .get_object()
        .bucket("media")
        .key("hls/影 片+/a b.mp4")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(got.cache_control.as_deref(), Some("no-store"));
    assert_eq!(got.metadata.unwrap()["owner"], "me");
    assert_eq!(got.body.collect().await.unwrap().to_vec(), body);
}

#[tokio::test]
async fn the_sdks_default_checksums_are_verified_and_leave_no_trace_in_the_object() {
    let stack = Stack::start().await;
    let s3 = client(
        &stack.endpoint,
        "secret",
        RequestChecksumCalculation::WhenSupported,
    );
    s3.put_object()
        .bucket("media")
        .key("k")
        .body(ByteStream::from_static(b"hello"))
        .send()
        .await
        .unwrap();
    let head = s3
        .head_object()
        .bucket("media")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.content_length, head.content_encoding),
        (Some(5), None)
    );
    let wrong = s3
        .put_object()
        .bucket("media")
        .key("k")
        .checksum_crc32("AAAAAA==")
        .body(ByteStream::from_static(b"x"));
    assert_eq!(code(&wrong.send().await.unwrap_err()), "BadDigest");
    assert_eq!(stack.text("k").await, "hello");
}

#[tokio::test]
async fn conditional_writes_decide_by_what_is_there() {
    let stack = Stack::start().await;
    let create = || {
        stack
            .s3
            .put_object()
            .bucket("media")
            .key("k")
            .if_none_match("*")
            .body(ByteStream::from_static(b"one"))
    };
    let etag = create().send().await.unwrap().e_tag.unwrap();
    assert_eq!(
        code(&create().send().await.unwrap_err()),
        "PreconditionFailed"
    );
    let replace = |etag: &str| {
        stack
            .s3
            .put_object()
            .bucket("media")
            .key("k")
            .if_match(etag)
            .body(ByteStream::from_static(b"two"))
    };
    replace(&etag).send().await.unwrap();
    assert_eq!(
        code(&replace(&etag).send().await.unwrap_err()),
        "PreconditionFailed"
    );
    assert_eq!(stack.text("k").await, "two");
}

#[tokio::test]
async fn ranges_of_plain_and_assembled_objects_are_exact() {
    let stack = Stack::start().await;
    let (first, second) = (pattern(5 * MIB, 1), pattern(MIB, 2));
    let id = stack.begin("big").await;
    let parts = [
        stack.part("big", &id, 1, first.clone()).await,
        stack.part("big", &id, 2, second.clone()).await,
    ];
    stack.complete("big", &id, &parts).await.unwrap();
    let whole = [first, second].concat();
    stack
        .s3
        .put_object()
        .bucket("media")
        .key("plain")
        .body(whole.clone().into())
        .send()
        .await
        .unwrap();
    let end = whole.len();
    let ranges = [
        ("bytes=0-0", 0..1),
        ("bytes=5242870-5242889", 5_242_870..5_242_890),
        ("bytes=-5", end - 5..end),
        ("bytes=6000000-", 6_000_000..end),
    ];
    for key in ["big", "plain"] {
        for (range, expected) in ranges.clone() {
            let got = stack
                .s3
                .get_object()
                .bucket("media")
                .key(key)
                .range(range)
                .send()
                .await
                .unwrap();
            let header = format!("bytes {}-{}/{end}", expected.start, expected.end - 1);
            assert_eq!(got.content_range, Some(header), "{key} {range}");
            assert_eq!(
                got.body.collect().await.unwrap().to_vec(),
                whole[expected],
                "{key} {range}"
            );
        }
        let beyond = stack
            .s3
            .get_object()
            .bucket("media")
            .key(key)
            .range(format!("bytes={end}-"))
            .send()
            .await;
        assert_eq!(code(&beyond.unwrap_err()), "InvalidRange");
    }
}

#[tokio::test]
async fn listing_pages_in_key_order_and_groups_by_delimiter() {
    let stack = Stack::start().await;
    let keys = ["a", "a-b", "a/", "a/1", "a/b/2", "a/b/3", "a0", "b/1", "c"];
    for key in keys.iter().rev() {
        stack.put(key, key).await;
    }
    for size in [1, 2, 3, 100] {
        let list = || stack.s3.list_objects_v2().bucket("media").max_keys(size);
        let mut pages = list().into_paginator().send();
        let mut seen = Vec::new();
        while let Some(page) = pages.next().await {
            seen.extend(
                page.unwrap()
                    .contents
                    .unwrap_or_default()
                    .into_iter()
                    .map(|object| object.key.unwrap()),
            );
        }
        assert_eq!(seen, keys, "page size {size}");

        for (prefix, expected) in [
            ("", vec!["a", "a-b", "a/", "a0", "b/", "c"]),
            ("a/", vec!["a/", "a/1", "a/b/"]),
        ] {
            let mut pages = list().prefix(prefix).delimiter("/").into_paginator().send();
            let mut seen = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                seen.extend(
                    page.contents
                        .unwrap_or_default()
                        .into_iter()
                        .map(|object| object.key.unwrap()),
                );
                seen.extend(
                    page.common_prefixes
                        .unwrap_or_default()
                        .into_iter()
                        .map(|group| group.prefix.unwrap()),
                );
            }
            seen.sort();
            assert_eq!(seen, expected, "page size {size}, prefix {prefix:?}");
        }
    }
    let list = stack
        .s3
        .list_objects_v2()
        .bucket("media")
        .prefix("a/b")
        .start_after("a/b/2")
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = list
        .contents()
        .iter()
        .map(|object| object.key().unwrap())
        .collect();
    assert_eq!(keys, ["a/b/3"]);
}

#[tokio::test]
async fn deleting_copying_and_missing_things() {
    let stack = Stack::start().await;
    stack.put("x/y/1", "one").await;
    stack.put("x/y/2", "two").await;
    let copy = stack
        .s3
        .copy_object()
        .bucket("media")
        .key("copy")
        .copy_source("media/x/y/1")
        .content_type("text/plain");
    copy.metadata_directive(MetadataDirective::Replace)
        .send()
        .await
        .unwrap();
    assert_eq!(stack.text("copy").await, "one");
    let head = stack
        .s3
        .head_object()
        .bucket("media")
        .key("copy")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type.as_deref(), Some("text/plain"));

    let ids = ["x/y/1", "x/y/2", "absent"]
        .map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder()
        .set_objects(Some(ids.to_vec()))
        .build()
        .unwrap();
    let deleted = stack
        .s3
        .delete_objects()
        .bucket("media")
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (3, 0));
    assert_eq!(stack.files("buckets/media"), 1, "empty folders stay behind");

    let missing = stack
        .s3
        .get_object()
        .bucket("media")
        .key("x/y/1")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&missing), "NoSuchKey");
    let missing = stack
        .s3
        .put_object()
        .bucket("nowhere")
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&missing), "NoSuchBucket");
    stack
        .s3
        .create_bucket()
        .bucket("second")
        .send()
        .await
        .unwrap();
    stack
        .s3
        .head_bucket()
        .bucket("second")
        .send()
        .await
        .unwrap();
    let again = stack
        .s3
        .create_bucket()
        .bucket("second")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&again), "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn a_multipart_upload_checks_parts_and_answers_the_same_again() {
    let stack = Stack::start().await;
    let id = stack.begin("video").await;
    let third = stack.part("video", &id, 3, pattern(100, 3)).await;
    stack.part("video", &id, 1, vec![0; 10]).await;
    let first = stack.part("video", &id, 1, pattern(5 * MIB, 1)).await;
    let second = stack.part("video", &id, 2, pattern(5 * MIB, 2)).await;

    let page = stack
        .s3
        .list_parts()
        .bucket("media")
        .key("video")
        .upload_id(&id)
        .max_parts(2)
        .send()
        .await
        .unwrap();
    let numbers: Vec<_> = page
        .parts()
        .iter()
        .map(|part| (part.part_number.unwrap(), part.size.unwrap()))
        .collect();
    assert_eq!(numbers, [(1, 5 * MIB as i64), (2, 5 * MIB as i64)]);
    assert_eq!(page.parts()[0].e_tag(), first.e_tag());
    assert_eq!(
        (page.is_truncated, page.next_part_number_marker()),
        (Some(true), Some("2"))
    );
    let uploads = stack
        .s3
        .list_multipart_uploads()
        .bucket("media")
        .prefix("vid")
        .send()
        .await
        .unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));

    let order = [second.clone(), first.clone()];
    assert_eq!(
        stack.complete("video", &id, &order).await.unwrap_err(),
        "InvalidPartOrder"
    );
    let foreign = CompletedPart::builder()
        .part_number(2)
        .e_tag("\"00\"")
        .build();
    assert_eq!(
        stack
            .complete("video", &id, &[first.clone(), foreign])
            .await
            .unwrap_err(),
        "InvalidPart"
    );
    let never = CompletedPart::builder()
        .part_number(9)
        .e_tag("\"00\"")
        .build();
    assert_eq!(
        stack
            .complete("video", &id, &[first.clone(), never])
            .await
            .unwrap_err(),
        "InvalidPart"
    );
    let small = [
        third.clone(),
        CompletedPart::builder().part_number(4).build(),
    ];
    stack.part("video", &id, 4, vec![1]).await;
    assert_eq!(
        stack.complete("video", &id, &small).await.unwrap_err(),
        "EntityTooSmall"
    );
    assert_eq!(
        stack
            .complete("other", &id, std::slice::from_ref(&first))
            .await
            .unwrap_err(),
        "NoSuchUpload"
    );

    let parts = [first, second, third];
    let etag = stack.complete("video", &id, &parts).await.unwrap();
    let md5s: Vec<u8> = parts
        .iter()
        .flat_map(|part| hex::decode(part.e_tag().unwrap().trim_matches('"')).unwrap())
        .collect();
    assert_eq!(
        etag,
        format!(
            "\"{}-3\"",
            hex::encode(<md5::Md5 as md5::Digest>::digest(md5s))
        )
    );
    assert_eq!(stack.complete("video", &id, &parts).await.unwrap(), etag);
    assert_eq!(
        stack.files(&format!("multipart/{id}")),
        5,
        "record, done and the three parts; the unlisted one is gone"
    );
    let got = stack
        .s3
        .get_object()
        .bucket("media")
        .key("video")
        .send()
        .await
        .unwrap();
    assert_eq!(got.content_type.as_deref(), Some("video/mp4"));
    let expected = [pattern(5 * MIB, 1), pattern(5 * MIB, 2), pattern(100, 3)].concat();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), expected);

    stack.put("video", "replaced").await;
    assert_eq!(stack.files("multipart"), 0, "the parts go with the object");
    assert_eq!(
        stack.complete("video", &id, &parts).await.unwrap_err(),
        "NoSuchUpload"
    );
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let stack = Stack::start().await;
    let id = stack.begin("k").await;
    let part = stack.part("k", &id, 1, vec![1]).await;
    stack
        .s3
        .abort_multipart_upload()
        .bucket("media")
        .key("k")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(
        stack.complete("k", &id, &[part]).await.unwrap_err(),
        "NoSuchUpload"
    );
    let again = stack
        .s3
        .abort_multipart_upload()
        .bucket("media")
        .key("k")
        .upload_id("../../buckets")
        .send()
        .await;
    assert_eq!(code(&again.unwrap_err()), "NoSuchUpload");
    assert_eq!(stack.files("multipart"), 0);
}

#[tokio::test]
async fn a_kill_between_the_steps_of_a_completion_loses_nothing() {
    let stack = Stack::start().await;
    let id = stack.begin("k").await;
    let part = stack.part("k", &id, 1, pattern(MIB, 7)).await;

    // Killed before the object was published: the upload is still pending, its parts are still there.
    std::fs::write(stack.folder.join("tmp/half-written"), b"x").unwrap();
    let stack = stack.reopen().await;
    assert_eq!(stack.files("tmp"), 0);
    let parts = stack
        .s3
        .list_parts()
        .bucket("media")
        .key("k")
        .upload_id(&id)
        .send()
        .await
        .unwrap();
    assert_eq!(parts.parts().len(), 1);
    let etag = stack
        .complete("k", &id, std::slice::from_ref(&part))
        .await
        .unwrap();

    // Killed after it was published and before the upload was marked as done.
    let done = stack.folder.join("multipart").join(&id).join("done");
    std::fs::remove_file(&done).unwrap();
    assert_eq!(
        stack
            .complete("k", &id, std::slice::from_ref(&part))
            .await
            .unwrap(),
        etag
    );
    std::fs::remove_file(&done).unwrap();
    let stack = stack.reopen().await;
    assert!(done.exists());
    let uploads = stack
        .s3
        .list_multipart_uploads()
        .bucket("media")
        .send()
        .await
        .unwrap();
    assert_eq!(uploads.uploads().len(), 0);
    assert_eq!(stack.complete("k", &id, &[part]).await.unwrap(), etag);
    let got = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), pattern(MIB, 7));

    // Killed after the object was deleted and before its parts were.
    std::fs::remove_file(stack.folder.join("buckets/media/k")).unwrap();
    let stack = stack.reopen().await;
    assert_eq!(stack.files("multipart"), 0);
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_the_old_object() {
    let stack = Stack::start().await;
    stack.put("k", "old").await;
    let put = stack
        .s3
        .put_object()
        .bucket("media")
        .key("k")
        .content_length(1000);
    let put = put.presigned(within(60)).await.unwrap();
    let (sender, chunks) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    sender.send(Ok(vec![1; 500])).await.unwrap();
    let body = futures::stream::unfold(chunks, |mut chunks| async {
        Some((chunks.recv().await?, chunks))
    });
    let request = stack
        .http
        .put(put.uri())
        .header("content-length", 1000)
        .body(reqwest::Body::wrap_stream(body));
    let request = tokio::spawn(request.send());
    sender
        .send(Err(std::io::Error::other("the browser was closed")))
        .await
        .unwrap();
    request.await.unwrap().unwrap_err();
    let stack = stack.reopen().await;
    assert_eq!(stack.text("k").await, "old");
    assert_eq!(stack.files("tmp"), 0);
}

#[tokio::test]
async fn signatures_are_required_and_checked() {
    let stack = Stack::start().await;
    stack.put("k", "hello").await;
    let wrong = client(
        &stack.endpoint,
        "guess",
        RequestChecksumCalculation::WhenRequired,
    );
    let refused = wrong
        .get_object()
        .bucket("media")
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&refused), "SignatureDoesNotMatch");
    let anonymous = stack
        .http
        .get(format!("{}/media/k", stack.endpoint))
        .send()
        .await
        .unwrap();
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
    assert!(
        anonymous
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );

    let get = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .response_content_type("text/x")
        .presigned(within(60))
        .await
        .unwrap();
    let answer = stack.http.get(get.uri()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/x");
    assert_eq!(answer.text().await.unwrap(), "hello");
    let forged = [
        get.uri().replace("/k?", "/other?"),
        get.uri().replace("text%2Fx", "text%2Fy"),
        get.uri().replace("Expires=60", "Expires=6000"),
    ];
    for uri in forged {
        assert_ne!(uri, get.uri());
        assert_eq!(
            stack.http.get(uri).send().await.unwrap().status(),
            StatusCode::FORBIDDEN
        );
    }
    assert_eq!(
        stack.http.delete(get.uri()).send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );

    let old = PresigningConfig::builder()
        .start_time(std::time::SystemTime::now() - Duration::from_secs(120))
        .expires_in(Duration::from_secs(60));
    let old = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .presigned(old.build().unwrap())
        .await
        .unwrap();
    let expired = stack.http.get(old.uri()).send().await.unwrap();
    assert_eq!(expired.status(), StatusCode::FORBIDDEN);
    assert!(expired.text().await.unwrap().contains("expired"));
}

#[tokio::test]
async fn a_presigned_put_takes_exactly_the_signed_length_and_type() {
    let stack = Stack::start().await;
    let put = stack
        .s3
        .put_object()
        .bucket("media")
        .key("up")
        .content_length(5)
        .content_type("video/mp4");
    let put = put.presigned(within(60)).await.unwrap();
    let send = |kind: &'static str, body: &'static str| {
        stack
            .http
            .put(put.uri())
            .header("content-type", kind)
            .body(body)
            .send()
    };
    assert_eq!(
        send("video/mp4", "too long").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send("text/html", "12345").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let missing = stack
        .s3
        .head_object()
        .bucket("media")
        .key("up")
        .send()
        .await;
    assert!(missing.unwrap_err().into_service_error().is_not_found());
    let stored = send("video/mp4", "12345").await.unwrap();
    assert_eq!(stored.status(), StatusCode::OK);
    assert_eq!(
        stored.headers()["etag"],
        "\"827ccb0eea8a706c4c34a16891f84e7b\""
    );

    let id = stack.begin("multi").await;
    let part = stack
        .s3
        .upload_part()
        .bucket("media")
        .key("multi")
        .upload_id(&id)
        .part_number(1);
    let part = part.presigned(within(60)).await.unwrap();
    let sent = stack
        .http
        .put(part.uri())
        .body("part")
        .send()
        .await
        .unwrap();
    let etag = sent.headers()["etag"].to_str().unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
    stack.complete("multi", &id, &[part]).await.unwrap();
    assert_eq!(stack.text("multi").await, "part");
}

#[tokio::test]
async fn pages_of_the_public_origin_and_no_others_may_read() {
    let stack = Stack::start().await;
    stack.put("k", "hello").await;
    let preflight = |origin: &'static str| {
        let request = stack.http.request(
            reqwest::Method::OPTIONS,
            format!("{}/media/k", stack.endpoint),
        );
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "PUT");
        request
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let allowed = preflight(ORIGIN).await.unwrap();
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(
        allowed.headers()["access-control-allow-headers"],
        "content-type"
    );
    assert!(
        allowed.headers()["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("PUT")
    );
    assert!(
        !preflight("http://evil.example")
            .await
            .unwrap()
            .headers()
            .contains_key("access-control-allow-origin")
    );

    let get = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .presigned(within(60))
        .await
        .unwrap();
    let answer = stack
        .http
        .get(get.uri())
        .header("origin", ORIGIN)
        .header("range", "bytes=0-1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap()
        .to_lowercase();
    for name in ["etag", "content-range", "content-length", "accept-ranges"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // A refusal must be readable by the page too.
    let refused = stack
        .http
        .get(format!("{}/media/k", stack.endpoint))
        .header("origin", ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN);
}

#[tokio::test]
async fn one_store_is_served_by_one_process() {
    let stack = Stack::start().await;
    let options = S3Options {
        data_dir: stack.folder.clone(),
        addr: "127.0.0.1:0".parse().unwrap(),
        buckets: Vec::new(),
        access_key: "a".into(),
        secret_key: "b".into(),
        cors_origins: Vec::new(),
    };
    let error = S3Server::bind(options).await.err().unwrap();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("another process")
    );
}
