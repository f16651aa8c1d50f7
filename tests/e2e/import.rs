//! Folders that are imported: every file once, whatever stops it.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use millrace_domain::{
    ids::{UploadId, UserId},
    uploads::{NewUpload, Once, PartPlan, Quota, Reserved, reserve},
};
use millrace_tests::{Clip, Person, Stack, until};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;

const SOON: Duration = Duration::from_secs(60);

async fn titles(db: &PgPool) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar("select title from videos order by title")
            .fetch_all(db)
            .await?,
    )
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of the test is no text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_videos_once() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::register(&stack).await?;
    let folder = stack.folder().join("tapes");
    std::fs::create_dir_all(folder.join("1998/summer"))?;
    let clip = Clip::new(10, "320x240").file().await?;
    std::fs::copy(&clip, folder.join("1998/summer/At_the.lake.mp4"))?;
    std::fs::write(folder.join("two\nlines.mkv"), b"no video, but a file")?;
    std::fs::write(folder.join("empty.mp4"), b"")?;
    std::fs::write(folder.join("notes.txt"), b"x")?;
    let folder = text(&folder)?;
    let import = ["import", folder, "--user", &person.name, "--recursive"];

    let dry = [&import[..], &["--dry-run"]].concat();
    let said = stack.try_command("millrace", &dry).await?;
    assert_eq!(said.lines("would be").len(), 2, "{said:?}");
    assert!(titles(&stack.db).await?.is_empty());
    assert!(stack.storage.list("raw/").await?.is_empty());

    let said = stack.try_command("millrace", &import).await?;
    assert_ne!(said.code, Some(0), "{said:?}");
    assert_eq!(said.stdout.lines().count(), 4, "{said:?}");
    assert_eq!(said.lines("imported").len(), 2, "{said:?}");
    let failed = said.lines("FAILED");
    assert!(
        failed.len() == 1 && failed[0].contains("empty.mp4"),
        "{said:?}"
    );
    assert_eq!(
        said.stderr.trim(),
        "millrace: 1 could not be imported",
        "{said:?}"
    );
    assert_eq!(titles(&stack.db).await?, ["At the lake", "twolines"]);
    let seen: Vec<String> = sqlx::query_scalar("select distinct visibility from videos")
        .fetch_all(&stack.db)
        .await?;
    assert_eq!(seen, ["private"]);

    // The same content under another name, and everything again.
    std::fs::remove_file(Path::new(folder).join("empty.mp4"))?;
    std::fs::copy(&clip, Path::new(folder).join("copy.mp4"))?;
    let said = stack.try_command("millrace", &import).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(said.lines("skipped").len(), 3, "{said:?}");
    assert_eq!(titles(&stack.db).await?.len(), 2);

    // It is worked on like any other.
    let id: String = sqlx::query_scalar("select id::text from videos where title = 'At the lake'")
        .fetch_one(&stack.db)
        .await?;
    let _worker = stack.worker("worker").await?;
    person.sees_ready(&id, Duration::from_secs(90)).await?;

    // What was deleted stays deleted, unless it is asked for.
    assert_eq!(
        person
            .delete(&format!("/api/videos/{id}?forever=true"))
            .await?
            .status,
        204
    );
    let said = stack.try_command("millrace", &import).await?;
    assert_eq!(said.lines("skipped").len(), 3, "{said:?}");
    let again = [&import[..], &["--again"]].concat();
    let said = stack.try_command("millrace", &again).await?;
    // The lake and its copy are one file.
    assert_eq!(
        (said.lines("imported").len(), said.lines("skipped").len()),
        (1, 2),
        "{said:?}"
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_is_kept_unless_an_operator_says_otherwise() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let person = Person::register(&stack).await?;
    let folder = stack.folder().join("tapes");
    std::fs::create_dir(&folder)?;
    for (name, size) in [("a.mp4", 3000), ("b.mp4", 4000), ("c.mp4", 2000)] {
        std::fs::write(folder.join(name), vec![name.as_bytes()[0]; size])?;
    }
    let said = stack
        .try_command("millrace", &["admin", "quota", &person.name, "5000"])
        .await?;
    assert!(said.stdout.contains("of 4.88 KiB"), "{said:?}");
    let import = ["import", text(&folder)?, "--user", &person.name];
    let dry = [&import[..], &["--dry-run"]].concat();
    let expected = (2, 1);
    let said = stack.try_command("millrace", &dry).await?;
    assert_eq!(
        (said.lines("would be").len(), said.lines("FAILED").len()),
        expected,
        "{said:?}"
    );
    let said = stack.try_command("millrace", &import).await?;
    assert_eq!(
        (said.lines("imported").len(), said.lines("FAILED").len()),
        expected,
        "{said:?}"
    );
    assert!(said.lines("FAILED")[0].contains("b.mp4: 3.91 KiB do not fit"));
    let used = person.get("/api/me/storage").await?.expect(200)?;
    assert_eq!(
        (&used["used"], &used["reserved"]),
        (&5000.into(), &0.into())
    );
    let multiparts = stack.storage.list_multiparts("raw/", None).await?;
    assert!(multiparts.uploads.is_empty());
    let anyway = [&import[..], &["--ignore-quota"]].concat();
    let said = stack.try_command("millrace", &anyway).await?;
    assert_eq!(
        (said.code, said.lines("imported").len()),
        (Some(0), 1),
        "{said:?}"
    );
    let nobody = ["import", text(&folder)?, "--user", "nobody-there"];
    let said = stack.try_command("millrace", &nobody).await?;
    assert_eq!(
        (said.code, said.stderr.lines().count()),
        (Some(1), 1),
        "{said:?}"
    );
    stack.abandon().await // Nobody was there to probe them.
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_where_it_was() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let person = Person::register(&stack).await?;
    let owner: UserId = person.id.parse()?;
    let folder = stack.folder().join("tapes");
    std::fs::create_dir(&folder)?;
    let bytes: Vec<u8> = (0..40 * 1024 * 1024)
        .map(|n| (n / 999 % 251) as u8)
        .collect();
    std::fs::write(folder.join("long.mp4"), &bytes)?;
    let import = ["import", text(&folder)?, "--user", &person.name];

    // Two of its three parts were sent. What is in them is told apart from the file, to see that they are not again.
    let id = UploadId::new();
    let key = NewUpload::key_of(id);
    let s3_id = stack.storage.create_multipart(&key, "video/mp4").await?;
    let plan = PartPlan::for_size(bytes.len() as u64);
    let new = NewUpload {
        id,
        user: owner,
        filename: "long.mp4".to_owned(),
        size: bytes.len() as u64,
        content_type: "video/mp4".to_owned(),
        key: key.clone(),
        multipart: Some((s3_id.clone(), plan.part_size)),
        abandon_after: Duration::from_secs(3600),
        fingerprint: Some(format!(
            "import:sha256:{}",
            hex::encode(Sha256::digest(&bytes))
        )),
        once: Once::Ever,
    };
    let reserved = reserve(&mut *stack.db.acquire().await?, new, Quota::Kept(None)).await?;
    assert!(matches!(reserved, Reserved::New(_)));
    let part = usize::try_from(plan.part_size)?;
    for number in [1, 3] {
        let size = if number == 3 {
            bytes.len() - 2 * part
        } else {
            part
        };
        let marked = Bytes::from(vec![0xEE; size]);
        stack
            .storage
            .upload_part(&key, &s3_id, number, marked)
            .await?;
    }
    let said = stack.try_command("millrace", &import).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    let (upload, etag): (uuid::Uuid, String) =
        sqlx::query_as("select upload_id, original_etag from videos")
            .fetch_one(&stack.db)
            .await?;
    assert_eq!(upload, id.0);
    let copy = stack.folder().join("copy");
    stack.storage.download(&key, &etag, &copy).await?;
    let whole = std::fs::read(&copy)?;
    assert!(whole[..part].iter().all(|&byte| byte == 0xEE));
    assert!(whole[part..2 * part] == bytes[part..2 * part]);
    assert!(whole[2 * part..].iter().all(|&byte| byte == 0xEE));

    // Killed at whatever moment: another file, then the same command again.
    std::fs::write(folder.join("other.mp4"), vec![5; 70 * 1024 * 1024])?;
    let mut child = stack.start_command("millrace", &import)?;
    until("the import has begun", SOON, async || {
        let begun: i64 = sqlx::query_scalar("select count(*) from uploads")
            .fetch_one(&stack.db)
            .await?;
        Ok((begun == 2).then_some(()))
    })
    .await?;
    child.kill().await?;
    let said = stack.try_command("millrace", &import).await?;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(titles(&stack.db).await?, ["long", "other"]);
    let uploads: i64 = sqlx::query_scalar("select count(*) from uploads")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(uploads, 2);
    stack.abandon().await
}
