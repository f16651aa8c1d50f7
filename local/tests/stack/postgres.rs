//! The private cluster: first start, second start, and what is left after kills.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use millrace_local::account::Account;
use millrace_local::postgres::{Postgres, PostgresError, PostgresOptions};
use sqlx::{Connection, PgConnection};

/// A data directory that PostgreSQL's user can reach, whatever the umask.
fn open_folder() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    temp
}

fn options(data_dir: &Path) -> PostgresOptions {
    PostgresOptions {
        data_dir: data_dir.into(),
        bin_dir: None,
        settings: vec![("fsync".into(), "off".into())],
    }
}

async fn one(server: &Postgres, sql: &'static str) -> String {
    let mut connection = PgConnection::connect_with(&server.connect_options("millrace"))
        .await
        .unwrap();
    let answer = sqlx::query_scalar(sql)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    answer
}

async fn run(server: &Postgres, sql: &'static str) {
    let mut connection = PgConnection::connect_with(&server.connect_options("millrace"))
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn postmaster(server: &Postgres) -> nix::unistd::Pid {
    let text = fs::read_to_string(server.folder().join("postmaster.pid")).unwrap();
    nix::unistd::Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_second_start_finds_the_data_and_a_stop_leaves_no_process() {
    let data = open_folder();
    let server = Postgres::start(options(data.path())).await.unwrap();
    server.create_database("millrace").await.unwrap();
    server.create_database("millrace").await.unwrap();
    run(&server, "create table t as select '影片' as title").await;
    assert_eq!(
        one(&server, "select current_setting('server_encoding')").await,
        "UTF8"
    );
    assert_eq!(
        one(&server, "select current_setting('listen_addresses')").await,
        ""
    );
    let pid = postmaster(&server);
    server.stop().await;
    assert_eq!(
        nix::sys::signal::kill(pid, None),
        Err(nix::errno::Errno::ESRCH)
    );

    let server = Postgres::start(options(data.path())).await.unwrap();
    assert_eq!(one(&server, "select title from t").await, "影片");
    let by_url = PgConnection::connect(&server.url("millrace"))
        .await
        .unwrap();
    by_url.close().await.unwrap();
    let mode = fs::metadata(server.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    server.stop().await;
}

#[tokio::test]
async fn a_killed_server_is_noticed_and_recovers() {
    let data = open_folder();
    let server = Postgres::start(options(data.path())).await.unwrap();
    server.create_database("millrace").await.unwrap();
    run(&server, "create table t as select 'kept' as title").await;
    nix::sys::signal::kill(postmaster(&server), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(
        server.ended().await.contains("signal"),
        "{}",
        server.ended().await
    );

    // Its pid file is left. Now the id even belongs to another program: this one.
    let file = server.folder().join("postmaster.pid");
    let stale = fs::read_to_string(&file).unwrap();
    let rest = stale.split_once('\n').unwrap().1;
    fs::write(&file, format!("{}\n{rest}", std::process::id())).unwrap();
    let again = Postgres::start(options(data.path())).await.unwrap();
    assert_eq!(one(&again, "select title from t").await, "kept");
    again.stop().await;
}

#[tokio::test]
async fn a_data_directory_that_the_user_cannot_reach_is_left_for_another_place() {
    if Account::for_postgres().is_none() {
        return; // Only root has to change users.
    }
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let server = Postgres::start(options(closed.path())).await.unwrap();
    assert!(server.moved());
    assert!(
        server.folder().starts_with("/var/lib/millrace"),
        "{:?}",
        server.folder()
    );
    let folder = server.folder().parent().unwrap().to_owned();
    server.stop().await;
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_long_data_directory_works_all_the_same() {
    let data = open_folder();
    let long = data.path().join("x".repeat(120));
    let server = Postgres::start(options(&long)).await.unwrap();
    server.create_database("millrace").await.unwrap();
    assert_eq!(one(&server, "select 'here'").await, "here");
    let url = server.url("millrace");
    server.stop().await;
    let socket = url.split_once("host=").unwrap().1.replace("%2F", "/");
    fs::remove_dir(socket).unwrap();
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let data = open_folder();
    let missing = PostgresOptions {
        bin_dir: Some(data.path().into()),
        ..options(data.path())
    };
    let error = Postgres::start(missing).await.unwrap_err();
    assert!(
        error.to_string().contains("apt-get install postgresql"),
        "{error}"
    );

    let file = data.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Postgres::start(options(&file.join("data")))
        .await
        .unwrap_err();
    assert!(matches!(error, PostgresError::Folder { .. }), "{error}");

    let newer = data.path().join("newer");
    fs::create_dir_all(newer.join("postgres")).unwrap();
    fs::write(newer.join("postgres/PG_VERSION"), "99\n").unwrap();
    let error = Postgres::start(options(&newer)).await.unwrap_err();
    assert!(error.to_string().contains("PostgreSQL 99"), "{error}");

    let wrong = PostgresOptions {
        settings: vec![("max_connections".into(), "lots".into())],
        ..options(data.path())
    };
    let error = Postgres::start(wrong).await.unwrap_err();
    assert!(
        error.to_string().contains("max_connections") && !error.to_string().contains('\n'),
        "{error}"
    );
}
