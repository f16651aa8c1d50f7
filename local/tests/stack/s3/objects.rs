//! Whole objects, ranges, lists.

use super::*;

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
