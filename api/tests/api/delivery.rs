//! How bytes reach players: from the store, or from a CDN for everybody; who may, for how long, and what may be
//! kept of it. Cookies of CloudFront have a file of their own.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_domain::{ids::VideoId, videos::Visibility};
use reqwest::{Method, Response};
use serde_json::Value;
use sha2::Sha256;

use crate::{
    playback::{get, header, master, playable, set, show, status},
    stack::{Person, Stack},
};

const PLAIN: &str = r#"
    [delivery]
    cdn_url = "https://cdn.example.org/bucket/"
"#;
pub(crate) const KEY_ID: &str = "K2JCJMDEHXQW5F";
const KEY: &str = include_str!("../../../domain/src/storage/fixtures/cdn_test_key.pem");
/// Settings with a key. The host is the API's own, since tests have no domain.
pub(crate) fn signed() -> String {
    format!(
        "[delivery]\ncdn_url = \"http://127.0.0.1:9/bucket\"\nkey_pair_id = \"{KEY_ID}\"\nprivate_key = '''{KEY}'''"
    )
}

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The address of something else of the video that `master` is about.
pub(crate) fn beside(master: &str, file: &str) -> String {
    let token = master.split('/').nth(3).unwrap();
    format!("/api/hls/{token}/{file}")
}

async fn head(stack: &Stack, path: &str) -> Response {
    stack.request(Method::HEAD, path).send().await.unwrap()
}

pub(crate) async fn text(stack: &Stack, path: &str) -> String {
    get(stack, path).await.text().await.unwrap()
}

pub(crate) fn location(response: &Response) -> &str {
    assert_eq!(response.status(), 307);
    header(response, "location")
}

/// A ready video with a poster, and its master playlist.
pub(crate) async fn ready(
    stack: &Stack,
    owner: &Person,
    visibility: Visibility,
) -> (VideoId, String) {
    let video = playable(stack, owner, visibility).await;
    set(stack, video, "status", "ready").await;
    set(stack, video, "thumbnail_key", "images/v/1/poster.jpg").await;
    (video, master(stack, owner, video).await)
}

pub(crate) fn poster_of(video: VideoId, master: &str) -> String {
    let token = master.split('/').nth(3).unwrap();
    format!("/api/videos/{video}/poster?t={token}")
}

pub(crate) fn param<'a>(url: &'a str, name: &str) -> &'a str {
    let (_, query) = url.split_once('?').unwrap();
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).unwrap().1
}

/// A token as the API makes them, with any end.
pub(crate) fn token(video: VideoId, generation: i32, expires_at: u64) -> String {
    let mut bytes = video.0.as_bytes().to_vec();
    bytes.extend(generation.to_be_bytes());
    bytes.extend(expires_at.to_be_bytes());
    let mac = Hmac::<Sha256>::new_from_slice(b"a playback key of the tests, long enough")
        .unwrap()
        .chain_update(b"millrace playback v1")
        .chain_update(&bytes)
        .finalize();
    bytes.extend(mac.into_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn what_may_be_kept_is_what_the_table_says() {
    for (settings, cookies) in [("", false), (PLAIN, false), (signed().as_str(), true)] {
        let stack = Stack::start_with(settings).await;
        let ann = stack.person("ann").await;
        for visibility in [
            Visibility::Public,
            Visibility::Unlisted,
            Visibility::Private,
        ] {
            let private = visibility == Visibility::Private;
            let video = playable(&stack, &ann, visibility).await;
            let event = master(&stack, &ann, video).await;
            set(&stack, video, "thumbnail_key", "images/v/1/poster.jpg").await;
            let (growing, last) = match (private, cookies) {
                (true, _) => ("private, no-store", "private, no-store"),
                (false, true) => ("private, no-cache", "private, no-cache"),
                (false, false) => ("no-cache", "public, max-age=3600, immutable"),
            };
            let redirect = if private {
                "private, no-store"
            } else {
                "public, max-age=3600"
            };
            let mut table = vec![
                (event.clone(), 200, growing),
                (event.replace("master", "v240"), 200, growing),
                (beside(&event, "s/v240/0.m4s"), 307, redirect),
                (
                    beside(&event, "s/v240/init.mp4?k=c0-1/init.mp4"),
                    307,
                    redirect,
                ),
                (poster_of(video, &event), 307, redirect),
                // Not there yet, not there at all: the next moment it may be.
                (event.replace("event", "vod"), 404, "no-store"),
                (beside(&event, "s/v240/1.m4s"), 404, "no-store"),
            ];
            for (path, status, kept) in &table {
                let answer = get(&stack, path).await;
                let got = (answer.status().as_u16(), header(&answer, "cache-control"));
                assert_eq!(got, (*status, *kept), "{visibility:?} {path} {settings}");
                assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
            }
            set(&stack, video, "status", "ready").await;
            let vod = event.replace("event", "vod");
            table = vec![
                (vod.clone(), 200, last),
                (vod.replace("master", "v240"), 200, last),
            ];
            for (path, status, kept) in table {
                let answer = get(&stack, &path).await;
                let got = (answer.status().as_u16(), header(&answer, "cache-control"));
                assert_eq!(got, (status, kept), "{visibility:?} {path} {settings}");
                // A 304 says the same, and brings the same cookies.
                let tag = header(&answer, "etag");
                let again = stack
                    .request(Method::GET, &path)
                    .header("if-none-match", tag);
                let again = again.send().await.unwrap();
                let got = (again.status().as_u16(), header(&again, "cache-control"));
                assert_eq!(got, (304, kept), "{visibility:?} {path} {settings}");
                assert_eq!(
                    again.headers().get_all("set-cookie").iter().count(),
                    if cookies { 4 } else { 0 }
                );
            }
        }
        // The rest of the API is for whoever asked, now.
        for path in ["/api/videos", "/api/me", "/health"] {
            let answer = get(&stack, path).await;
            assert_eq!(header(&answer, "cache-control"), "no-store", "{path}");
        }
        stack.stop().await;
    }
}

#[tokio::test]
async fn a_playlist_may_travel_compressed_and_says_so() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (_, vod) = ready(&stack, &ann, Visibility::Public).await;
    let list = stack
        .request(Method::GET, &vod.replace("master", "v240"))
        .header("accept-encoding", "gzip");
    let list = list.send().await.unwrap();
    assert_eq!(header(&list, "content-encoding"), "gzip");
    assert_eq!(header(&list, "vary"), "accept-encoding");
    assert_eq!(
        header(&list, "content-type"),
        "application/vnd.apple.mpegurl"
    );
    assert!(header(&list, "etag").starts_with("W/"));
    stack.stop().await;
}

#[tokio::test]
async fn a_private_video_plays_for_its_owner_until_the_token_ends_and_for_nobody_else() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let (video, own) = ready(&stack, &ann, Visibility::Private).await;
    let segment = |token: &str| format!("/api/hls/{token}/s/v240/0.m4s");
    let list = |token: &str| format!("/api/hls/{token}/vod/master.m3u8");
    let poster = |token: &str| format!("/api/videos/{video}/poster?t={token}");
    assert_eq!(status(&stack, &own).await, 200);
    assert_eq!(status(&stack, &beside(&own, "s/v240/0.m4s")).await, 307);

    // Others are not told the address at all, and cannot make one up.
    let page = format!("/api/videos/{video}");
    assert_eq!(stack.get_as(&bob, &page).await.0, 404);
    assert_eq!(status(&stack, &page).await, 404);
    let (bobs, theirs) = ready(&stack, &bob, Visibility::Private).await;
    assert_eq!(status(&stack, &theirs).await, 200);
    let forged = URL_SAFE_NO_PAD.encode([7; 60]);
    // One without an end was made when the video was everybody's.
    let open = token(video, 1, 0);
    let over = token(video, 1, now() - 1);
    let early = token(video, 2, now() + 600);
    let gone = token(VideoId::new(), 1, now() + 600);
    for bad in [&forged, &open, &over, &early, &gone] {
        for path in [list(bad), segment(bad), poster(bad)] {
            assert_eq!(status(&stack, &path).await, 404, "{path}");
        }
    }
    let good = token(video, 1, now() + 600);
    for (path, expected) in [
        (list(&good), 200),
        (segment(&good), 307),
        (poster(&good), 307),
    ] {
        assert_eq!(status(&stack, &path).await, expected, "{path}");
    }
    // A token of one's own opens nothing of others.
    let crossed = format!(
        "/api/videos/{video}/poster?t={}",
        token(bobs, 1, now() + 600)
    );
    assert_eq!(status(&stack, &crossed).await, 404);

    let gone = stack.request(Method::DELETE, &page).bearer_auth(&ann.token);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    for path in [list(&good), segment(&good), poster(&good)] {
        assert_eq!(status(&stack, &path).await, 404, "{path}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn an_unlisted_video_plays_for_whoever_has_its_address_until_it_is_hidden() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (video, address) = ready(&stack, &ann, Visibility::Unlisted).await;
    assert_eq!(status(&stack, &format!("/api/videos/{video}")).await, 200);
    let listed: Value = get(&stack, "/api/videos").await.json().await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
    let media = beside(&address, "s/v240/0.m4s");
    assert_eq!(
        (status(&stack, &address).await, status(&stack, &media).await),
        (200, 307)
    );
    show(&stack, &ann, video, "private").await;
    assert_eq!(
        (status(&stack, &address).await, status(&stack, &media).await),
        (404, 404)
    );
    stack.stop().await;
}

#[tokio::test]
async fn the_store_is_asked_in_the_callers_method_for_as_long_as_it_says() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for (visibility, expires, start_of_hour) in [
        (Visibility::Public, "25200", true),
        (Visibility::Unlisted, "25200", true),
        (Visibility::Private, "60", false),
    ] {
        let (_, address) = ready(&stack, &ann, visibility).await;
        let path = beside(&address, "s/v240/0.m4s");
        let (first, second) = (get(&stack, &path).await, head(&stack, &path).await);
        let (first, second) = (location(&first), location(&second));
        for url in [first, second] {
            assert_eq!(param(url, "X-Amz-Expires"), expires);
            let begins = param(url, "X-Amz-Date").ends_with("0000Z");
            assert!(begins || !start_of_hour, "{url}");
        }
        // The method is signed: the store refuses a HEAD at the address of a GET.
        assert_ne!(
            param(first, "X-Amz-Signature"),
            param(second, "X-Amz-Signature")
        );
        assert_eq!(
            first.contains("response-cache-control=private"),
            !start_of_hour
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_cdn_for_everybody_gets_what_everybody_may_see() {
    let stack = Stack::start_with(PLAIN).await;
    let ann = stack.person("ann").await;
    let cdn = "https://cdn.example.org/bucket";
    let policy = get(&stack, "/api/videos").await;
    let policy = header(&policy, "content-security-policy").to_owned();
    for directive in ["img-src", "media-src", "connect-src"] {
        let sources = policy
            .split(';')
            .find(|part| part.trim().starts_with(directive));
        assert!(
            sources
                .unwrap()
                .contains(" http://127.0.0.1:9 https://cdn.example.org"),
            "{policy}"
        );
    }
    for visibility in [Visibility::Public, Visibility::Unlisted] {
        let (video, address) = ready(&stack, &ann, visibility).await;
        let folder = format!("{cdn}/hls/{video}/1/v240/c0-1");
        let list = text(&stack, &address.replace("master", "v240")).await;
        assert!(
            list.contains(&format!("#EXT-X-MAP:URI=\"{folder}/init.mp4\"\n")),
            "{list}"
        );
        assert!(list.contains(&format!("\n{folder}/seg_0.m4s\n")), "{list}");
        // The master names playlists, and those are ours.
        assert!(text(&stack, &address).await.ends_with("\nv240.m3u8\n"));
        for method in [Method::GET, Method::HEAD] {
            let path = beside(&address, "s/v240/0.m4s");
            let answer = stack.request(method, &path).send().await.unwrap();
            assert_eq!(location(&answer), format!("{folder}/seg_0.m4s"));
        }
        let poster = get(&stack, &poster_of(video, &address)).await;
        assert_eq!(location(&poster), format!("{cdn}/images/v/1/poster.jpg"));
        let (_, view) = stack.get_as(&ann, &format!("/api/videos/{video}")).await;
        assert_eq!(view["hls_credentials"], false);
    }
    let (video, address) = ready(&stack, &ann, Visibility::Private).await;
    let list = text(&stack, &address.replace("master", "v240")).await;
    assert!(
        list.contains("\n../s/v240/0.m4s\n") && !list.contains(cdn),
        "{list}"
    );
    for path in [beside(&address, "s/v240/0.m4s"), poster_of(video, &address)] {
        let answer = get(&stack, &path).await;
        assert!(location(&answer).starts_with("http://127.0.0.1:9/"));
    }

    // Shown to everybody, it comes from where everybody gets it.
    show(&stack, &ann, video, "public").await;
    let public = master(&stack, &ann, video).await;
    let list = text(&stack, &public.replace("master", "v240")).await;
    assert!(list.contains(cdn), "{list}");
    stack.stop().await;
}
