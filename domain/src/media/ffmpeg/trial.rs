//! Which parts of the sandbox work here: tried once, by running ffmpeg in it.
//!
//! Containers forbid namespaces to most, some systems forbid user namespaces to all but root, and a program may need
//! files that are not where they usually are. None of that can be known but by trying. What does not work is left out and
//! said aloud, since guards, private directories and the unprivileged user remain.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{
    limits::Limits,
    process::Run,
    sandbox::{Isolation, Namespaces, Sandbox, find, folders_of},
    transcoder::{FfmpegTranscoder, PATIENCE},
};
use crate::media::error::MediaError;

/// One thing that protects the machine from what people upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// What it is about: `user`, `directory`, `files`, `network`, `limits`.
    pub name: &'static str,
    /// It works here.
    pub active: bool,
    /// How, or what to do about it.
    pub text: String,
}

impl FfmpegTranscoder {
    /// The sandbox as it works here; tried at the first call.
    pub(super) async fn sandbox(&self) -> Result<&Sandbox, MediaError> {
        let sandbox = self.sandbox.get_or_try_init(|| self.try_out()).await?;
        let whole = matches!(sandbox.isolation, Isolation::Files(_)) && sandbox.limits;
        if self.options.require_sandbox && !whole {
            return Err(MediaError::configuration(
                "ffmpeg cannot be cut off from network and files here, and require_sandbox asks for it: see `millrace check`.",
            ));
        }
        Ok(sandbox)
    }

    async fn try_out(&self) -> Result<Sandbox, MediaError> {
        let search = self.launcher.path.as_deref();
        let has = |program: &str| find(Path::new(program), search).is_some();
        let mut programs = folders_of(&self.options.ffmpeg, search);
        programs.extend(folders_of(&self.options.ffprobe, search));
        programs.dedup();
        let mut sandbox = Sandbox {
            isolation: Isolation::Nothing,
            limits: cfg!(target_os = "linux") && has("prlimit"),
            user: self.options.user,
            programs,
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
            refused: "unshare is missing".to_owned(),
        };
        if !cfg!(target_os = "linux") || !has("unshare") {
            return Ok(sandbox);
        }
        sandbox.refused.clear();
        for isolation in candidates(self.options.user.is_some()) {
            sandbox.isolation = isolation;
            match self.runs_in(&sandbox).await? {
                None => return Ok(sandbox),
                Some(why) => {
                    tracing::debug!(?isolation, why, "this sandbox does not work here");
                    if sandbox.refused.is_empty() {
                        sandbox.refused = why.lines().next().unwrap_or("it failed").to_owned();
                    }
                }
            }
        }
        sandbox.isolation = Isolation::Nothing;
        Ok(sandbox)
    }

    /// Why ffmpeg does not run in this sandbox, if it does not.
    async fn runs_in(&self, sandbox: &Sandbox) -> Result<Option<String>, MediaError> {
        for program in [&self.options.ffmpeg, &self.options.ffprobe] {
            let dir = self.work_dir("trial")?;
            let run = Run {
                program,
                args: vec!["-version".into()],
                cwd: dir.path(),
                source: None,
                limits: Limits::PROBE,
                patience: PATIENCE,
            };
            let cancel = CancellationToken::new();
            match self.launcher.capture(sandbox, run, &cancel).await {
                Ok(ended) if ended.status.success() => {}
                Ok(ended) => return Ok(Some(ended.stderr)),
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
        Ok(None)
    }

    /// What protects the machine here, and what does not.
    ///
    /// # Errors
    /// The working directory cannot be used, or the sandbox is required and does not work.
    pub async fn protections(&self) -> Result<Vec<Protection>, MediaError> {
        let Sandbox {
            isolation,
            limits,
            user,
            refused,
            ..
        } = self.sandbox().await?;
        let protection = |name, active: bool, yes: &str, no: &str| Protection {
            name,
            active,
            text: if active { yes } else { no }.to_owned(),
        };
        let who = match user {
            Some(user) => format!("runs as uid {}", user.uid),
            None => "runs as you, who are not root, and cannot reach what is yours".to_owned(),
        };
        let files = matches!(isolation, Isolation::Files(_));
        let network = files || matches!(isolation, Isolation::Network(_));
        Ok(vec![
            protection(
                "user",
                user.is_some() || files,
                &who,
                "runs as you, and can do what you can: only root can become another user",
            ),
            protection(
                "directory",
                true,
                "each run has a private one, removed afterwards",
                "",
            ),
            protection(
                "files",
                files,
                "sees its source, its directory and the system's programs, nothing else",
                &format!("can read what its user can read ({refused})"),
            ),
            protection(
                "network",
                network,
                "none",
                &format!("not cut off ({refused})"),
            ),
            protection(
                "limits",
                *limits,
                "CPU time, memory, file size, processes, open files, wall clock",
                "wall clock only: prlimit is missing",
            ),
        ])
    }
}

/// Best first. With `privileged`, namespaces are tried without a user namespace first: hardened systems forbid those.
fn candidates(privileged: bool) -> Vec<Isolation> {
    let how = match privileged {
        true => vec![Namespaces::Root, Namespaces::User],
        false => vec![Namespaces::User],
    };
    let files = how.iter().copied().map(Isolation::Files);
    files
        .chain(how.iter().copied().map(Isolation::Network))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, time::Duration};

    use super::*;
    use crate::media::{FfmpegOptions, LimitOptions, MediaUser, ffmpeg::process::Ended};

    struct Place {
        dir: tempfile::TempDir,
        transcoder: FfmpegTranscoder,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::Builder::new()
                .permissions(std::fs::Permissions::from_mode(0o711))
                .tempdir()
                .unwrap();
            let transcoder = FfmpegTranscoder::new(FfmpegOptions {
                ffmpeg: "ffmpeg".into(),
                ffprobe: "ffprobe".into(),
                user: Some(MediaUser {
                    uid: 65534,
                    gid: 65534,
                }),
                threads: 1,
                preset: "veryfast".into(),
                limits: LimitOptions::default(),
                require_sandbox: false,
                work_dir: dir.path().join("work"),
            })
            .unwrap();
            Self { dir, transcoder }
        }

        /// Runs a script in a sandbox.
        async fn run(
            &self,
            isolation: Isolation,
            script: &str,
            limits: Limits,
        ) -> Result<Ended, MediaError> {
            let source = self.dir.path().join("a source.mp4");
            std::fs::write(&source, "the source").unwrap();
            let sandbox = Sandbox {
                isolation,
                ..self.transcoder.sandbox().await.unwrap().clone()
            };
            let dir = self.transcoder.work_dir("shell").unwrap();
            let args = ["-c", script, "sh"].map(Into::into);
            let mut args: Vec<_> = args.into();
            args.push(source.clone().into());
            let run = Run {
                program: Path::new("sh"),
                args,
                cwd: dir.path(),
                source: Some(&source),
                limits,
                patience: PATIENCE,
            };
            let cancel = CancellationToken::new();
            self.transcoder
                .launcher
                .capture(&sandbox, run, &cancel)
                .await
        }

        /// the isolations that work here.
        async fn working(&self) -> Vec<Isolation> {
            let mut working = Vec::new();
            for isolation in candidates(nix::unistd::geteuid().is_root()) {
                let sandbox = Sandbox {
                    isolation,
                    ..self.transcoder.sandbox().await.unwrap().clone()
                };
                if self.transcoder.runs_in(&sandbox).await.unwrap().is_none() {
                    working.push(isolation);
                }
            }
            working
        }
    }

    #[tokio::test]
    async fn inside_there_is_the_source_the_directory_and_nothing_else() {
        let place = Place::new();
        let secret = place.dir.path().join("secret");
        std::fs::write(&secret, "hush").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let look = format!(
            "cat {}; cat /etc/passwd; ls /proc /sys /home /root; cat \"$1\" && echo made >made && cat made; \
             (echo spoilt >\"$1\"); id -u",
            secret.display()
        );
        for isolation in place.working().await {
            let ended = place.run(isolation, &look, Limits::PROBE).await.unwrap();
            let said = String::from_utf8(ended.stdout).unwrap();
            assert!(
                said.starts_with("the source") || !matches!(isolation, Isolation::Files(_)),
                "{isolation:?} {said}"
            );
            assert!(
                said.contains("the sourcemade\n"),
                "{isolation:?} {said} {}",
                ended.stderr
            );
            if let Isolation::Files(_) = isolation {
                assert!(!said.contains("hush") && !said.contains("root:"), "{said}");
                for missing in ["/proc", "/sys", "/home", "/root", "/etc/passwd"] {
                    assert!(
                        ended.stderr.contains(missing),
                        "{missing} was there: {}",
                        ended.stderr
                    );
                }
                assert!(ended.stderr.contains("Read-only"), "{}", ended.stderr);
            }
            let source = place.dir.path().join("a source.mp4");
            assert_eq!(std::fs::read(source).unwrap(), b"the source");
        }
    }

    #[tokio::test]
    async fn no_packet_leaves() {
        let place = Place::new();
        let door = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        door.set_nonblocking(true).unwrap();
        let port = door.local_addr().unwrap().port();
        let call = format!("ffmpeg -v error -rw_timeout 2000000 -i http://127.0.0.1:{port}/x");
        for isolation in place.working().await {
            let ended = place.run(isolation, &call, Limits::PROBE).await.unwrap();
            assert!(!ended.status.success());
            assert!(
                ended.stderr.contains("Network is unreachable") || ended.stderr.contains("refused"),
                "{}",
                ended.stderr
            );
            assert!(door.accept().is_err(), "{isolation:?} let a packet out");
        }
        // The door is one that opens: outside of any sandbox, the call arrives.
        let open = tokio::task::spawn_blocking(move || {
            let call = std::net::TcpStream::connect(("127.0.0.1", port));
            (call.is_ok(), door.accept().is_ok())
        });
        assert_eq!(open.await.unwrap(), (true, true));
    }

    #[tokio::test]
    async fn privileges_are_gone_and_the_parents_death_is_felt() {
        let place = Place::new();
        let mut all = place.working().await;
        all.push(Isolation::Nothing);
        for isolation in all {
            let said = async |script: &str| {
                let ended = place.run(isolation, script, Limits::PROBE).await.unwrap();
                String::from_utf8(ended.stdout).unwrap()
            };
            // Without `exec` it would be a child, which does not inherit the signal.
            let who = said("exec setpriv -d").await;
            for line in [
                "no_new_privs: 1",
                "Ambient capabilities: [none]",
                "Parent death signal: KILL",
            ] {
                assert!(who.contains(line), "{isolation:?}: {who}");
            }
            let said = said("prlimit --noheadings -o RESOURCE,SOFT,HARD").await;
            let words: Vec<Vec<&str>> = said
                .lines()
                .map(|l| l.split_whitespace().collect())
                .collect();
            let bytes = (2_u64 << 30).to_string();
            for line in [
                ["CPU", "45", "45"],
                ["DATA", &bytes, &bytes],
                ["CORE", "0", "0"],
                ["NOFILE", "256", "256"],
            ] {
                assert!(
                    words.iter().any(|words| *words == line),
                    "{isolation:?}: {line:?} in {said}"
                );
            }
            let escape = "unshare --user --map-current-user true || unshare --mount true";
            let ended = place.run(isolation, escape, Limits::PROBE).await.unwrap();
            if let Isolation::Files(_) = isolation {
                assert!(
                    !ended.status.success(),
                    "{isolation:?} can make a namespace in a namespace"
                );
            }
        }
    }

    #[tokio::test]
    async fn what_goes_beyond_its_limits_is_too_expensive() {
        let place = Place::new();
        let isolation = place.transcoder.sandbox().await.unwrap().isolation;
        let limits = Limits {
            cpu: Duration::from_secs(1),
            ..Limits::PROBE
        };
        let spin = place.run(isolation, "while :; do :; done", limits).await;
        let spin = spin.unwrap_err();
        assert_eq!(
            (spin.code(), spin.detail.as_str()),
            ("too_expensive", "CPU time")
        );
        // A kill for want of memory looks the same, but has cost no CPU time.
        let ended = place.run(isolation, "kill -9 $$", limits).await.unwrap();
        assert_eq!(
            crate::media::ffmpeg::failure::failure(ended.status, "").code(),
            "out_of_resources"
        );

        let limits = Limits {
            wall: Duration::from_millis(300),
            ..Limits::PROBE
        };
        let idle = place.run(isolation, "sleep 600", limits).await.unwrap_err();
        assert_eq!(
            (idle.code(), idle.detail.as_str()),
            ("too_expensive", "wall clock")
        );

        let fill = "exec dd if=/dev/urandom of=large bs=1M count=3";
        let ended = place.run(isolation, fill, Limits::PROBE).await.unwrap();
        let error = crate::media::ffmpeg::failure::failure(ended.status, &ended.stderr);
        assert_eq!(error.code(), "too_expensive", "{error}");

        let hoard = "exec dd if=/dev/urandom of=/dev/null bs=3G count=1";
        let ended = place.run(isolation, hoard, Limits::PROBE).await.unwrap();
        let error = crate::media::ffmpeg::failure::failure(ended.status, &ended.stderr);
        assert!(error.detail.contains("memory"), "{error}");
    }

    #[tokio::test]
    async fn each_protection_says_what_it_is() {
        let place = Place::new();
        let all = place.transcoder.protections().await.unwrap();
        let names: Vec<&str> = all.iter().map(|p| p.name).collect();
        assert_eq!(names, ["user", "directory", "files", "network", "limits"]);
        assert!(all.iter().all(|p| !p.text.is_empty()));
        let whole = candidates(nix::unistd::geteuid().is_root());
        let best = place.working().await.contains(&whole[0]);
        assert_eq!(all[2].active, best);
    }
}
