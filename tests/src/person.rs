//! Somebody with an account, who uses the API over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use reqwest::{Client, Method, StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Clip, Stack, until};

/// What everybody logs in with: strong enough for any rule.
pub const PASSWORD: &str = "seven green llamas hum at dawn";

/// A client of the API, signed in or not.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    /// Empty for somebody who is not signed in.
    pub id: String,
    pub token: String,
    base: String,
    http: Client,
}

/// What the API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Null when the body is no JSON.
    pub body: Value,
    pub text: String,
}

impl Person {
    /// Somebody who is not signed in.
    ///
    /// # Errors
    /// That there is no HTTP client.
    pub fn stranger(stack: &Stack) -> Result<Self> {
        Self::stranger_at(stack.address())
    }

    /// Somebody who is not signed in, at the API's address.
    ///
    /// # Errors
    /// That there is no HTTP client.
    pub fn stranger_at(address: &str) -> Result<Self> {
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .build()?;
        let base = address.to_owned();
        Ok(Self {
            name: String::new(),
            id: String::new(),
            token: String::new(),
            base,
            http,
        })
    }

    /// Registers under a new name and logs in.
    ///
    /// # Errors
    /// That the API refuses.
    pub async fn register(stack: &Stack) -> Result<Self> {
        Self::register_at(stack.address()).await
    }

    /// The same at the API's address.
    ///
    /// # Errors
    /// That the API refuses.
    pub async fn register_at(address: &str) -> Result<Self> {
        let mut person = Self::stranger_at(address)?;
        person.name = format!("p{}", &Uuid::now_v7().simple().to_string()[16..]);
        let email = format!("{}@example.org", person.name);
        let new = json!({ "username": person.name, "email": email, "password": PASSWORD });
        person.post("/api/auth/register", new).await?.expect(201)?;
        let login = json!({ "identifier": person.name, "password": PASSWORD });
        let session = person.post("/api/auth/login", login).await?.expect(200)?;
        person.token = text(&session["access_token"])?;
        person.id = text(&session["user"]["id"])?;
        Ok(person)
    }

    /// The same with another access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The address of the API.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request with a body of any kind.
    ///
    /// # Errors
    /// That no answer comes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request
            .body(body)
            .send()
            .await
            .with_context(|| format!("no answer from {path}"))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer {
            status,
            headers,
            body,
            text,
        })
    }

    /// GET
    ///
    /// # Errors
    /// That no answer comes.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    /// DELETE
    ///
    /// # Errors
    /// That no answer comes.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, &[], Vec::new()).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// That no answer comes.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        let body = body.to_string().into_bytes();
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body,
        )
        .await
    }

    /// Begins an upload.
    ///
    /// # Errors
    /// That no answer comes.
    pub async fn begin(&self, filename: &str, size: usize) -> Result<Answer> {
        let song = [".mp3", ".flac", ".wav", ".aac"]
            .iter()
            .any(|end| filename.ends_with(end));
        let content_type = if song { "audio/mpeg" } else { "video/mp4" };
        self.post(
            "/api/uploads",
            json!({ "filename": filename, "size": size, "content_type": content_type }),
        )
        .await
    }

    /// Sends the bytes to where an upload's beginning says, in parts if it wants parts. Returns what the completion
    /// needs to know of them.
    ///
    /// # Errors
    /// That the store refuses.
    pub async fn put(&self, target: &Value, bytes: &[u8]) -> Result<Value> {
        if target["method"] == "single" {
            let mut put = self.http.put(text(&target["url"])?).body(bytes.to_vec());
            for (name, value) in target["headers"].as_object().into_iter().flatten() {
                put = put.header(name, text(value)?);
            }
            put.send().await?.error_for_status()?;
            return Ok(Value::Null);
        }
        let part_size = usize::try_from(target["part_size"].as_u64().context("no part_size")?)?;
        let parts = target["parts"].as_array().context("no parts")?;
        let sent = parts
            .iter()
            .zip(bytes.chunks(part_size))
            .map(|(part, bytes)| async {
                let put = self
                    .http
                    .put(text(&part["url"])?)
                    .body(bytes.to_vec())
                    .send()
                    .await?
                    .error_for_status()?;
                let etag = put
                    .headers()
                    .get("etag")
                    .context("no ETag")?
                    .to_str()?
                    .to_owned();
                Ok::<_, anyhow::Error>(json!({ "part_number": part["part_number"], "etag": etag }))
            });
        Ok(Value::Array(try_join_all(sent).await?))
    }

    /// Uploads bytes whole: begin, put, complete. Returns the video.
    ///
    /// # Errors
    /// That one of the steps is refused.
    pub async fn upload_bytes(&self, filename: &str, bytes: &[u8], title: &str) -> Result<Value> {
        let target = self.begin(filename, bytes.len()).await?.expect(201)?;
        let parts = self.put(&target, bytes).await?;
        let mut details = json!({ "title": title });
        if !parts.is_null() {
            details["parts"] = parts;
        }
        let path = format!("/api/uploads/{}/complete", text(&target["upload_id"])?);
        self.post(&path, details).await?.expect(201)
    }

    /// Uploads a clip and returns the video's id.
    ///
    /// # Errors
    /// That one of the steps is refused.
    pub async fn upload(&self, clip: &Clip) -> Result<String> {
        let bytes = tokio::fs::read(clip.file().await?).await?;
        let video = self.upload_bytes("clip.mp4", &bytes, "A clip").await?;
        text(&video["id"])
    }

    /// The video as the API shows it.
    ///
    /// # Errors
    /// That it does not.
    pub async fn video(&self, id: &str) -> Result<Value> {
        self.get(&format!("/api/videos/{id}")).await?.expect(200)
    }

    /// Waits until the video looks as `wanted`.
    ///
    /// # Errors
    /// That it does not within `deadline`.
    pub async fn sees(
        &self,
        id: &str,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let seen = until(what, deadline, async || {
            last = self.video(id).await?;
            Ok(wanted(&last).then(|| last.clone()))
        })
        .await;
        seen.with_context(|| format!("the video is {last}"))
    }

    /// Waits until the video is ready.
    ///
    /// # Errors
    /// That it failed, or is not ready within `deadline`.
    pub async fn sees_ready(&self, id: &str, deadline: Duration) -> Result<Value> {
        let video = self
            .sees(id, "the video settles", deadline, |video| {
                video["status"] != "processing"
            })
            .await?;
        anyhow::ensure!(video["status"] == "ready", "the video failed: {video}");
        Ok(video)
    }
}

impl Answer {
    /// The body, if the status is `status`.
    ///
    /// # Errors
    /// That it is another one.
    pub fn expect(self, status: u16) -> Result<Value> {
        anyhow::ensure!(
            self.status.as_u16() == status,
            "{} instead of {status}: {}",
            self.status,
            self.text
        );
        Ok(self.body)
    }

    /// Checks that this is a problem of that status and code.
    ///
    /// # Errors
    /// That it is not.
    pub fn expect_problem(self, status: u16, code: &str) -> Result<Value> {
        let body = self.expect_any_problem()?;
        anyhow::ensure!(
            body["status"] == status && body["code"] == code,
            "not {status} {code}: {body}"
        );
        Ok(body)
    }

    /// Checks that this is a problem, and not our fault.
    ///
    /// # Errors
    /// That it is not.
    pub fn expect_any_problem(self) -> Result<Value> {
        let kind = self
            .headers
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        anyhow::ensure!(
            self.status.is_client_error(),
            "{} is no client error: {}",
            self.status,
            self.text
        );
        anyhow::ensure!(
            kind.starts_with("application/problem+json"),
            "{} has type {kind}: {}",
            self.status,
            self.text
        );
        for field in ["type", "title", "detail", "code"] {
            anyhow::ensure!(
                self.body[field].is_string(),
                "the problem has no {field}: {}",
                self.text
            );
        }
        anyhow::ensure!(
            self.body["status"] == self.status.as_u16(),
            "another status inside: {}",
            self.text
        );
        Ok(self.body)
    }
}

/// The text of a JSON value.
///
/// # Errors
/// That it is none.
pub fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .with_context(|| format!("{value} is no text"))?
        .to_owned())
}
