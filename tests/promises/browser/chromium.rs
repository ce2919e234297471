//! A real Chromium that looks at the console. What it must not see, it sees by itself: [`Browser::close`] fails where
//! a script failed, the policy was violated or anybody else was asked for anything.

use std::{path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use harness::{
    service::Service,
    waiting::{until, until_true},
};
use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::{
    By, Capabilities, Key, WebDriver, WebElement,
    common::command::{Command, ExtensionCommand},
    error::{WebDriverErrorInner, WebDriverResult},
};

use self::{driver::Driver, noticed::Complaint};

mod driver;
mod noticed;

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    /// Whether the pages' scripts run. The tests' own always do.
    pub scripts: bool,
}

pub const DESK: Look = Look {
    width: 1280,
    height: 900,
    dark: false,
    scripts: true,
};

pub const DARK: Look = Look { dark: true, ..DESK };

pub const PHONE: Look = Look {
    width: 390,
    height: 844,
    ..DESK
};

pub const WITHOUT_SCRIPTS: Look = Look {
    scripts: false,
    ..DESK
};

/// A browser with a profile of its own, so that no test sees another's cookies: they do not know ports.
pub struct Browser {
    client: WebDriver,
    origin: String,
    driver: Arc<Driver>,
}

impl Browser {
    /// At a desk.
    pub async fn open(service: &Service) -> Self {
        Self::open_with(service, DESK).await
    }

    pub async fn open_with(service: &Service, look: Look) -> Self {
        let driver = Driver::shared().await;
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--force-color-profile=srgb".to_owned(),
            format!("--window-size={},{}", look.width, look.height),
            format!("--user-data-dir={}", driver.profile().display()),
            // What the browser itself would like to fetch.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
                .to_owned(),
        ];
        let scripts = if look.scripts { 1 } else { 2 };
        let capabilities = json!({
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "profile.managed_default_content_settings.javascript": scripts },
            },
        });
        let capabilities: Capabilities = serde_json::from_value(capabilities).unwrap();
        // The client wants one although nothing here is encrypted; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let client = WebDriver::builder(driver.url(), capabilities)
            .client(http)
            .connect()
            .await
            .unwrap();
        let browser = Self {
            client,
            origin: format!("http://{}/", service.address()),
            driver,
        };
        browser.client.goto("about:blank").await.unwrap();
        browser.complaints().await; // of the page that it begins with
        browser.look(look).await;
        browser
    }

    /// Looks otherwise from now on; whether scripts run stays.
    pub async fn look(&self, look: Look) {
        let scheme = if look.dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
        let size = json!({
            "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": look.width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// A full address, for a link or a foreign page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{}", self.origin, path.trim_start_matches('/'))
    }

    /// Goes to a page of the console.
    pub async fn visit(&self, path: &str) {
        self.go(&self.url(path)).await;
    }

    /// Goes anywhere.
    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The page's path and query.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.unwrap();
        let query = url.query().map(|query| format!("?{query}"));
        format!("{}{}", url.path(), query.unwrap_or_default())
    }

    /// Waits until a foreign page has led to the console.
    pub async fn until_at_console(&self) {
        until_true("the console answers", async || {
            let url = self.client.current_url().await.unwrap();
            url.as_str().starts_with(&self.origin)
        })
        .await;
    }

    /// Fills in the form that everybody is shown who is not known yet.
    pub async fn log_in(&self, name: &str, token: &str) {
        self.fill("[name=token]", token).await;
        self.fill("[name=name]", name).await;
        self.press("body", "Log in").await;
        until_true("they are in", async || {
            !self.path().await.starts_with("/login")
        })
        .await;
    }

    /// The page's HTML as it is now.
    pub async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }

    /// What a script of the test's own returns.
    pub async fn evaluate(&self, script: &str, arguments: &[Value]) -> Value {
        let answer = self.client.execute(script, arguments.to_vec()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{script}: {error}"));
        answer.json().clone()
    }

    /// The text of the first such element, as people see it, if there is one.
    pub async fn text(&self, css: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText";
        let text = self.evaluate(script, &[css.into()]).await;
        text.as_str().map(str::to_owned)
    }

    /// The texts of all such elements.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)";
        serde_json::from_value(self.evaluate(script, &[css.into()]).await).unwrap()
    }

    /// How many there are.
    pub async fn count(&self, css: &str) -> usize {
        self.texts(css).await.len()
    }

    /// Everything on the page that people see.
    pub async fn page(&self) -> String {
        self.text("body").await.unwrap_or_default()
    }

    /// Waits until the first such element says so.
    pub async fn until_text(&self, css: &str, is_so: impl Fn(&str) -> bool) -> String {
        until(&format!("{css} at {}", self.path().await), async || {
            self.text(css).await.filter(|text| is_so(text))
        })
        .await
    }

    /// Presses the button, or follows the link, whose text begins like this, within the first such element; one click.
    /// The page's own updates may replace it at any time.
    pub async fn press(&self, within: &str, label: &str) {
        let what = format!("{label:?} in {within} can be pressed");
        until_true(&what, async || {
            let Some(element) = self.pressable(within, label).await else {
                return false;
            };
            replaced(element.click().await).is_some()
        })
        .await;
    }

    /// Whether there is such a button or link to see.
    pub async fn offers(&self, within: &str, label: &str) -> bool {
        self.pressable(within, label).await.is_some()
    }

    async fn pressable(&self, within: &str, label: &str) -> Option<WebElement> {
        const MARKED: &str = "data-test-pressed";
        let script = r"
            document.querySelectorAll(`[${arguments[2]}]`).forEach(e => e.removeAttribute(arguments[2]));
            const inside = document.querySelector(arguments[0]);
            const all = inside ? [...inside.querySelectorAll('button, a[href], summary')] : [];
            const found = all.find(e => e.innerText.trim().startsWith(arguments[1]) && e.checkVisibility());
            found?.setAttribute(arguments[2], '');
            return Boolean(found);";
        let arguments = [within.into(), label.into(), MARKED.into()];
        if self.evaluate(script, &arguments).await != true {
            return None;
        }
        let marked = format!("[{MARKED}]");
        self.client.find(By::Css(marked)).await.ok()
    }

    /// Writes into a field, over what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        let what = format!("{css} can be filled in");
        until_true(&what, async || {
            let Ok(field) = self.client.find(By::Css(css)).await else {
                return false;
            };
            let cleared = replaced(field.clear().await);
            cleared.is_some() && replaced(field.send_keys(text).await).is_some()
        })
        .await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press_key(&self, key: Key) {
        let key = char::from(key);
        let keys = self.client.action_chain().key_down(key).key_up(key);
        keys.perform().await.unwrap();
    }

    /// Presses Tab until the focus is at what begins like this, and says where one is by more than its colour.
    pub async fn tab_to(&self, label: &str) {
        const MOST: usize = 80;
        let script = r"
            const e = document.activeElement, style = getComputedStyle(e);
            const name = e.innerText?.trim() || e.getAttribute('aria-label') || '';
            return [name, style.outlineStyle !== 'none' && style.outlineWidth !== '0px'];";
        let mut passed = Vec::new();
        for _ in 0..MOST {
            self.press_key(Key::Tab).await;
            let focused = self.evaluate(script, &[]).await;
            let name = focused[0].as_str().unwrap();
            if name.starts_with(label) {
                assert_eq!(focused[1], true, "nobody sees that {name:?} has the focus");
                return;
            }
            passed.push(name.to_owned());
        }
        panic!("Tab does not come to {label:?}: {passed:?}");
    }

    /// A dialog that a script of the page has opened.
    pub async fn dialog(&self) -> Option<String> {
        self.client.get_alert_text().await.ok()
    }

    /// The page is no wider than what it is looked at with: nobody has to scroll sideways.
    pub async fn fits(&self, look: Look) {
        let script = r"
            if (document.documentElement.scrollWidth <= arguments[0]) return [];
            const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > arguments[0]);
            return wide.map(e => e.outerHTML.slice(0, 120));";
        let wide = self.evaluate(script, &[look.width.into()]).await;
        let path = self.path().await;
        assert_eq!(wide, json!([]), "{path} is wider than {look:?}");
    }

    /// A picture of the whole page, in `target/screenshots`.
    pub async fn screenshot(&self, name: &str) {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let directory = target.join("screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        let sizes = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let size = &sizes["cssContentSize"];
        let clip =
            json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.devtools("Page.captureScreenshot", wanted).await;
        let picture = BASE64.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(directory.join(format!("{name}.png")), picture).unwrap();
    }

    /// What was wrong since the last look at it.
    async fn complaints(&self) -> Vec<Complaint> {
        let console = self.extension("se/log", json!({ "type": "browser" })).await;
        let requests = self
            .extension("se/log", json!({ "type": "performance" }))
            .await;
        let mut complaints = noticed::of_console(&console);
        complaints.extend(noticed::of_requests(&requests, &self.origin));
        complaints
    }

    /// Whatever was wrong so far was meant to be.
    pub async fn forgive(&self) {
        self.complaints().await;
    }

    /// Nothing was wrong so far.
    pub async fn is_content(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Ends it; nothing was wrong.
    pub async fn close(self) {
        self.is_content().await;
        self.client.quit().await.unwrap();
        drop(self.driver);
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.extension("goog/cdp/execute", body).await
    }

    async fn extension(&self, path: &'static str, body: Value) -> Value {
        let command = Command::ExtensionCommand(Box::new(Extension { path, body }));
        let answer = self.client.cmd(command).await;
        let value = answer.and_then(|answer| answer.value());
        value.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// `None` where the page took the element away meanwhile, or something is in front of it still.
fn replaced<T>(outcome: WebDriverResult<T>) -> Option<T> {
    match outcome.map_err(|error| error.into_inner()) {
        Ok(value) => Some(value),
        Err(
            WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::NoSuchElement(_)
            | WebDriverErrorInner::ElementClickIntercepted(_)
            | WebDriverErrorInner::ElementNotInteractable(_),
        ) => None,
        Err(error) => panic!("{error}"),
    }
}

/// What chromedriver can do beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl ExtensionCommand for Extension {
    fn parameters_json(&self) -> Option<Value> {
        Some(self.body.clone())
    }

    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Arc<str> {
        format!("/{}", self.path).into()
    }
}
