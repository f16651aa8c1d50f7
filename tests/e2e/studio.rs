//! What creators do with a video: pictures, another source, the trash.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Player, Stack, person::text, until};
use serde_json::{Value, json};

const READY: Duration = Duration::from_secs(120);

/// Waits until the list of pictures looks as `wanted`.
async fn pictures(
    person: &Person,
    id: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let mut last = Value::Null;
    let path = format!("/api/videos/{id}/thumbnails");
    let seen = until(what, READY, async || {
        last = person.get(&path).await?.expect(200)?;
        Ok(wanted(&last).then(|| last.clone()))
    })
    .await;
    seen.with_context(|| format!("the pictures are {last}"))
}

/// Uploads a picture and says how it ended.
async fn picture(person: &Person, id: &str, bytes: &[u8]) -> Result<Value> {
    let path = format!("/api/videos/{id}/thumbnails");
    let wish = json!({"content_type": "image/png", "size": bytes.len()});
    let mut target = person.post(&path, wish).await?.expect(201)?;
    target["method"] = json!("single");
    person.put(&target, bytes).await?;
    let own = text(&target["id"])?;
    person
        .post(&format!("{path}/{own}/complete"), json!({}))
        .await?
        .expect(202)?;
    let find = |list: &Value| {
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .find(|item| item["id"] == json!(own))
            .unwrap_or_default()
    };
    let ended = |list: &Value| {
        ["ready", "failed"].contains(&find(list)["status"].as_str().unwrap_or_default())
    };
    Ok(find(
        &pictures(person, id, "the picture is made", ended).await?,
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_has_a_storyboard_and_a_poster_of_its_owners_choice() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(6, "640x360")).await?;
    person.sees_ready(&id, READY).await?;
    stack.quiet().await?;

    let extras = person
        .get(&format!("/api/videos/{id}/extras"))
        .await?
        .expect(200)?;
    let player = Player::of(&person)?;
    let list = text(&extras["storyboard_url"])?;
    let shots = player.text(&list).await?;
    assert_eq!(shots.matches("board/0.jpg#xywh=").count(), 6, "{shots}");
    let sheet = player
        .bytes(&list.replace("storyboard.vtt", "board/0.jpg"))
        .await?;
    assert_eq!(&sheet[..3], [0xff, 0xd8, 0xff]);

    // The poster, and three from within.
    let found = pictures(&person, &id, "there are pictures", |list| {
        list["items"]
            .as_array()
            .is_some_and(|items| items.len() == 4)
    })
    .await?;
    let other = found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|item| item["chosen"] == json!(false));
    let other = text(&other.context("all are chosen")?["id"])?;
    let choose = format!("/api/videos/{id}/thumbnails/{other}/choose");
    person.post(&choose, json!({})).await?.expect(200)?;

    let png = tokio::fs::read(drawn(&stack).await?).await?;
    let own = picture(&person, &id, &png).await?;
    assert_eq!(
        (&own["status"], &own["chosen"]),
        (&json!("ready"), &json!(true)),
        "{own}"
    );
    let poster = player
        .bytes(&text(&person.video(&id).await?["poster_url"])?)
        .await?;
    assert_eq!(&poster[..3], [0xff, 0xd8, 0xff]);
    let bad = picture(&person, &id, b"<svg xmlns='http://www.w3.org/2000/svg'/>").await?;
    assert_eq!(
        (&bad["status"], &bad["error"]),
        (&json!("failed"), &json!("not_a_picture"))
    );
    stack.quiet().await?;
    // What was uploaded is gone, whatever it was.
    let left: i64 =
        sqlx::query_scalar("select count(*) from video_thumbnails where upload_key is not null")
            .fetch_one(&stack.db)
            .await?;
    assert_eq!(left, 0);
    person
        .delete(&format!("/api/videos/{id}?forever=true"))
        .await?;
    stack.quiet().await?;
    assert_eq!(stack.storage.list("images/").await?, Vec::<String>::new());
    stack.end().await
}

async fn drawn(stack: &Stack) -> Result<std::path::PathBuf> {
    let path = stack.folder().join("picture.png");
    let made = tokio::process::Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=1920x1080",
            "-frames:v",
            "1",
        ])
        .arg(&path)
        .status()
        .await?;
    anyhow::ensure!(made.success(), "no picture was drawn");
    Ok(path)
}

/// Uploads a file as the source of a video.
async fn replace(person: &Person, id: &str, bytes: &[u8]) -> Result<Value> {
    let target = person.begin("second.mp4", bytes.len()).await?.expect(201)?;
    person.put(&target, bytes).await?;
    let wish = json!({"upload_id": target["upload_id"]});
    let first = person
        .post(&format!("/api/videos/{id}/source"), wish.clone())
        .await?
        .expect(202)?;
    let again = person
        .post(&format!("/api/videos/{id}/source"), wish)
        .await?
        .expect(202)?;
    assert_eq!(first["id"], again["id"]);
    Ok(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_source_plays_when_it_is_ready_and_not_if_it_fails() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(4, "640x360")).await?;
    let first = person.sees_ready(&id, READY).await?;
    stack.quiet().await?;
    let (player, old) = (Player::of(&person)?, text(&first["hls_url"])?);

    // A file that is none: the video stays what it is, and says so.
    replace(&person, &id, b"These are notes.").await?;
    let same = person
        .sees(&id, "it failed", READY, |v| {
            v["status"] == "ready" && !v["error"].is_null()
        })
        .await?;
    assert_eq!(
        (&same["hls_url"], &same["duration"]),
        (&first["hls_url"], &first["duration"])
    );
    player.master(&old).await?;
    stack.quiet().await?;

    let clip = tokio::fs::read(Clip::new(8, "426x240").file().await?).await?;
    let begun = replace(&person, &id, &clip).await?;
    assert_eq!(
        (&begun["status"], &begun["hls_url"]),
        (&json!("processing"), &first["hls_url"])
    );
    let second = person
        .sees(&id, "it is switched", READY, |v| {
            v["replacing"] == json!(false)
        })
        .await?;
    assert_eq!(
        (&second["status"], &second["error"]),
        (&json!("ready"), &json!(null))
    );
    assert!(second["duration"].as_f64() > Some(7.5), "{second}");
    player.master(&text(&second["hls_url"])?).await?;
    stack.quiet().await?;
    // Nothing of the first two is left but pictures.
    let sources = stack.storage.list("raw/").await?;
    assert_eq!(sources.len(), 1, "{sources:?}");
    let streams = stack.storage.list(&format!("hls/{id}/")).await?;
    assert!(
        streams
            .iter()
            .all(|key| key.starts_with(&format!("hls/{id}/3/"))),
        "{streams:?}"
    );
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(doomed, 0);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_in_the_trash_goes_on_where_it_was() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(20, "1280x720")).await?;
    let path = format!("/api/videos/{id}");
    assert_eq!(person.delete(&path).await?.status, 204);
    person.get(&path).await?.expect_problem(404, "not_found")?;
    stack.quiet().await?;
    let back = person
        .post(&format!("{path}/restore"), json!({}))
        .await?
        .expect(200)?;
    if back["status"] != "ready" {
        assert_eq!(back["error"]["code"], "cancelled", "{back}");
        person
            .post(&format!("{path}/retry"), json!({}))
            .await?
            .expect(202)?;
    }
    person.sees_ready(&id, READY).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_videos_are_changed_by_a_job() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::register(&stack).await?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(person.upload(&Clip::new(2, "426x240").silent()).await?);
    }
    let _worker = stack.worker("worker").await?;
    for id in &ids {
        person.sees_ready(id, READY).await?;
    }
    let gone = text(&json!(uuid::Uuid::now_v7()))?;
    let mut wanted = ids.clone();
    wanted.push(gone);
    let change = json!({"videos": wanted, "visibility": "unlisted", "add_tags": ["Trip"], "category": "travel"});
    let edit = person.post("/api/bulk_edits", change).await?.expect(202)?;
    let path = format!("/api/bulk_edits/{}", text(&edit["id"])?);
    let end = until("all are changed", READY, async || {
        let edit = person.get(&path).await?.expect(200)?;
        Ok((edit["finished"] == json!(true)).then_some(edit))
    })
    .await?;
    assert_eq!((&end["done"], &end["skipped"]), (&json!(4), &json!(1)));
    for id in &ids {
        let video = person.video(id).await?;
        assert_eq!(
            (&video["visibility"], &video["tags"], &video["category"]),
            (&json!("unlisted"), &json!(["trip"]), &json!("travel"))
        );
    }
    person
        .post("/api/bulk_edits", json!({"videos": ids, "delete": true}))
        .await?
        .expect(202)?;
    stack.quiet().await?;
    let trash = person
        .get("/api/videos?owner=me&trash=true")
        .await?
        .expect(200)?;
    assert_eq!(trash["items"].as_array().map(Vec::len), Some(3));
    stack.end().await
}
