//! PostgreSQL and the storage server together, and what leads to them.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use millrace_local::foundation::{
    Foundation, FoundationError, FoundationOptions, settings_of_running,
};
use millrace_local::ports::{Ports, local};
use sqlx::{Connection, PgConnection};

/// Ports that were free a moment ago.
fn free_ports() -> Ports {
    let sockets = [(); 7].map(|()| TcpListener::bind(local(0)).unwrap());
    let [web, storage, api_metrics, worker, smtp, mailbox, sandbox] =
        sockets.map(|socket| socket.local_addr().unwrap().port());
    Ports {
        web,
        storage,
        api_metrics,
        worker,
        smtp,
        mailbox,
        sandbox,
    }
}

fn options(data_dir: &Path) -> FoundationOptions {
    FoundationOptions {
        data_dir: data_dir.into(),
        ports: free_ports(),
        pg_bin: None,
    }
}

#[tokio::test]
async fn the_settings_lead_to_what_runs_and_a_second_start_resumes() {
    let data = tempfile::tempdir().unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let leftover = data.path().join("work/worker-999999999");
    fs::create_dir_all(&leftover).unwrap();

    let foundation = Foundation::start(options(data.path())).await.unwrap();
    assert!(!leftover.exists());
    let mut db = PgConnection::connect(foundation.config.database.url.expose())
        .await
        .unwrap();
    sqlx::raw_sql("create table kept as select 1")
        .execute(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(foundation.storage)
            .await
            .is_ok()
    );
    let settings = settings_of_running(data.path()).unwrap();
    assert_eq!(
        settings["database"]["url"].as_str(),
        Some(foundation.config.database.url.expose())
    );

    let second = Foundation::start(options(data.path())).await.err().unwrap();
    assert!(matches!(second, FoundationError::InUse(_)), "{second}");
    let key = foundation.secrets.auth_signing_key.clone();
    foundation.stop().await;
    assert!(settings_of_running(data.path()).is_none());

    let again = Foundation::start(options(data.path())).await.unwrap();
    assert_eq!(again.secrets.auth_signing_key, key);
    let mut db = PgConnection::connect(again.config.database.url.expose())
        .await
        .unwrap();
    sqlx::raw_sql("table kept").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    again.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_refused_before_anything_is_started() {
    let data = tempfile::tempdir().unwrap();
    let other = TcpListener::bind(local(0)).unwrap();
    let ports = Ports {
        worker: other.local_addr().unwrap().port(),
        ..free_ports()
    };
    let refused = Foundation::start(FoundationOptions {
        ports,
        ..options(data.path())
    })
    .await
    .err()
    .unwrap();
    assert!(
        refused.to_string().contains("is taken by another program"),
        "{refused}"
    );
    assert!(!data.path().join("postgres").exists());
}
