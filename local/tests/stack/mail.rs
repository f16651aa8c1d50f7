//! The SMTP sink and its mailbox: what the platform's mailer sends is there to read, on this machine only.

use std::time::Duration;

use millrace_domain::email::{Mailer, MailerOptions};
use millrace_local::mail::{MailSink, MailSinkOptions};
use millrace_local::ports::local;
use reqwest::StatusCode;
use reqwest::header::{HOST, ORIGIN};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const MAIL: &str = "From: Millrace <us@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: =?utf-8?B?5rC06LuK?=\r\n\
    MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIn words.\r\n\
    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
    <html><head></head><body><script>alert(1)</script>In <b>HTML</b>.</body></html>\r\n--b--\r\n";

#[tokio::test]
async fn what_is_sent_can_be_read_searched_and_cleared_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let sink = MailSink::bind(MailSinkOptions {
        data_dir: folder.path().join("mail"),
        smtp: local(0),
        page: local(0),
    })
    .await
    .unwrap();
    let (smtp, page) = (sink.smtp, sink.page);
    let stop = CancellationToken::new();
    let running = tokio::spawn(sink.run(stop.clone()));

    let mailer = Mailer::new(&MailerOptions {
        smtp_url: &format!("smtp://{smtp}?tls=none"),
        hello: "millrace.localhost",
        timeout: Duration::from_secs(20),
    })
    .unwrap();
    let from = "us@example.org".parse().unwrap();
    let to = "ann@example.org".parse().unwrap();
    for _twice_over_one_connection in 0..2 {
        let opened = mailer.open(&from, &to).await.unwrap();
        assert!(
            opened
                .send(MAIL.as_bytes())
                .await
                .unwrap()
                .starts_with("250")
        );
    }
    mailer.open(&from, &to).await.unwrap().abandon().await;

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let at = |path: &str| format!("http://{page}{path}");
    let json = async |path: &str| -> Value {
        let answer = http.get(at(path)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let mails = json("/mailbox.json").await;
    assert_eq!(mails.as_array().unwrap().len(), 2);
    let mail = &mails[0];
    assert_eq!(mail["subject"], "水車");
    assert_eq!(mail["to"][0], "ann@example.org");
    assert_eq!(mail["text"].as_str().unwrap().trim(), "In words.");
    assert_eq!(
        json("/mailbox.json?q=水").await.as_array().unwrap().len(),
        2
    );
    assert_eq!(
        json("/mailbox.json?q=fire").await.as_array().unwrap().len(),
        0
    );

    // The page escapes, the frame runs nothing.
    let id = mail["id"].as_str().unwrap();
    let shown = http
        .get(at(&format!("/mailbox/{id}")))
        .send()
        .await
        .unwrap();
    assert!(!shown.text().await.unwrap().contains("<script"));
    let framed = http
        .get(at(&format!("/mailbox/{id}/html")))
        .send()
        .await
        .unwrap();
    let policy = framed.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("sandbox") && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(
        framed
            .text()
            .await
            .unwrap()
            .contains("<base target=\"_blank\">")
    );

    // A name that was pointed at this machine, and a form of another page.
    let rebound = http.get(at("/mailbox.json")).header(HOST, "evil.example");
    assert_eq!(
        rebound.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let foreign = http
        .post(at("/mailbox/clear"))
        .header(ORIGIN, "http://evil.example");
    assert_eq!(
        foreign.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(json("/mailbox.json").await.as_array().unwrap().len(), 2);

    let cleared = http.post(at("/mailbox/clear")).send().await.unwrap();
    assert_eq!(cleared.status(), StatusCode::OK);
    assert!(
        cleared
            .text()
            .await
            .unwrap()
            .contains("No mail has been sent yet")
    );
    stop.cancel();
    running.await.unwrap();
}
