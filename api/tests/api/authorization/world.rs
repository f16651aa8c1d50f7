//! The people who ask, and the things that they ask for: fresh ones for each request.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, decode_header, encode};
use millrace_domain::{
    accounts::{NewUser, Role, User},
    videos::Visibility,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::policy::Caller;
use crate::{
    admin,
    playback::playable,
    stack::{PASSWORD, Person, SIGNING_KEY, Stack},
};

type Values = BTreeMap<String, String>;

/// A server with everybody in it.
pub(super) struct World {
    pub stack: Stack,
    owner: Person,
    other: Person,
    auditor: Person,
    operator: Person,
    admin: Person,
    deactivated: Person,
    expired: Person,
    late_token: String,
    /// Owns what belongs to none of the callers.
    zoe: Person,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with("").await
    }

    /// With `settings` in TOML besides those of a test.
    pub(super) async fn with(settings: &str) -> Self {
        let stack = Stack::start_with(settings).await;
        let expired = person(&stack, "emma", Role::Admin).await;
        Self {
            owner: person(&stack, "ann", Role::User).await,
            other: person(&stack, "bob", Role::User).await,
            auditor: person(&stack, "aud", Role::Auditor).await,
            operator: person(&stack, "opal", Role::Operator).await,
            admin: person(&stack, "adam", Role::Admin).await,
            deactivated: person(&stack, "dora", Role::Admin).await,
            late_token: late(&expired.token),
            expired,
            zoe: person(&stack, "zoe", Role::User).await,
            stack,
        }
    }

    /// The access token that `caller` comes with.
    pub(super) fn token(&self, caller: Caller) -> Option<&str> {
        Some(match caller {
            Caller::Anonymous => return None,
            Caller::Owner => &self.owner.token,
            Caller::Other => &self.other.token,
            Caller::Auditor => &self.auditor.token,
            Caller::Operator => &self.operator.token,
            Caller::Admin => &self.admin.token,
            Caller::Deactivated => &self.deactivated.token,
            Caller::Expired => &self.late_token,
        })
    }

    /// Whose things are asked for by `caller`: those who are refused for what they are would else get through.
    fn owner(&self, caller: Caller) -> &Person {
        match caller {
            Caller::Deactivated => &self.deactivated,
            Caller::Expired => &self.expired,
            _ => &self.owner,
        }
    }

    /// Logs the caller in once more, for requests that spend the cookie. That of the expired one is too old.
    pub(super) async fn cookie(&self, caller: Caller) -> Option<String> {
        let name = match caller {
            Caller::Anonymous => return None,
            Caller::Owner => "ann",
            Caller::Other => "bob",
            Caller::Auditor => "aud",
            Caller::Operator => "opal",
            Caller::Admin => "adam",
            Caller::Deactivated => "dora",
            Caller::Expired => "emma",
        };
        let person = self.stack.log_in(name).await;
        if caller == Caller::Expired {
            self.run(
                "update sessions set expires_at = now() - interval '1 second' where user_id = $1",
                person.id.0,
            )
            .await;
        }
        Some(person.cookie)
    }

    /// Just before a request: the deactivated one is from now on.
    pub(super) async fn set_out(&self) {
        let id = self.deactivated.id.0;
        self.run("update users set is_active = id <> $1", id).await;
    }

    /// Repairs what a request may have ended.
    pub(super) async fn restore(&self) {
        sqlx::raw_sql(
            "update users set is_active = true where not is_active;
             update sessions set revoked_at = null, revoked_for = null where revoked_at is not null;
             delete from throttles",
        )
        .execute(&self.stack.db)
        .await
        .unwrap();
    }

    /// A new thing of this name for `caller` to ask for, as values of a path.
    pub(super) async fn thing(&self, name: &str, caller: Caller) -> Values {
        let owner = self.owner(caller);
        match name {
            "-" => Values::new(),
            "video" => self.video(owner, Visibility::Public).await,
            "private_video" => self.video(owner, Visibility::Private).await,
            "trashed_video" => {
                let values = self.video(owner, Visibility::Public).await;
                self.run(
                    "update videos set deleted_at = now() where id = $1",
                    id(&values),
                )
                .await;
                values
            }
            "arriving_picture" => {
                let values = self.video(owner, Visibility::Public).await;
                let statement = "update video_thumbnails set status = 'uploading', key = null where video_id = $1";
                self.run(statement, id(&values)).await;
                values
            }
            "watched_video" => {
                let values = self.video(owner, Visibility::Public).await;
                self.insert(
                    "insert into watch_history (video_id, user_id, position, said_at) values ($1, $2, 1, now())",
                    id(&values),
                    owner,
                )
                .await;
                values
            }
            "stream" => self.stream(owner, Visibility::Public).await,
            "private_stream" => self.stream(owner, Visibility::Private).await,
            "comment" => {
                let video = self.video(owner, Visibility::Public).await;
                self.comment(owner, &video).await
            }
            "private_comment" => {
                let video = self.video(owner, Visibility::Private).await;
                self.comment(owner, &video).await
            }
            "comment_of_a_guest" => {
                let video = self.video(owner, Visibility::Public).await;
                self.comment(&self.zoe, &video).await
            }
            "comment_elsewhere" => {
                let video = self.video(&self.zoe, Visibility::Public).await;
                self.comment(owner, &video).await
            }
            "channel" => {
                let username: String =
                    sqlx::query_scalar("select username::text from users where id = $1")
                        .bind(owner.id.0)
                        .fetch_one(&self.stack.db)
                        .await
                        .unwrap();
                values([("username", username)])
            }
            "playlist" => self.playlist(owner, "public").await,
            "private_playlist" => self.playlist(owner, "private").await,
            "job" => {
                let options = json!({"delay_ms": 3_600_000});
                let job = admin::enqueue(&self.stack, json!({}), options).await;
                values([("id", job.to_string())])
            }
            _ => {
                let made = Uuid::now_v7();
                self.insert(row_of(name), made, owner).await;
                values([("id", made.to_string())])
            }
        }
    }

    /// A video that plays, with everything that videos may have.
    async fn video(&self, owner: &Person, visibility: Visibility) -> Values {
        let video = playable(&self.stack, owner, visibility).await.0;
        let (thumbnail, upload) = (Uuid::now_v7(), Uuid::now_v7());
        self.run(
            "update videos set status = 'ready', stage = 'done', duration = 40, published_at = now(),
                    thumbnail_key = 'images/x.jpg', file_key = 'hls/x/file.mp4' where id = $1",
            video,
        )
        .await;
        self.run(
            "insert into captions (video_id, language, body, cues) values ($1, 'en', 'WEBVTT', 1)",
            video,
        )
        .await;
        self.run(
            "insert into storyboards (video_id, generation, interval_s, shots, across, down, width, height, sheets)
             values ($1, 1, 10, 4, 2, 2, 160, 90, '{images/x/board-0.jpg}')",
            video,
        )
        .await;
        sqlx::query(
            "insert into video_thumbnails (id, video_id, upload_key, key) values ($1, $2, 'images/x', 'images/y')",
        )
        .bind(thumbnail)
        .bind(video)
        .execute(&self.stack.db)
        .await
        .unwrap();
        self.insert(row_of("upload"), upload, owner).await;
        values([
            ("id", video.to_string()),
            ("video_id", video.to_string()),
            ("item_id", video.to_string()),
            ("thumbnail", thumbnail.to_string()),
            ("language", "en".to_owned()),
            ("upload_id", upload.to_string()),
        ])
    }

    /// A video with the token that its owner's player was given.
    async fn stream(&self, owner: &Person, visibility: Visibility) -> Values {
        let mut video = self.video(owner, visibility).await;
        let path = format!("/api/videos/{}", video["id"]);
        let (_, seen) = self.stack.get_as(owner, &path).await;
        let url = |field: &str| seen[field].as_str().unwrap().to_owned();
        let token = url("hls_url").split('/').nth(3).unwrap().to_owned();
        let poster_token = url("poster_url").split("t=").nth(1).unwrap().to_owned();
        video.extend(values([("token", token), ("poster_token", poster_token)]));
        video
    }

    async fn comment(&self, author: &Person, video: &Values) -> Values {
        let comment = Uuid::now_v7();
        sqlx::query(
            "insert into comments (id, video_id, user_id, body) values ($1, $2, $3, 'Well done')",
        )
        .bind(comment)
        .bind(id(video))
        .bind(author.id.0)
        .execute(&self.stack.db)
        .await
        .unwrap();
        values([("id", comment.to_string())])
    }

    async fn playlist(&self, owner: &Person, visibility: &str) -> Values {
        let mut values = self.video(owner, Visibility::Public).await;
        let (list, video) = (Uuid::now_v7(), id(&values));
        sqlx::query(
            "with list as (insert into playlists (id, user_id, title, visibility) values ($1, $2, 'Walks', $4))
             insert into playlist_items (playlist_id, video_id, position) values ($1, $3, 0)",
        )
        .bind(list)
        .bind(owner.id.0)
        .bind(video)
        .bind(visibility)
        .execute(&self.stack.db)
        .await
        .unwrap();
        values.insert("id".to_owned(), list.to_string());
        values
    }

    async fn insert(&self, statement: &'static str, id: Uuid, owner: &Person) {
        sqlx::query(statement)
            .bind(id)
            .bind(owner.id.0)
            .execute(&self.stack.db)
            .await
            .unwrap();
    }

    async fn run(&self, statement: &'static str, id: Uuid) {
        sqlx::query(statement)
            .bind(id)
            .execute(&self.stack.db)
            .await
            .unwrap();
    }
}

/// Somebody who need not register, which may be closed, and is logged in.
async fn person(stack: &Stack, name: &str, role: Role) -> Person {
    let new = NewUser {
        username: name,
        email: &format!("{name}@example.org"),
        password_hash: &millrace_api::hash_password(PASSWORD).unwrap(),
        role,
        language: "en",
    };
    User::create(&stack.db, new).await.unwrap();
    stack.log_in(name).await
}

/// How a thing that is a row and nothing else is made: $1 is its id, $2 its owner.
fn row_of(thing: &str) -> &'static str {
    match thing {
        "upload" => {
            "insert into uploads (id, user_id, filename, size, content_type, method, key, expires_at)
             values ($1, $2, 'walk.mp4', 1000, 'video/mp4', 'single', 'raw/x/source', now() + interval '1 day')"
        }
        "invite" => {
            "insert into invites (id, hash, created_by, expires_at)
             values ($1, uuid_send($1), $2, now() + interval '1 day')"
        }
        "bulk_edit" => {
            "insert into bulk_edits (id, user_id, videos, change) values ($1, $2, array[$1],
             '{\"delete\": false, \"restore\": false}')"
        }
        "shown_picture" => {
            "with mine as (insert into avatars (id, user_id, status, content_type, size)
                           values ($1, $2, 'ready', 'image/png', 1))
             update users set avatar = $1::text where id = $2"
        }
        "sent_picture" => {
            "insert into avatars (id, user_id, content_type, size) values ($1, $2, 'image/png', 1)"
        }
        "session" => {
            "insert into sessions (id, user_id, expires_at) values ($1, $2, now() + interval '1 day')"
        }
        "notification" => {
            "insert into notifications (id, user_id, kind, key) values ($1, $2, 'follower', $1::text)"
        }
        "report_case" => {
            "insert into moderation_cases (id, target, target_id, owner_id) values ($1, 'video', $1, $2)"
        }
        "decision" => {
            "insert into moderation_decisions (id, target, target_id, owner_id, action, reason)
             values ($1, 'video', $1, $2, 'hide', 'spam')"
        }
        "appeal" => {
            "with decision as (
                insert into moderation_decisions (id, target, target_id, owner_id, action, reason)
                values ($1, 'video', $1, $2, 'hide', 'spam'))
             insert into appeals (id, decision_id, user_id, body) values ($1, $1, $2, 'But why?')"
        }
        "payment" => {
            "insert into payments (id, user_id, item_type, item_id, amount, currency, seller_id, title, share_bps,
                                   idempotency_key, provider, expires_at)
             values ($1, $2, 'tip', $1, 5000, 'TWD', $1, 'zoe', 1000, $1::text, 'stripe', now() + interval '1 hour')"
        }
        "word" => {
            "insert into comment_words (id, text, folded, mode) values ($1, $1::text, $1 || '' || $2, 'hold')"
        }
        other => panic!("the world has no {other}"),
    }
}

/// The same access token, as good as it was an hour after its end.
fn late(token: &str) -> String {
    let header = decode_header(token).unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    for name in ["exp", "nbf", "iat"] {
        claims[name] = json!(claims[name].as_i64().unwrap() - 7_200);
    }
    let key = EncodingKey::from_secret(SIGNING_KEY.as_bytes());
    encode(&header, &claims, &key).unwrap()
}

fn values<const N: usize>(pairs: [(&str, String); N]) -> Values {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn id(values: &Values) -> Uuid {
    values["id"].parse().unwrap()
}
