//! The command line against the real service, as a new user meets it: the program, folders, what it prints, how it ends.

mod conformance;
mod first_steps;
mod local;
mod manage;
mod operate;
mod replay;
mod serve;
mod tell;
mod work;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::callbox::{ADMIN_TOKEN, program};
use crate::support::{Callbox, eventually, secrets};

/// Somebody's shell in a folder of its own, with no settings in the environment but those named.
#[derive(Clone)]
pub struct Shell {
    folder: Arc<TempDir>,
    environment: Vec<(String, String)>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    /// In an empty folder.
    pub fn new() -> Self {
        Self { folder: Arc::new(TempDir::with_prefix("callbox-shell-").unwrap()), environment: Vec::new() }
    }

    /// In an empty folder, with the address of `service` and the administrator's token in the environment.
    pub fn of(service: &Callbox) -> Self {
        Self::new().with("CALLBOX_URL", &service.base()).with("CALLBOX_TOKEN", ADMIN_TOKEN)
    }

    /// With an environment variable more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `callbox` to its end.
    pub fn callbox(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(&program(), arguments))
    }

    /// Runs `callbox`, which must succeed; returns what it printed on standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.callbox(arguments);
        assert_eq!(said.code, 0, "callbox {arguments:?}: {said:?}");
        said.out
    }

    /// Runs `callbox --output json`, which must succeed and print one JSON value.
    fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[&["--output", "json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("callbox {arguments:?}: {error}: {out}"))
    }

    /// Runs `callbox`, which must end with `code`; returns what it printed on standard error.
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let said = self.callbox(arguments);
        assert_eq!(said.code, code, "callbox {arguments:?}: {said:?}");
        said.err
    }

    /// Starts `callbox` in the background.
    fn start(&self, arguments: &[&str]) -> Background {
        Background::start(self.command(&program(), arguments))
    }
}

impl Said {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A program in the background. Killed when dropped.
struct Background {
    child: Child,
    folder: TempDir,
}

impl Background {
    fn start(mut command: Command) -> Self {
        let folder = TempDir::with_prefix("callbox-said-").unwrap();
        let file = |name: &str| std::fs::File::create(folder.path().join(name)).unwrap();
        let child = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Self { child, folder }
    }

    /// What it printed on standard output so far.
    fn out(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap()
    }

    /// What it printed on standard error so far.
    fn err(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("err")).unwrap()
    }

    /// Waits until `seen` finds something in standard output or standard error.
    async fn until<T>(&mut self, seen: impl Fn(&str, &str) -> Option<T>) -> T {
        eventually(async || {
            let ended = self.child.try_wait().unwrap();
            let (out, err) = (self.out(), self.err());
            match (seen(&out, &err), ended) {
                (Some(found), _) => Ok(found),
                (None, Some(status)) => panic!("ended ({status}): {out}{err}"),
                (None, None) => Err(format!("{out}{err}")),
            }
        })
        .await
    }

    /// Asks it to stop (SIGTERM), and waits for its end.
    async fn stop(mut self) -> ExitStatus {
        signal(self.child.id(), "TERM");
        eventually(async || self.child.try_wait().unwrap().ok_or_else(|| "still running".to_owned())).await
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            secrets::assert_none_in(&self.err());
        }
    }
}

/// Sends a signal by the shell's own `kill`.
fn signal(process: u32, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {process}")).status().unwrap();
    assert!(status.success());
}

/// The value of `name:` in a list of fields.
fn field(out: &str, name: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no field {name}: {out}")).trim().to_owned()
}

/// Of a list answer, one field of each item.
fn column(answer: &Value, name: &str) -> Vec<String> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("no list: {answer}"));
    items.iter().map(|item| item[name].as_str().map_or_else(|| item[name].to_string(), str::to_owned)).collect()
}
