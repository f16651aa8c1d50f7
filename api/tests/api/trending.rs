//! What many watch, and what somebody may like.

use futures::future::BoxFuture;
use millrace_domain::{
    ids::{UserId, VideoId},
    recommend::{self, CoViewing, Likings, Recommender},
    trending, views,
};
use reqwest::Method;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::stack::{Person, Stack, answer};

/// So many people watched a video, and the job counted it.
async fn watched(stack: &Stack, video: VideoId, people: usize) {
    for _ in 0..people {
        views::note(&stack.db, video, Uuid::new_v4()).await.unwrap();
    }
    views::flush(&stack.db).await.unwrap();
}

async fn rank(stack: &Stack) -> u64 {
    let mut tx = stack.db.begin().await.unwrap();
    let ranked = trending::rank(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    ranked
}

/// Lets so many days go by for what was watched until now.
async fn days_go_by(stack: &Stack, days: i32) {
    sqlx::query("update video_popularity set heat = heat - $1")
        .bind(days)
        .execute(&stack.db)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_watched_now_beats_what_was_watched_more_before() {
    let stack = Stack::start().await;
    let people = [
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    ];
    assert_eq!(rank(&stack).await, 0);
    assert_eq!(
        stack.ids_of(None, "/api/videos/trending").await,
        Vec::<String>::new()
    );
    let mut videos = Vec::new();
    for person in &people {
        videos.push(stack.listed(person, 60.0).await);
    }
    let names: Vec<String> = videos.iter().map(ToString::to_string).collect();
    let of = |numbers: &[usize]| {
        numbers
            .iter()
            .map(|n| names[*n].clone())
            .collect::<Vec<_>>()
    };

    watched(&stack, videos[0], 6).await;
    watched(&stack, videos[1], 4).await;
    // Flushed in two parts, the same views weigh the same.
    watched(&stack, videos[2], 3).await;
    watched(&stack, videos[2], 2).await;
    assert_eq!(rank(&stack).await, 3);
    assert_eq!(
        stack.ids_of(None, "/api/videos/trending").await,
        of(&[0, 2, 1])
    );

    days_go_by(&stack, 1).await;
    watched(&stack, videos[1], 2).await;
    rank(&stack).await;
    // 3, 4 and 2.5 views of today.
    assert_eq!(
        stack.ids_of(None, "/api/videos/trending").await,
        of(&[1, 0, 2])
    );

    // Hidden: gone at once, without the job.
    stack
        .patch_as(
            &people[1],
            &format!("/api/videos/{}", names[1]),
            json!({"visibility": "unlisted"}),
        )
        .await;
    assert_eq!(
        stack.ids_of(None, "/api/videos/trending").await,
        of(&[0, 2])
    );
    days_go_by(&stack, 12).await;
    assert_eq!(rank(&stack).await, 0);
    stack.stop().await;
}

#[tokio::test]
async fn a_reader_stays_on_one_list_and_one_creator_does_not_fill_it() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    for n in 0..7_usize {
        watched(&stack, stack.listed(&ann, 60.0).await, 20 + n).await;
    }
    let last = stack.listed(&bob, 60.0).await;
    watched(&stack, last, 1).await;
    assert_eq!(rank(&stack).await, 6);
    let (_, first) = answer(stack.request(Method::GET, "/api/videos/trending?limit=3")).await;
    // Meanwhile another list is made, the other way round, and the first one grows old.
    watched(&stack, last, 99).await;
    rank(&stack).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = answer(stack.request(
        Method::GET,
        &format!("/api/videos/trending?limit=3&cursor={cursor}"),
    ))
    .await;
    let mut seen: Vec<&str> = [&first, &second]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|video| video["id"].as_str().unwrap())
        .collect();
    assert_eq!(seen.last(), Some(&last.to_string().as_str()));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), second["next_cursor"].is_null()), (6, true));
    // Lists go after an hour, the newest one never.
    sqlx::query("update trending_lists set made_at = now() - interval '2 hours'")
        .execute(&stack.db)
        .await
        .unwrap();
    rank(&stack).await;
    let lists: i64 = sqlx::query_scalar("select count(*) from trending_lists")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(lists, 1);
    let (status, page) = answer(stack.request(
        Method::GET,
        &format!("/api/videos/trending?cursor={cursor}"),
    ))
    .await;
    assert_eq!(
        (status.as_u16(), page["items"].as_array().unwrap().len()),
        (200, 3)
    );
    stack.stop().await;
}

/// Somebody watched these, one after the other.
async fn keeps(stack: &Stack, person: &Person, videos: &[VideoId]) {
    for video in videos {
        sqlx::query("insert into watch_history (user_id, video_id, position, said_at, watched_at) values ($1, $2, 1, now(), clock_timestamp())")
            .bind(person.id.0)
            .bind(video.0)
            .execute(&stack.db)
            .await
            .unwrap();
    }
}

async fn refresh(stack: &Stack, model: &dyn Recommender) -> usize {
    let mut tx = stack.db.begin().await.unwrap();
    let people = recommend::stale_after(&mut tx, None, 100).await.unwrap();
    recommend::refresh(&mut tx, model, &people).await.unwrap();
    tx.commit().await.unwrap();
    people.len()
}

#[tokio::test]
async fn people_who_watched_the_same_are_offered_what_the_others_watched_besides() {
    let stack = Stack::start().await;
    let maker = stack.person("maker").await;
    let mut videos = Vec::new();
    for _ in 0..6 {
        videos.push(stack.listed(&maker, 60.0).await);
    }
    let names: Vec<String> = videos.iter().map(ToString::to_string).collect();
    let (ann, bob, eve) = (
        stack.person("ann").await,
        stack.person("bob").await,
        stack.person("eve").await,
    );
    keeps(&stack, &ann, &[videos[0], videos[1], videos[2]]).await;
    keeps(&stack, &bob, &[videos[0], videos[1], videos[3]]).await;
    keeps(&stack, &eve, &[videos[0]]).await;
    watched(&stack, videos[5], 3).await;
    rank(&stack).await;
    assert_eq!(refresh(&stack, &CoViewing).await, 3);
    assert_eq!(
        refresh(&stack, &CoViewing).await,
        0,
        "nobody watched anything since"
    );

    // Two people watched 0 and 1. What one alone watched besides is not told. Then what is trending, then what is new.
    let expected = [1, 5, 4, 3, 2].map(|n| names[n].clone());
    let offered = stack.ids_of(Some(&eve), "/api/videos/recommended").await;
    assert_eq!(offered[..2], expected[..2], "{offered:?}");
    assert_eq!(
        offered.len(),
        6,
        "what is new, what was watched included: {offered:?}"
    );
    let visitor = stack.ids_of(None, "/api/videos/recommended").await;
    assert_eq!((&visitor[0], visitor.len()), (&names[5], 6));
    let (_, related) =
        answer(stack.request(Method::GET, &format!("/api/videos/{}/related", names[0]))).await;
    assert_eq!(related[0]["id"], names[1].as_str(), "{related}");

    // Of hidden videos nothing is offered, whatever the list says.
    stack
        .patch_as(
            &maker,
            &format!("/api/videos/{}", names[1]),
            json!({"visibility": "private"}),
        )
        .await;
    let offered = stack.ids_of(Some(&eve), "/api/videos/recommended").await;
    assert!(!offered.contains(&names[1]), "{offered:?}");
    stack.stop().await;
}

#[tokio::test]
async fn without_others_the_same_tags_are_offered() {
    let stack = Stack::start().await;
    let maker = stack.person("maker").await;
    let mut videos = Vec::new();
    for tag in ["river", "lake", "river"] {
        let id = stack.listed(&maker, 60.0).await;
        stack
            .patch_as(&maker, &format!("/api/videos/{id}"), json!({"tags": [tag]}))
            .await;
        videos.push(id);
    }
    let eve = stack.person("eve").await;
    keeps(&stack, &eve, &videos[..1]).await;
    refresh(&stack, &CoViewing).await;
    let offered = stack.ids_of(Some(&eve), "/api/videos/recommended").await;
    assert_eq!(offered[0], videos[2].to_string());
    // Forgotten: nothing is known of them any more.
    stack.delete_as(&eve, "/api/me/history").await;
    let left: i64 = sqlx::query_scalar("select count(*) from recommendations")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    stack.stop().await;
}

/// Another model: the videos it was given.
struct Fixed(Vec<VideoId>);

impl Recommender for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn recommend<'a>(
        &'a self,
        _conn: &'a mut PgConnection,
        people: &'a [UserId],
        _most: i64,
    ) -> BoxFuture<'a, Result<Likings, sqlx::Error>> {
        Box::pin(async move { Ok(people.iter().map(|user| (*user, self.0.clone())).collect()) })
    }
}

#[tokio::test]
async fn another_model_takes_the_place_while_somebody_turns_pages() {
    let stack = Stack::start().await;
    let (maker, eve) = (stack.person("maker").await, stack.person("eve").await);
    let mut videos = Vec::new();
    for _ in 0..6 {
        videos.push(stack.listed(&maker, 60.0).await);
    }
    keeps(&stack, &eve, &videos[..1]).await;
    refresh(&stack, &Fixed(vec![videos[2], videos[4], videos[1]])).await;
    let (_, first) = stack.get_as(&eve, "/api/videos/recommended?limit=2").await;
    keeps(&stack, &eve, &videos[5..]).await;
    refresh(&stack, &Fixed(vec![videos[3], videos[2]])).await;
    let model: String = sqlx::query_scalar("select model from recommendations")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(model, "fixed");
    let mut seen: Vec<String> = Vec::new();
    let mut page = first;
    loop {
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|video| video["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        page = stack
            .get_as(
                &eve,
                &format!("/api/videos/recommended?limit=2&cursor={cursor}"),
            )
            .await
            .1;
    }
    // The first list to its end, then the newest.
    let expected = [2, 4, 1, 5, 3, 0].map(|n| videos[n].to_string());
    assert_eq!(seen, expected);
    stack.stop().await;
}
