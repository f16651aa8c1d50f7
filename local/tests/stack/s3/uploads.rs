//! Uploads in parts, and kills in between.

use futures::StreamExt as _;
use millrace_domain::storage::{Storage, StorageError, StorageOptions};

use super::*;

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
async fn open_uploads_are_listed_page_by_page_and_dropped() {
    let stack = Stack::start().await;
    let storage = Storage::new(&StorageOptions {
        endpoint: Some(stack.endpoint.clone()),
        public_endpoint: None,
        region: "us-east-1".into(),
        bucket: "media".into(),
        access_key: "local".into(),
        secret_key: "secret".into(),
        path_style: true,
    });
    // More than S3 tells at a time; one key twice, since a key may have several.
    let mut keys: Vec<String> = (0..1010).map(|n| format!("raw/{n:04}")).collect();
    keys.push("raw/0005".into());
    keys.sort();
    let begun = futures::stream::iter(&keys)
        .map(|key| stack.begin(key))
        .buffer_unordered(16);
    let begun: Vec<String> = begun.collect().await;
    stack.begin("other/1").await;
    let part = storage.upload_part("raw/0005", "nothing", 1, bytes::Bytes::from_static(b"x"));
    assert!(matches!(part.await, Err(StorageError::NotFound(_))));

    let first = storage.list_multiparts("raw/", None).await.unwrap();
    assert_eq!(first.uploads.len(), 1000);
    let second = storage.list_multiparts("raw/", first.next).await.unwrap();
    assert_eq!((second.uploads.len(), &second.next), (11, &None));
    let all: Vec<_> = first.uploads.into_iter().chain(second.uploads).collect();
    let listed: Vec<&str> = all.iter().map(|upload| upload.key.as_str()).collect();
    assert_eq!(listed, keys);
    let ids: std::collections::HashSet<_> = all.iter().map(|upload| &upload.upload_id).collect();
    assert_eq!(ids.len(), begun.len());
    let hour = Duration::from_secs(3600);
    assert!(all.iter().all(|u| u.begun_at.elapsed().unwrap() < hour));

    assert_eq!(storage.abort_multiparts("raw/").await.unwrap(), 1011);
    assert_eq!(storage.abort_multiparts("raw/").await.unwrap(), 0);
    let left = storage.list_multiparts("", None).await.unwrap();
    assert_eq!(left.uploads.len(), 1);
}
