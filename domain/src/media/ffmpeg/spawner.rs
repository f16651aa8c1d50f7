//! Processes that die with us, even when we are killed.
//!
//! Linux sends the parent-death signal when the *thread* that spawned the process ends, and async threads come and go.
//! So one thread, which lives exactly as long as the transcoder, does all the spawning.

use std::{io, sync::mpsc, thread};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The thread that spawns. It ends when this is dropped, and every process it spawned ends with it.
pub(super) struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (requests, inbox) = mpsc::channel::<Request>();
        thread::Builder::new()
            .name("ffmpeg-spawner".to_owned())
            .spawn(move || {
                for mut request in inbox {
                    let _runtime = request.runtime.enter();
                    // Nobody waiting any more: the child is dropped here, and killed by that.
                    let _ = request.reply.send(request.command.spawn());
                }
            })?;
        Ok(Self { requests })
    }

    pub(super) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            command,
            runtime: Handle::current(),
            reply,
        };
        self.requests.send(request).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> io::Error {
    io::Error::other("the spawning thread is gone")
}
