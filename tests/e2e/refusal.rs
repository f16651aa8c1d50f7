//! What is refused, and how: files that are no videos, and requests that are none of their sender's business.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Stack, person::text};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use uuid::Uuid;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_videos_fail_in_words_and_the_worker_lives() -> Result<()> {
    let stack = Stack::start().await?;
    let mut worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    // Where a playlist would lead a careless reader.
    let trap = TcpListener::bind("127.0.0.1:0").await?;
    let lure = format!("http://{}/secret.ts", trap.local_addr()?);
    // What nobody may read, though everybody on this machine could: words, and a film that would play.
    let secret = Secret::new().await?;
    let (words, film) = (secret.words.display(), secret.film.display());
    let files = [
        "Dear diary, this is no video.\n".repeat(100),
        format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{lure}\n#EXT-X-ENDLIST\n"
        ),
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXTINF:9,\n{lure}\n#EXT-X-ENDLIST\n"
        ),
        "ffconcat version 1.0\nfile '/etc/passwd'\nduration 5\n".to_owned(),
        format!("ffconcat version 1.0\nfile '{lure}'\n"),
        format!("ffconcat version 1.0\nfile '{film}'\n"),
        format!("ffconcat version 1.0\nfile '{words}'\n"),
        format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXTINF:9,\nfile://{words}\n#EXT-X-ENDLIST\n"
        ),
        format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"{words}\"\n#EXTINF:9,\nconcat:{words}|{film}\n#EXT-X-ENDLIST\n"
        ),
    ];
    for file in files {
        let video = person
            .upload_bytes("innocent.mp4", file.as_bytes(), "Innocent")
            .await?;
        let id = text(&video["id"])?;
        let failed = person
            .sees(&id, "the video fails", Duration::from_secs(60), |video| {
                video["status"] == "failed"
            })
            .await?;
        let (code, message) = (
            text(&failed["error"]["code"])?,
            text(&failed["error"]["message"])?,
        );
        assert!(
            !matches!(code.as_str(), "processing_failed" | "crashed" | "internal"),
            "{code}: {message}"
        );
        assert!(message.len() > 10 && message.ends_with('.'), "{message}");
        assert!(
            !message.contains("/tmp") && !message.contains("ffmpeg"),
            "{message}"
        );
        assert_eq!(failed["playable"], json!(false));
    }
    let fetched = tokio::time::timeout(Duration::from_millis(10), trap.accept()).await;
    assert!(fetched.is_err(), "a playlist's address was fetched");
    secret.is_kept(&stack).await?;
    // The same process makes the next one.
    let id = person.upload(&Clip::new(10, "640x360")).await?;
    person.sees_ready(&id, Duration::from_secs(90)).await?;
    assert!(worker.is_running());
    let by: Vec<Uuid> = sqlx::query_scalar(
        "select distinct worker_id from queue.history where worker_id is not null",
    )
    .fetch_all(&stack.db)
    .await?;
    assert_eq!(by, [worker.id]);
    stack.end().await
}

/// Files outside of everything that belongs to Millrace.
struct Secret {
    marker: String,
    words: PathBuf,
    film: PathBuf,
    _folder: TempDir,
}

impl Secret {
    async fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("millrace-secret-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()?;
        let marker = format!("canary{}", Uuid::new_v4().simple());
        let words = folder.path().join("words.txt");
        fs::write(&words, format!("{marker}\n").repeat(20))?;
        let film = folder.path().join("film.mp4");
        fs::copy(Clip::new(10, "640x360").file().await?, &film)?;
        Ok(Self {
            marker,
            words,
            film,
            _folder: folder,
        })
    }

    /// Neither the store, nor a log, nor a row has anything of it.
    async fn is_kept(&self, stack: &Stack) -> Result<()> {
        let mut folders = vec![stack.folder().to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    seen += 1;
                    let bytes = fs::read(&path)?;
                    let found = memmem(&bytes, self.marker.as_bytes());
                    assert!(!found, "{} has what was secret", path.display());
                }
            }
        }
        assert!(seen > 10, "only {seen} files were looked at");
        let rows: i64 = sqlx::query_scalar(
            "select count(*) from (select to_jsonb(v)::text from videos v union all
                                   select to_jsonb(h)::text from queue.history h) as r (row) where strpos(row, $1) > 0",
        )
        .bind(&self.marker)
        .fetch_one(&stack.db)
        .await?;
        assert_eq!(rows, 0, "rows have what was secret");
        Ok(())
    }
}

fn memmem(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_keep_to_what_was_said() -> Result<()> {
    let stack = Stack::with()
        .light()
        .set("uploads.max_size", 1000)
        .start()
        .await?;
    let person = Person::register(&stack).await?;
    for (filename, size, kind, code) in [
        (
            "virus.exe",
            10,
            "application/octet-stream",
            "file_type_not_allowed",
        ),
        ("page.mp4", 10, "text/html", "file_type_not_allowed"),
        ("noending", 10, "video/mp4", "file_type_not_allowed"),
        ("large.mp4", 1001, "video/mp4", "file_too_large"),
        ("empty.mp4", 0, "video/mp4", "validation"),
    ] {
        let asked = json!({ "filename": filename, "size": size, "content_type": kind });
        person
            .post("/api/uploads", asked)
            .await?
            .expect_problem(422, code)?;
    }
    let target = person.begin("clip.mp4", 100).await?.expect(201)?;
    let path = format!("/api/uploads/{}", text(&target["upload_id"])?);
    let complete = format!("{path}/complete");
    let details = json!({ "title": "Clip" });
    person
        .post(&complete, details.clone())
        .await?
        .expect_problem(409, "upload_incomplete")?;
    // The store itself refuses another size than was signed.
    assert!(person.put(&target, &[0; 99]).await.is_err());
    assert!(person.put(&target, &[0; 101]).await.is_err());
    person
        .post(&complete, details.clone())
        .await?
        .expect_problem(409, "upload_incomplete")?;
    person
        .post(&complete, json!({ "title": "" }))
        .await?
        .expect_problem(422, "validation")?;
    assert_eq!(person.delete(&path).await?.status, 204);
    person
        .post(&complete, details)
        .await?
        .expect_problem(409, "upload_over")?;
    assert_eq!(person.get(&path).await?.expect(200)?["status"], "aborted");

    // What had arrived of an upload that is given up leaves the store.
    let target = person.begin("clip.mp4", 100).await?.expect(201)?;
    person.put(&target, &[0; 100]).await?;
    assert_eq!(stack.storage.list("raw/").await?.len(), 1);
    assert_eq!(
        person
            .delete(&format!("/api/uploads/{}", text(&target["upload_id"])?))
            .await?
            .status,
        204
    );
    let _worker = stack
        .worker_with("sweeper", &[("worker.queues", "default=2")])
        .await?;
    stack.quiet().await?;
    assert!(stack.storage.list("raw/").await?.is_empty());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_not_there() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let (owner, other) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    let stranger = Person::stranger(&stack)?;
    let pending = text(&owner.begin("clip.mp4", 100).await?.expect(201)?["upload_id"])?;
    let video = text(&owner.upload_bytes("clip.mp4", b"whatever", "Mine").await?["id"])?;
    let hide = json!({ "visibility": "private" }).to_string().into_bytes();
    owner
        .send(
            Method::PATCH,
            &format!("/api/videos/{video}"),
            &[JSON],
            hide,
        )
        .await?
        .expect(200)?;
    let (video, upload) = (
        format!("/api/videos/{video}"),
        format!("/api/uploads/{pending}"),
    );
    let calls = [
        (Method::GET, video.clone(), json!(null)),
        (Method::PATCH, video.clone(), json!({ "title": "Yours" })),
        (Method::DELETE, video.clone(), json!(null)),
        (Method::POST, format!("{video}/retry"), json!({})),
        (Method::POST, format!("{video}/cancel"), json!({})),
        (Method::GET, upload.clone(), json!(null)),
        (Method::DELETE, upload.clone(), json!(null)),
        (
            Method::POST,
            format!("{upload}/parts"),
            json!({ "part_numbers": [1] }),
        ),
        (
            Method::POST,
            format!("{upload}/complete"),
            json!({ "title": "Yours" }),
        ),
    ];
    for (method, path, body) in calls {
        let body = body.to_string().into_bytes();
        let foreign = other
            .send(method.clone(), &path, &[JSON], body.clone())
            .await?;
        foreign
            .expect_problem(404, "not_found")
            .with_context(|| format!("{method} {path}"))?;
        let anonymous = stranger.send(method.clone(), &path, &[JSON], body).await?;
        let status = anonymous.status.as_u16();
        anonymous
            .expect_any_problem()
            .with_context(|| format!("{method} {path}"))?;
        // What may be looked at without an account is simply not there.
        assert!(
            status == 401 || (method == Method::GET && status == 404),
            "{method} {path}: {status}"
        );
    }
    for token in forged(&owner.token) {
        let thief = owner.with_token(&token);
        thief
            .get("/api/me")
            .await?
            .expect_problem(401, "unauthenticated")
            .with_context(|| thief.token.clone())?;
    }
    owner.get("/api/me").await?.expect(200)?;
    stack.abandon().await // Nobody was there to probe the upload.
}

/// Tokens that look like `token` and are not it.
fn forged(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let (head, claims, mark) = (parts[0], parts[1], parts[2]);
    let turned: String = mark.chars().rev().collect();
    // {"alg":"none","typ":"at+jwt"} and {"alg":"none"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    vec![
        "x".to_owned(),
        format!("{head}.{claims}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{turned}"),
        format!("{head}.{}.{mark}", claims.chars().rev().collect::<String>()),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{mark}"),
        format!("eyJhbGciOiJub25lIn0.{claims}."),
        format!("{token}x"),
        format!("{token}.{mark}"),
    ]
}
