//! How bytes reach players: ranges, HEAD and origins through the redirect to the store; CloudFront and its cookies; and
//! players that others wrote.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{
    Clip, Person, Player, Stack,
    cdn::{self, Cdn, Served, ServingCdn, Shown},
    media,
    person::text,
};
use reqwest::{
    Method, StatusCode,
    header::{ORIGIN, RANGE},
};
use serde_json::{Value, json};

use crate::browser::journeys;

const READY: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn the_store_answers_ranges_and_pages_behind_the_redirect() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(6, "426x240")).await?;
    let hls = text(&person.sees_ready(&id, READY).await?["hls_url"])?;
    let player = Player::of(&person)?;
    for visibility in ["public", "private"] {
        show(&person, &id, visibility).await?;
        let hls = if visibility == "public" {
            hls.clone()
        } else {
            text(&person.video(&id).await?["hls_url"])?
        };
        let media = player.resolve(&hls, &player.master(&hls).await?.variants[0].uri)?;
        let list = player.media(&media).await?;
        let segment = player.resolve(&media, &list.segments[0].uri)?;
        let whole = player.fetch(Method::GET, &segment, &[]).await?;
        assert_eq!(whole.status, StatusCode::OK);
        assert_eq!(whole.header("x-content-type-options"), "nosniff");
        assert_eq!(whole.header("content-type"), "video/mp4");
        let kept = if visibility == "public" {
            "public, max-age=31536000, immutable"
        } else {
            "private, no-store"
        };
        assert_eq!(whole.header("cache-control"), kept);

        let head = player.fetch(Method::HEAD, &segment, &[]).await?;
        assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-length"), whole.bytes.len().to_string());
        assert_eq!(head.header("etag"), whole.header("etag"));

        let origin = stack.address();
        let part = [(RANGE, "bytes=100-299"), (ORIGIN, origin)];
        let part = player.fetch(Method::GET, &segment, &part).await?;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.bytes, whole.bytes[100..300]);
        let range = format!("bytes 100-299/{}", whole.bytes.len());
        assert_eq!(part.header("content-range"), range);
        assert_eq!(part.header("access-control-allow-origin"), origin);
        let exposed = part.header("access-control-expose-headers");
        assert!(exposed.contains("content-range"), "{exposed}");

        let beyond = [(RANGE, "bytes=99999999-")];
        let beyond = player.fetch(Method::GET, &segment, &beyond).await?;
        assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
        let foreign = [(ORIGIN, "https://elsewhere.example")];
        let foreign = player.fetch(Method::GET, &segment, &foreign).await?;
        assert_eq!(foreign.header("access-control-allow-origin"), "");
    }
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_video_plays_from_cloudfront_by_its_cookies_alone() -> Result<()> {
    let (stack, cdn) = cloudfront().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let id = person.upload(&Clip::new(6, "426x240")).await?;
        person.sees_ready(&id, READY).await?;
        show(&person, &id, "private").await?;
        let video = person.video(&id).await?;
        assert_eq!(video["hls_credentials"], true);
        addresses.push((text(&video["hls_url"])?, text(&video["poster_url"])?));
    }
    let player = Player::of(&person)?;
    let mut segments = Vec::new();
    for (hls, poster) in &addresses {
        let variant = player.master(hls).await?.variants[0].uri.clone();
        let media = player.resolve(hls, &variant)?;
        let rendition = player.rendition(&media).await?;
        assert_eq!(
            media::frames(&media::decoded(&rendition.file()).await?)?,
            180
        );
        segments.push(rendition.playlist.segments[0].uri.clone());
        assert_eq!(player.bytes(poster).await?[..3], [0xff, 0xd8, 0xff]);
    }
    let by =
        |served: &[Served], shown: Shown| served.iter().filter(|one| one.shown == shown).count();
    let served = cdn.served();
    assert!(served.iter().all(|one| one.status == 200), "{served:?}");
    // Two segments and an init segment of each, and the two posters.
    assert_eq!(
        (by(&served, Shown::Cookies), by(&served, Shown::Address)),
        (6, 2),
        "{served:?}"
    );

    // Without the cookies, or with those of the other video, nothing.
    let stranger = Player::of(&person)?;
    let refused = stranger.fetch(Method::GET, &segments[0], &[]).await?;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    stranger.master(&addresses[1].0).await?;
    let refused = stranger.fetch(Method::GET, &segments[0], &[]).await?;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(!stranger.bytes(&segments[1]).await?.is_empty());
    let part = [(RANGE, "bytes=0-9")];
    let part = stranger.fetch(Method::GET, &segments[1], &part).await?;
    assert_eq!(
        (part.status, part.bytes.len()),
        (StatusCode::PARTIAL_CONTENT, 10)
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sends_the_cookies_along() -> Result<()> {
    let (stack, cdn) = cloudfront().await?;
    let _worker = stack.worker("worker").await?;
    journeys(&stack, &["upload.spec.ts", "-g", "the finished video"]).await?;
    let served = cdn.served();
    assert!(served.len() > 3, "{served:?}");
    for one in served {
        assert!(matches!(one.status, 200 | 206), "{one:?}");
        // hls.js asks from the page and shows cookies; the poster is a picture and brings its own signature.
        let media = one.path.starts_with("/hls/");
        let shown = if media {
            Shown::Cookies
        } else {
            Shown::Address
        };
        assert_eq!((one.shown, one.origin), (shown, media), "{one:?}");
    }
    stack.end().await
}

/// A stack whose media comes from a CDN that asks for our signature.
async fn cloudfront() -> Result<(Stack, ServingCdn)> {
    let cdn = Cdn::bind().await?;
    let stack = Stack::with()
        .set("delivery.cdn_url", cdn.address())
        .set("delivery.key_pair_id", cdn::KEY_ID)
        .set("delivery.private_key", cdn::PRIVATE_KEY)
        .start()
        .await?;
    let cdn = cdn.serve(stack.storage.clone(), stack.address());
    Ok((stack, cdn))
}

async fn show(person: &Person, id: &str, visibility: &str) -> Result<Value> {
    let path = format!("/api/videos/{id}");
    let body = json!({ "visibility": visibility }).to_string();
    let json = [("content-type", "application/json")];
    let answer = person
        .send(Method::PATCH, &path, &json, body.into_bytes())
        .await?;
    answer.expect(200).context("the visibility stays")
}
