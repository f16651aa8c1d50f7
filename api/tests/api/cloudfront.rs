//! CloudFront: cookies and signatures that its public key verifies, for whom, and until when.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use millrace_domain::videos::Visibility;
use reqwest::Response;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use crate::{
    delivery::{KEY_ID, beside, location, now, param, poster_of, ready, signed, text, token},
    playback::{get, segment, show},
    stack::Stack,
};

const PUBLIC_KEY: &[u8] =
    include_bytes!("../../../domain/src/storage/fixtures/cdn_test_key.pub.der");

fn decode(text: &str) -> Vec<u8> {
    let plain = text.replace('-', "+").replace('_', "=").replace('~', "/");
    STANDARD.decode(plain).unwrap()
}

fn verified(policy: &[u8], signature: &str) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY)
        .verify(policy, &decode(signature))
        .is_ok()
}

/// The cookies that an answer sets: name, value, attributes.
fn cookies(response: &Response) -> Vec<(String, String, String)> {
    let read = |header: &reqwest::header::HeaderValue| {
        let text = header.to_str().unwrap();
        let (pair, attributes) = text.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned(), attributes.to_owned())
    };
    let all = response.headers().get_all("set-cookie");
    all.iter().map(read).collect()
}

#[tokio::test]
async fn cloudfront_gets_cookies_for_one_video_that_the_public_key_verifies() {
    let stack = Stack::start_with(&signed()).await;
    let ann = stack.person("ann").await;
    for visibility in [Visibility::Public, Visibility::Private] {
        let private = visibility == Visibility::Private;
        let (video, address) = ready(&stack, &ann, visibility).await;
        let (_, view) = stack.get_as(&ann, &format!("/api/videos/{video}")).await;
        assert_eq!(view["hls_credentials"], true);
        let media = address.replace("master", "v240");
        let list = text(&stack, &media).await;
        let folder = format!("http://127.0.0.1:9/bucket/hls/{video}/1");
        assert!(
            list.contains(&format!("\n{folder}/v240/c0-1/seg_0.m4s\n")),
            "{list}"
        );

        let mut before = None;
        for path in [&address, &media] {
            let answer = get(&stack, path).await;
            let set = cookies(&answer);
            let value = |name: &str| {
                let found = set.iter().find(|(known, ..)| known == name);
                found.unwrap_or_else(|| panic!("no {name}")).1.clone()
            };
            assert_eq!(value("CloudFront-Key-Pair-Id"), KEY_ID);
            assert_eq!(value("CloudFront-Hash-Algorithm"), "SHA256");
            let policy = decode(&value("CloudFront-Policy"));
            assert!(verified(&policy, &value("CloudFront-Signature")));
            let policy: Value = serde_json::from_slice(&policy).unwrap();
            let statements = policy["Statement"].as_array().unwrap();
            assert_eq!(statements.len(), 1);
            assert_eq!(statements[0]["Resource"], format!("{folder}/*"));
            let ends = &statements[0]["Condition"]["DateLessThan"]["AWS:EpochTime"];
            let left = ends.as_u64().unwrap() - now();
            assert!((6 * 3_600 - 60..=7 * 3_600).contains(&left), "{left}");
            for (name, _, attributes) in &set {
                let (path, rest) = attributes.split_once("; Max-Age=").unwrap();
                assert_eq!(path, format!("Path=/bucket/hls/{video}/1/"), "{name}");
                assert!(
                    rest.ends_with("; HttpOnly; SameSite=Lax"),
                    "{name}: {attributes}"
                );
            }
            // Signed once, for everybody.
            let now = value("CloudFront-Signature");
            assert_eq!(*before.get_or_insert(now.clone()), now);
        }

        // A redirect carries its signature: for a picture or a file, cookies of a folder would be too much.
        for (path, key) in [
            (
                beside(&address, "s/v240/0.m4s"),
                format!("hls/{video}/1/v240/c0-1/seg_0.m4s"),
            ),
            (
                poster_of(video, &address),
                "images/v/1/poster.jpg".to_owned(),
            ),
        ] {
            let answer = get(&stack, &path).await;
            let url = location(&answer);
            let (plain, _) = url.split_once('?').unwrap();
            assert_eq!(plain, format!("http://127.0.0.1:9/bucket/{key}"));
            let ends: u64 = param(url, "Expires").parse().unwrap();
            let policy = format!(
                r#"{{"Statement":[{{"Resource":"{plain}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{ends}}}}}}}]}}"#
            );
            assert!(
                verified(policy.as_bytes(), param(url, "Signature")),
                "{url}"
            );
            let left = ends - now();
            assert!(
                if private {
                    left <= 60
                } else {
                    left >= 6 * 3_600 - 60
                },
                "{left}"
            );
            assert!(cookies(&answer).is_empty());
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn cookies_end_with_the_token_and_a_hidden_video_sets_none() {
    let stack = Stack::start_with(&signed()).await;
    let ann = stack.person("ann").await;
    let (video, _) = ready(&stack, &ann, Visibility::Private).await;
    let soon = now() + 600;
    let path = format!("/api/hls/{}/vod/v240.m3u8", token(video, 1, soon));
    let answer = get(&stack, &path).await;
    let set = cookies(&answer);
    let (_, policy, attributes) = set
        .iter()
        .find(|(name, ..)| name == "CloudFront-Policy")
        .unwrap();
    let policy: Value = serde_json::from_slice(&decode(policy)).unwrap();
    let ends = &policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"];
    assert_eq!(ends.as_u64(), Some(soon));
    let age = attributes.split_once("Max-Age=").unwrap().1;
    let age: u64 = age.split(';').next().unwrap().parse().unwrap();
    assert!((540..=600).contains(&age), "{age}");

    let (video, public) = ready(&stack, &ann, Visibility::Public).await;
    segment(&stack, video, 1).await;
    assert_eq!(cookies(&get(&stack, &public).await).len(), 4);
    show(&stack, &ann, video, "private").await;
    let answer = get(&stack, &public).await;
    assert_eq!((answer.status().as_u16(), cookies(&answer).len()), (404, 0));
    stack.stop().await;
}
