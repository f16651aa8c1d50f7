//! A server over a database of its own, and a client for it.

use std::{net::SocketAddr, time::Duration};

use millrace_config::Config;
use millrace_domain::{
    ids::{UploadId, UserId, VideoId},
    videos::{NewVideo, Video, Visibility},
};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const PASSWORD: &str = "violet-harbour-92-kettle";
/// Signs access tokens.
pub(crate) const SIGNING_KEY: &str = "a signing key of the tests, long enough";

/// A running API. Dropping it without [`Stack::stop`] leaves its database behind.
pub(crate) struct Stack {
    pub address: SocketAddr,
    pub db: PgPool,
    pub http: reqwest::Client,
    database: String,
    admin: PgConnectOptions,
    shutdown: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
}

/// Somebody who is logged in.
pub(crate) struct Person {
    pub id: UserId,
    pub token: String,
    pub cookie: String,
}

impl Stack {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With `settings` in TOML besides those of a test.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let url = millrace_config::variable("DATABASE_URL")
            .expect("DATABASE_URL names a server where databases may be made");
        let admin: PgConnectOptions = url.parse().unwrap();
        let database = format!("test_api_{}", uuid::Uuid::now_v7().simple());
        let mut conn = admin.clone().database("postgres").connect().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {database}")))
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        let options = admin.clone().database(&database);
        let db = PgPoolOptions::new()
            .max_connections(5)
            .connect_with(options.clone())
            .await
            .unwrap();
        millrace_jobs::migrate(&db).await.unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = config(address, options.to_url_lossy().as_ref(), settings);
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(millrace_api::run(config, listener, shutdown.clone()));
        Self {
            address,
            db,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            database,
            admin,
            shutdown,
            server,
        }
    }

    /// Ends the server, which must end well, and drops the database.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.server)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        self.db.close().await;
        let mut conn = self
            .admin
            .clone()
            .database("postgres")
            .connect()
            .await
            .unwrap();
        let drop = format!("drop database {} with (force)", self.database);
        sqlx::query(sqlx::AssertSqlSafe(drop))
            .execute(&mut conn)
            .await
            .unwrap();
    }

    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn get_as(&self, person: &Person, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path).bearer_auth(&person.token)).await
    }

    pub(crate) async fn post_as(
        &self,
        person: &Person,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        answer(
            self.request(Method::POST, path)
                .bearer_auth(&person.token)
                .json(&body),
        )
        .await
    }

    /// Registers and logs in.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let body =
            json!({"username": name, "email": format!("{name}@example.org"), "password": PASSWORD});
        let (status, user) = self.post("/api/auth/register", body).await;
        assert_eq!(status, 201, "{user}");
        self.log_in(name).await
    }

    pub(crate) async fn log_in(&self, name: &str) -> Person {
        let body = json!({"identifier": name, "password": PASSWORD});
        let response = self
            .request(Method::POST, "/api/auth/login")
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let cookie = cookie_of(&response);
        let body: Value = response.json().await.unwrap();
        Person {
            id: body["user"]["id"].as_str().unwrap().parse().unwrap(),
            token: body["access_token"].as_str().unwrap().to_owned(),
            cookie,
        }
    }

    /// A public video that everybody finds, as a pipeline would leave it, of `seconds`.
    pub(crate) async fn listed(&self, owner: &Person, seconds: f64) -> VideoId {
        let id = self.video(owner, Visibility::Public).await;
        sqlx::query(
            "update videos set status = 'ready', playable_at = now(), duration = $2 where id = $1",
        )
        .bind(id.0)
        .bind(seconds)
        .execute(&self.db)
        .await
        .unwrap();
        id
    }

    pub(crate) async fn put_as(
        &self,
        person: &Person,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        answer(
            self.request(Method::PUT, path)
                .bearer_auth(&person.token)
                .json(&body),
        )
        .await
    }

    pub(crate) async fn patch_as(
        &self,
        person: &Person,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        answer(
            self.request(Method::PATCH, path)
                .bearer_auth(&person.token)
                .json(&body),
        )
        .await
    }

    pub(crate) async fn delete_as(&self, person: &Person, path: &str) -> (StatusCode, Value) {
        answer(
            self.request(Method::DELETE, path)
                .bearer_auth(&person.token),
        )
        .await
    }

    /// The ids of all items of a list, page by page of two.
    pub(crate) async fn ids_of(&self, person: Option<&Person>, path: &str) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        let mark = if path.contains('?') { '&' } else { '?' };
        for _ in 0..100 {
            let mut request =
                self.request(Method::GET, &format!("{path}{mark}limit=2&cursor={cursor}"));
            if let Some(person) = person {
                request = request.bearer_auth(&person.token);
            }
            let (status, page) = answer(request).await;
            assert_eq!(status, 200, "{path}: {page}");
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            ids.extend(items.iter().map(|item| {
                let whole = item
                    .get("video")
                    .filter(|video| video.is_object())
                    .unwrap_or(item);
                whole["id"].as_str().unwrap().to_owned()
            }));
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return ids,
            }
        }
        panic!("{path} has no last page");
    }

    /// A video row as an upload would make it, without a pipeline.
    pub(crate) async fn video(&self, owner: &Person, visibility: Visibility) -> VideoId {
        let upload = UploadId::new();
        let new = NewVideo {
            id: VideoId::new(),
            user_id: owner.id,
            upload_id: upload,
            title: "A walk".to_owned(),
            description: String::new(),
            visibility,
            original_key: format!("raw/{upload}/source"),
            original_etag: "\"x\"".to_owned(),
            original_name: "walk.mp4".to_owned(),
            file_size: 1_000,
        };
        assert!(Video::insert(&self.db, &new).await.unwrap());
        new.id
    }
}

/// The refresh cookie that an answer sets, as a request sends it.
pub(crate) fn cookie_of(response: &reqwest::Response) -> String {
    let header = response.headers()["set-cookie"].to_str().unwrap();
    header.split(';').next().unwrap().to_owned()
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{status}"
        );
    }
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn config(address: SocketAddr, database: &str, settings: &str) -> Config {
    let mut table: toml::Table = format!(
        r#"
        [server]
        listen = "{address}"
        public_url = "http://{address}"
        metrics_listen = "127.0.0.1:0"
        [web]
        dir = "does/not/exist"
        [database]
        url = "{database}"
        max_connections = 8
        [storage]
        endpoint = "http://127.0.0.1:9"
        access_key = "test"
        secret_key = "test-secret"
        path_style = true
        [auth]
        signing_key = "{SIGNING_KEY}"
        sealing_key = "a sealing key of the tests, long enough"
        login_burst = 100
        [playback]
        signing_key = "a playback key of the tests, long enough"
        "#
    )
    .parse()
    .unwrap();
    for (name, section) in settings.parse::<toml::Table>().unwrap() {
        let merged = table
            .entry(name)
            .or_insert_with(|| toml::Table::new().into());
        merged
            .as_table_mut()
            .unwrap()
            .extend(section.as_table().unwrap().clone());
    }
    Config::from_layers(None, table, std::collections::BTreeMap::new()).unwrap()
}
