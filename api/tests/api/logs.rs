//! What is logged of a request, and what is not.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use millrace_domain::videos::Visibility;
use tracing::Level;

use crate::{
    playback::{get, master, playable},
    stack::Stack,
};

/// Lines of the log of one test, whose runtime does not leave its thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The address of a private video's playlist lets whoever reads it watch.
#[tokio::test]
async fn the_token_in_an_address_is_not_logged_and_its_route_is() {
    let lines = Lines::default();
    let writer = lines.clone();
    // While there is only one subscriber, what another thread meets first is off for all threads.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    let _subscriber = tracing::subscriber::set_default(
        tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish(),
    );
    let stack = Stack::start().await;
    let owner = stack.person("ann").await;
    let video = playable(&stack, &owner, Visibility::Private).await;
    let address = master(&stack, &owner, video).await;
    let token = address.split('/').find(|part| part.len() > 40).unwrap();
    assert_eq!(get(&stack, &address).await.status(), 200);
    get(&stack, "/videos/of-mine").await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for expected in ["answered 200", "/api/hls/{token}", "/videos/of-mine"] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    assert!(!log.contains(token), "{log}");
    stack.stop().await;
}
