//! Sources over a store of the test's own, which cuts, counts and holds downloads.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path as UrlPath, State},
    http::{HeaderMap, Response, StatusCode, header},
    routing::get,
};
use futures::{StreamExt as _, stream};
use millrace_domain::storage::StorageOptions;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Semaphore};

use super::*;

const SIZE: usize = 300_000;
const ETAG: &str = "\"one\"";

/// What the store does and has seen.
struct Store {
    /// Bytes of an answer after which the connection breaks, as often as this says.
    cut_after: usize,
    cuts: AtomicUsize,
    /// Answers wait for a permit after their first bytes.
    gate: Semaphore,
    requests: Mutex<Vec<Option<String>>>,
}

struct Bench {
    store: Arc<Store>,
    storage: Storage,
    sources: Sources,
    folder: TempDir,
}

async fn answer(
    State(store): State<Arc<Store>>,
    UrlPath(_key): UrlPath<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let text = |name: header::HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    assert_eq!(text(header::IF_MATCH).as_deref(), Some(ETAG));
    let range = text(header::RANGE);
    let from: usize = range
        .as_deref()
        .and_then(|range| {
            range
                .strip_prefix("bytes=")?
                .strip_suffix('-')?
                .parse()
                .ok()
        })
        .unwrap_or(0);
    store
        .requests
        .lock()
        .expect("not poisoned")
        .push(range.clone());
    if from >= SIZE {
        return Response::builder()
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .body(Body::empty())
            .expect("an answer");
    }
    let cut = store
        .cuts
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok();
    let whole = content();
    let (head, tail) = whole[from..].split_at(1_000.min(SIZE - from));
    let (head, mut tail) = (head.to_vec(), tail.to_vec());
    if cut {
        tail.truncate(store.cut_after);
    }
    let length = SIZE - from;
    let first = stream::once(async move { Ok(Bytes::from(head)) });
    let rest = stream::once(async move {
        store.gate.acquire().await.expect("open").forget();
        Ok(Bytes::from(tail))
    });
    let end = stream::once(async move {
        // Not ready at once: what came before is sent first.
        tokio::task::yield_now().await;
        if cut {
            Err(std::io::Error::other("cut"))
        } else {
            Ok(Bytes::new())
        }
    });
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .header(header::ETAG, ETAG)
        .header(header::CONTENT_LENGTH, length);
    if range.is_some() {
        let range = format!("bytes {from}-{}/{SIZE}", SIZE - 1);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, range);
    }
    response
        .body(Body::from_stream(first.chain(rest).chain(end)))
        .expect("an answer")
}

fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n % 251) as u8).collect()
}

fn wanted(name: &str) -> Wanted {
    Wanted {
        key: format!("raw/{name}/source"),
        etag: ETAG.to_owned(),
        bytes: SIZE as u64,
    }
}

impl Bench {
    /// A store that cuts the first `cuts` answers, and lets the rest of `open` answers through.
    async fn new(cap: usize, cuts: usize, open: usize) -> Self {
        let store = Arc::new(Store {
            cut_after: 50_000,
            cuts: AtomicUsize::new(cuts),
            gate: Semaphore::new(open),
            requests: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/bucket/{*key}", get(answer))
            .with_state(store.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let storage = Storage::new(&StorageOptions {
            endpoint: Some(endpoint),
            public_endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: "bucket".to_owned(),
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
            path_style: true,
        });
        let folder = tempfile::tempdir().expect("a folder");
        let sources = Sources::open(&folder.path().join("sources"), cap as u64).expect("opened");
        Self {
            store,
            storage,
            sources,
            folder,
        }
    }

    async fn get(&self, name: &str, cancel: &CancellationToken) -> Result<Source, Failure> {
        self.sources.get(&self.storage, &wanted(name), cancel).await
    }

    async fn have(&self, name: &str) -> Source {
        let got = self.get(name, &CancellationToken::new()).await;
        let source = got.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        let bytes = std::fs::read(source.path()).expect("readable");
        assert!(bytes == content(), "{name} is not what the store has");
        source
    }

    fn requests(&self) -> Vec<Option<String>> {
        self.store.requests.lock().expect("not poisoned").clone()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("sources")).expect("a folder");
        entries.flatten().map(|entry| entry.path()).collect()
    }

    /// Waits until a download has begun to arrive.
    async fn arriving(&self, bytes: u64) {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while !self
                .files()
                .iter()
                .any(|path| std::fs::metadata(path).is_ok_and(|file| file.len() >= bytes))
            {
                tick.tick().await;
            }
        });
        waited.await.expect("nothing arrived");
    }
}

#[tokio::test]
async fn many_jobs_share_one_download() {
    let bench = Bench::new(10 * SIZE, 0, 1).await;
    let sources = futures::future::join_all((0..8).map(|_| bench.have("a"))).await;
    assert!(
        sources
            .iter()
            .all(|source| source.path() == sources[0].path())
    );
    assert_eq!(bench.requests(), [None]);
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let bench = Bench::new(10 * SIZE, 2, 3).await;
    let _source = bench.have("a").await;
    let requests = bench.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert_eq!(requests[0], None);
    // How much of a cut answer has arrived is the kernel's to say; each try goes on after it.
    let from = |request: &Option<String>| -> usize {
        let range = request.as_deref().expect("a range");
        let from = range.trim_start_matches("bytes=").trim_end_matches('-');
        from.parse().expect("a number")
    };
    assert!(
        from(&requests[1]) > 0 && from(&requests[2]) > from(&requests[1]),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_cancelled_job_does_not_cut_the_download_of_others() {
    let bench = Bench::new(10 * SIZE, 0, 0).await;
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let one = bench.get("a", &first);
    let two = bench.get("a", &second);
    let steer = async {
        bench.arriving(1_000).await;
        first.cancel();
        bench.store.gate.add_permits(2);
    };
    let (one, two, ()) = tokio::join!(one, two, steer);
    assert!(matches!(one, Err(Failure::Cancel { .. })));
    let two = two.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(std::fs::read(two.path()).expect("readable") == content());
    let requests = bench.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!(requests[1].as_deref(), Some("bytes=1000-"), "begun anew");
}

#[tokio::test]
async fn the_cap_holds_with_the_newcomer_and_spares_what_is_read() {
    let bench = Bench::new(2 * SIZE, 0, 100).await;
    let a = bench.have("a").await;
    drop(bench.have("b").await);
    // While c arrives, b must be gone: there is room for two.
    let c = bench.have("c").await;
    let mut files = bench.files();
    files.sort();
    let mut wanted = vec![a.path().to_owned(), c.path().to_owned()];
    wanted.sort();
    assert_eq!(files, wanted);
    // All are read: the cap gives way, not the reader.
    let d = bench.have("d").await;
    assert_eq!(bench.files().len(), 3);
    drop((a, d));
    bench.sources.make_room();
    assert_eq!(bench.files(), [c.path()]);
}

#[tokio::test]
async fn another_length_is_another_file() {
    let bench = Bench::new(10 * SIZE, 0, 100).await;
    let wanted = Wanted {
        bytes: SIZE as u64 + 1,
        ..wanted("a")
    };
    let got = bench
        .sources
        .get(&bench.storage, &wanted, &CancellationToken::new())
        .await;
    match got {
        Err(Failure::Fail { code, .. }) => assert_eq!(code.as_deref(), Some("source_changed")),
        _ => panic!("it was taken"),
    }
    assert_eq!(bench.files(), Vec::<PathBuf>::new());
}
