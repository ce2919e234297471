//! chromedriver, one for all tests that look at pages at the same time.

use std::{
    fs::File,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Weak},
};

use harness::waiting::until;
use tempfile::TempDir;
use tokio::sync::Mutex;

/// Its input ends with the tests' process, however that ends; everything it started goes with it.
const UNTIL_INPUT_ENDS: &str = "chromedriver --port=0 & read -r _; kill -s KILL 0";

static RUNNING: Mutex<Weak<Driver>> = Mutex::const_new(Weak::new());

/// Killed with its browsers when the last test that uses it drops it.
pub struct Driver {
    group: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Driver {
    /// The one that runs, or a new one.
    pub async fn shared() -> Arc<Self> {
        let mut running = RUNNING.lock().await;
        if let Some(driver) = running.upgrade() {
            return driver;
        }
        let driver = Arc::new(Self::start().await);
        *running = Arc::downgrade(&driver);
        driver
    }

    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("chromedriver.log");
        let mut group = Command::new("sh")
            .args(["-c", UNTIL_INPUT_ENDS])
            .env_remove("LD_PRELOAD") // Chromium does not start with another clock
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(File::create(&log).unwrap())
            .stderr(File::create(directory.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        let address = until("chromedriver says where it listens", async || {
            let ended = group.try_wait().unwrap();
            let installed = "chromedriver is installed: deploy/test.sh does it";
            assert!(ended.is_none(), "{installed}");
            let log = std::fs::read_to_string(&log).unwrap();
            let (_, port) = log.split_once("successfully on port ")?;
            let (port, _) = port.split_once('.')?;
            Some(SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())))
        })
        .await;
        Self {
            group,
            address,
            directory,
        }
    }

    /// What clients connect to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A directory for one browser, which goes when the driver goes: until then the browser may write there.
    pub fn profile(&self) -> PathBuf {
        let profile = tempfile::Builder::new().tempdir_in(&self.directory);
        profile.unwrap().keep()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.group.stdin.take());
        let _ = self.group.wait();
    }
}
