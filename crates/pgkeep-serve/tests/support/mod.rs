//! Shared by the tests of the dashboard: serving a made-up fleet, and asking it things.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod browser;
pub mod fleet;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_serve::web::{Role, Web, WebOptions, hash_user};
use pgkeep_serve::{Act, Inbox, Order, Shared, Watcher, Watchers};
use reqwest::blocking::{Client, RequestBuilder, Response};
use tempfile::TempDir;

/// The store with one backup and one drill.
pub fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A dashboard that runs.
pub struct Site {
    pub shared: Arc<Shared>,
    pub inbox: Mutex<Inbox>,
    pub acts: Arc<Acts>,
    pub url: String,
    pub client: Client,
    web: Option<Web>,
}

/// What was audited.
#[derive(Default)]
pub struct Acts(Mutex<Vec<Act>>);

impl Watcher for Acts {
    fn audited(&self, act: &Act) {
        self.0.lock().unwrap().push(act.clone());
    }
}

impl Acts {
    /// `who what on` of each.
    pub fn all(&self) -> Vec<String> {
        let acts = self.0.lock().unwrap();
        acts.iter().map(|a| format!("{} {} {}", a.who, a.what, a.on.as_deref().unwrap_or("-"))).collect()
    }
}

/// Nobody needs to sign in.
pub fn options() -> WebOptions {
    WebOptions::new("127.0.0.1:0".parse().unwrap())
}

impl Site {
    /// Serves the fleet with trouble to everybody on this machine.
    pub fn open() -> Site {
        Site::with(&options(), fleet::troubled(&store(), Timestamp::now()))
    }

    pub fn with(options: &WebOptions, (shared, inbox): (Shared, Inbox)) -> Site {
        let (shared, acts) = (Arc::new(shared), Arc::new(Acts::default()));
        let mut watchers = Watchers::default();
        watchers.add(acts.clone());
        let web = Web::start(options, shared.clone(), watchers).unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = web.url().to_owned();
        Site { shared, inbox: Mutex::new(inbox), acts, url, client, web: Some(web) }
    }

    /// What it listens on.
    pub fn address(&self) -> std::net::SocketAddr {
        self.web.as_ref().unwrap().address()
    }

    pub fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().unwrap()
    }

    pub fn text(&self, path: &str) -> String {
        let answer = self.get(path);
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().unwrap()
    }

    /// A form as a browser sends it from one of our own pages.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).header("origin", &self.url).form(fields)
    }

    /// The token in a page's forms.
    pub fn csrf(&self, page: &str) -> String {
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap().to_owned()
    }

    /// The order that was given, if one was.
    pub fn order(&self) -> Option<Order> {
        self.inbox.lock().unwrap().next(Duration::from_millis(1))
    }

    /// The order that is being given.
    pub fn next_order(&self) -> Order {
        self.inbox.lock().unwrap().next(Duration::from_secs(30)).expect("an order")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.web.take().unwrap().stop();
    }
}

/// Ann operates and Bob looks on; the password of each is its name and `'s password`.
pub struct Users(pub TempDir);

impl Users {
    pub fn new() -> Users {
        let users = Users(tempfile::tempdir().unwrap());
        users.write(&[("ann", Role::Operator), ("bob", Role::Viewer)]);
        users
    }

    pub fn write(&self, all: &[(&str, Role)]) {
        let line =
            |(name, role): &(&str, Role)| hash_user(name, *role, &format!("{name}'s password")).unwrap();
        let lines: Vec<String> = all.iter().map(line).collect();
        std::fs::write(self.file(), lines.join("\n")).unwrap();
    }

    pub fn file(&self) -> PathBuf {
        self.0.path().join("users")
    }

    pub fn options(&self) -> WebOptions {
        WebOptions { users: Some(self.file()), metrics_token: Some("token of metrics".into()), ..options() }
    }

    pub fn site(&self) -> Site {
        Site::with(&self.options(), fleet::troubled(&store(), Timestamp::now()))
    }
}

/// Signs in; gives the cookie.
pub fn sign_in(site: &Site, user: &str) -> String {
    let password = format!("{user}'s password");
    let answer =
        site.form("/sign-in", &[("user", user), ("password", &password), ("next", "/runs")]).send().unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/runs".parse().unwrap()));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    cookie.split(';').next().unwrap().to_owned()
}
