//! Chromium, driven the way a person uses it, in a window and a profile of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::{Capabilities, ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver};

use super::folder;
use super::guarded::{Guarded, Program, require};

/// Keep it from talking to anybody but the page's server, and from outliving a killed driver.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// How often a page is looked at while something is waited for, and for how long nothing may come of it.
const PACE: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser window.
pub struct Browser {
    /// Drives it.
    pub driver: WebDriver,
    url: String,
    _chromedriver: Guarded,
}

impl Browser {
    /// Opens a window with an empty profile.
    pub async fn open() -> Self {
        require(Path::new("/usr/bin/chromium"), "chromium");
        let made = Command::new("mktemp").args(["-d", &folder::shared_pattern()]).output().expect("mktemp runs");
        let folder = PathBuf::from(String::from_utf8_lossy(&made.stdout).trim());
        let path = Path::new("/usr/bin/chromedriver");
        let program =
            Program { path, package: "chromium-driver", signal: "TERM", user: None, folder: Some(folder.clone()) };
        let ready = |line: &str| line.split("started successfully on port ").nth(1)?.trim_end_matches('.').parse().ok();
        let (chromedriver, port): (_, u16) = Guarded::start(&program, &["--port=0".to_owned()], ready)
            .unwrap_or_else(|said| panic!("chromedriver: {said}"));
        let mut wishes = DesiredCapabilities::chrome();
        let profile = format!("--user-data-dir={}", folder.display());
        for flag in FLAGS.into_iter().chain([profile.as_str()]) {
            wishes.add_arg(flag).expect("a flag");
        }
        wishes.set_binary("/usr/bin/chromium").expect("a path");
        let mut wishes = Capabilities::from(wishes);
        let logs = json!({"browser": "ALL", "performance": "ALL"});
        wishes.set("goog:loggingPrefs".to_owned(), logs).expect("logs");
        let url = format!("http://127.0.0.1:{port}");
        let driver = WebDriver::new(&url, wishes).await.expect("a window");
        Self { driver, url, _chromedriver: chromedriver }
    }

    /// A command of the DevTools protocol.
    async fn tell(&self, command: &str, parameters: Value) {
        let url = format!("{}/session/{}/goog/cdp/execute", self.url, self.driver.session_id());
        let body = json!({"cmd": command, "params": parameters});
        let answer = reqwest::Client::new().post(url).json(&body).send().await.expect("chromedriver answers");
        assert!(answer.status().is_success(), "{command}: {}", answer.text().await.unwrap_or_default());
    }

    /// The size of the window's inside, and the colour scheme its user prefers.
    pub async fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
        let prefers = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", prefers).await;
        // Colours fade over; a picture taken meanwhile shows neither scheme.
        let still = "document.getAnimations().every(a => a.playState === 'finished' || a.effect.getTiming().iterations === Infinity)";
        self.until("colours have settled", still).await;
    }

    /// Whether scripts of pages run; those of the test always do.
    pub async fn let_scripts_run(&self, is_on: bool) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({"value": !is_on})).await;
    }

    /// Whether the system asks for its own few colours in place of the page's.
    pub async fn force_colours(&self, is_on: bool) {
        let wanted = if is_on { "active" } else { "none" };
        let features = json!({"features": [{"name": "forced-colors", "value": wanted}]});
        self.tell("Emulation.setEmulatedMedia", features).await;
    }

    /// What was said since the last call: errors and broken policies of the console, and requests to other origins than
    /// `home`.
    pub async fn misdeeds(&self, home: &str) -> Vec<String> {
        let said = self.log("browser").await.into_iter().filter(|entry| entry["level"] == "SEVERE");
        let mut found: Vec<String> = said.map(|entry| entry["message"].to_string()).collect();
        for entry in self.log("performance").await {
            let event: Value = serde_json::from_str(entry["message"].as_str().expect("a message")).expect("JSON");
            let request = &event["message"]["params"]["request"]["url"];
            let url = request.as_str().filter(|_| event["message"]["method"] == "Network.requestWillBeSent");
            found.extend(url.filter(|url| url.starts_with("http") && !url.starts_with(home)).map(str::to_owned));
        }
        found
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let url = format!("{}/session/{}/se/log", self.url, self.driver.session_id());
        let answer = reqwest::Client::new().post(url).json(&json!({"type": kind})).send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("JSON");
        serde_json::from_value(answer["value"].take()).expect("a list")
    }

    /// Waits until a script answers true in the page. Each look is a script of its own, for a page that is left takes
    /// its scripts along; what a script says of a page on its way is no answer.
    pub async fn until(&self, what: &str, condition: &str) {
        let script = format!("try {{ return !!({condition}); }} catch (error) {{ return false; }}");
        let begin = Instant::now();
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            let met = self.driver.execute(script.clone(), vec![]).await.is_ok_and(|said| said.json() == &json!(true));
            if met {
                return;
            }
            if begin.elapsed() > PATIENCE {
                let state =
                    "return [location.href, document.body.innerText, ...[...document.querySelectorAll('order-tracker')]
                    .map(one => `${one.connection} ${one.order?.seq} ${one.shadowRoot.textContent}`)].join('\\n')";
                let said = self.driver.execute(state, vec![]).await;
                panic!("never came: {what}; {:?}", said.map(|said| said.json().clone()));
            }
        }
    }

    /// What breaks the accessibility rules of axe-core on the page as it is now.
    pub async fn accessibility_faults(&self) -> Vec<String> {
        let path = super::tools().join("axe.js");
        let axe = std::fs::read_to_string(&path);
        let axe =
            axe.unwrap_or_else(|_| panic!("{} is missing: run tests/run, which fetches axe-core", path.display()));
        self.driver.execute(axe, vec![]).await.expect("axe loads");
        let script = "const done = arguments[0];
            axe.run(document).then(found => done(found.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`)));";
        let found = self.driver.execute_async(script, vec![]).await.expect("axe runs");
        serde_json::from_value(found.json().clone()).expect("a list")
    }

    /// Keeps a picture of the page in `target/tmp/shots/`, to be looked at.
    pub async fn shot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shots");
        std::fs::create_dir_all(&folder).expect("a folder");
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.expect("a picture");
    }

    /// Closes the window.
    pub async fn close(self) {
        self.driver.clone().quit().await.expect("the window closes");
    }
}
