//! Who gets in, and what they may do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::{Command, Stdio};

use jiff::Timestamp;
use pgkeep_serve::web::{Role, Web, WebOptions};
use pgkeep_serve::{Order, Watchers};
use pgkeep_testbed::Authority;
use support::{Site, Users, fleet, options, sign_in, store};

const RUN: [(&str, &str); 2] = [("database", "shop"), ("kind", "backup")];

#[test]
fn an_address_for_everybody_needs_users() {
    for options in [
        WebOptions::new("0.0.0.0:0".parse().unwrap()),
        WebOptions { external_url: Some("https://backups.example.com".into()), ..options() },
    ] {
        let (shared, _inbox) = fleet::sound(&store(), Timestamp::now());
        let refused = Web::start(&options, shared.into(), Watchers::default());
        let told = refused.err().expect("a refusal").to_string();
        assert!(told.contains("nobody would have to sign in") && told.contains("--users"), "{told}");
    }
}

#[test]
fn nothing_is_seen_before_signing_in() {
    let users = Users::new();
    let site = users.site();
    for path in ["/", "/databases/shop", "/runs?kind=drill", "/calendar", "/parts/running", "/no-such-page"] {
        let answer = site.get(path);
        assert_eq!(answer.status(), 303, "{path}");
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/sign-in?next=%2F"), "{path}");
    }
    for path in ["/api/databases", "/api/runs", "/metrics"] {
        assert_eq!(site.get(path).status(), 401, "{path}");
    }
    assert_eq!(site.get("/healthz").text().unwrap(), "ok\n");
    assert_eq!(site.get("/readyz").text().unwrap(), "ready\n");
    assert!(site.text("/sign-in").contains("autocomplete=\"current-password\""));
    let with_token =
        |token: &str| site.client.get(format!("{}/metrics", site.url)).bearer_auth(token).send().unwrap();
    assert_eq!(with_token("token of metrics").status(), 200);
    assert_eq!(with_token("token of nothing").status(), 401);
}

#[test]
fn an_operator_orders_and_a_viewer_does_not() {
    let users = Users::new();
    let site = users.site();
    let order = |user: &str| {
        let cookie = sign_in(&site, user);
        let page = site.client.get(&site.url).header("cookie", &cookie).send().unwrap().text().unwrap();
        let csrf = site.csrf(&page);
        let fields = [RUN.as_slice(), &[("csrf", &csrf)]].concat();
        let answer = site.form("/orders/run", &fields).header("cookie", &cookie).send().unwrap();
        (page, answer.status().as_u16())
    };
    let (page, status) = order("bob");
    assert_eq!(status, 403);
    assert!(!page.contains("/orders/run") && page.contains("bob, viewer"));
    assert_eq!(site.order(), None);
    let (page, status) = order("ann");
    assert_eq!(status, 303);
    assert!(page.contains("/orders/run"));
    assert!(matches!(site.next_order(), Order::Run { task, by, .. } if task == "shop/backup" && by == "ann"));
    assert_eq!(site.acts.all(), ["bob sign-in -", "ann sign-in -", "ann run shop/backup"]);
}

#[test]
fn a_form_of_another_site_or_session_is_refused() {
    let users = Users::new();
    let site = users.site();
    let (ann, bob) = (sign_in(&site, "ann"), sign_in(&site, "bob"));
    let csrf_of = |cookie: &str| {
        let page = site.client.get(&site.url).header("cookie", cookie).send().unwrap().text().unwrap();
        site.csrf(&page)
    };
    let (own, other) = (csrf_of(&ann), csrf_of(&bob));
    let send = |csrf: Option<&str>, head: &[(&str, &str)]| {
        let fields = RUN.iter().copied().chain(csrf.map(|c| ("csrf", c))).collect::<Vec<_>>();
        let request =
            site.client.post(format!("{}/orders/run", site.url)).header("cookie", &ann).form(&fields);
        head.iter().fold(request, |r, (n, v)| r.header(*n, *v)).send().unwrap().status().as_u16()
    };
    let from_here = [("origin", site.url.as_str())];
    assert_eq!(send(None, &from_here), 403);
    assert_eq!(send(Some(""), &from_here), 403);
    assert_eq!(send(Some(&other), &from_here), 403);
    assert_eq!(send(Some(&own), &[]), 403);
    assert_eq!(send(Some(&own), &[("origin", "https://evil.example")]), 403);
    assert_eq!(send(Some(&own), &[("origin", "null")]), 403);
    assert_eq!(send(Some(&own), &[("origin", &site.url), ("sec-fetch-site", "cross-site")]), 403);
    assert_eq!(site.order(), None);
    assert_eq!(send(Some(&own), &from_here), 303);
    let sign_in_from_elsewhere =
        site.client.post(format!("{}/sign-in", site.url)).header("origin", "https://evil.example");
    assert_eq!(
        sign_in_from_elsewhere
            .form(&[("user", "ann"), ("password", "ann's password")])
            .send()
            .unwrap()
            .status(),
        403
    );
}

#[test]
fn guessing_passwords_is_stopped_and_says_for_how_long() {
    let users = Users::new();
    let site = users.site();
    let attempt = |user: &str, password: &str| {
        site.form("/sign-in", &[("user", user), ("password", password)]).send().unwrap()
    };
    for _ in 0..10 {
        let answer = attempt("ann", "wrong password");
        assert_eq!(answer.status(), 401);
        assert!(answer.text().unwrap().contains("Name and password do not fit."));
    }
    let answer = attempt("ann", "ann's password");
    assert_eq!(answer.status(), 429);
    let seconds: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&seconds));
    sign_in(&site, "bob");
    assert!(site.acts.all().contains(&"? sign-in-refused -".to_owned()));
}

#[test]
fn signing_out_ends_the_session_and_so_does_losing_the_account() {
    let users = Users::new();
    let site = users.site();
    let (ann, bob) = (sign_in(&site, "ann"), sign_in(&site, "bob"));
    let see = |cookie: &str| site.client.get(&site.url).header("cookie", cookie).send().unwrap();
    let csrf = site.csrf(&see(&bob).text().unwrap());
    let out = site.form("/sign-out", &[("csrf", &csrf)]).header("cookie", &bob).send().unwrap();
    assert_eq!(out.status(), 303);
    assert_eq!(see(&bob).status(), 303);
    users.write(&[("ann", Role::Viewer), ("new", Role::Viewer)]);
    assert!(see(&ann).text().unwrap().contains("ann, viewer"));
    users.write(&[("eve", Role::Viewer)]);
    assert_eq!(see(&ann).status(), 303);
}

#[test]
fn a_page_that_points_its_name_at_this_machine_sees_nothing() {
    let site = Site::open();
    let see = |host: &str| site.client.get(&site.url).header("host", host).send().unwrap().status().as_u16();
    assert_eq!(see("evil.example"), 421);
    assert_eq!(see("127.0.0.1.evil.example:7317"), 421);
    assert_eq!((see("localhost:7317"), see("127.0.0.1"), see("[::1]:7317")), (200, 200, 200));
}

#[test]
fn every_answer_tells_the_browser_to_take_nothing_from_elsewhere() {
    let site = Site::open();
    for path in ["/", "/runs", "/no-such-page", "/assets/style.css", "/healthz", "/api/runs"] {
        let answer = site.get(path);
        let head = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = head("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(head("x-content-type-options"), "nosniff");
        assert_eq!(head("referrer-policy"), "same-origin");
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
    assert_eq!(site.get("/").headers()["cache-control"], "no-store");
}

/// The certificate that openssl is shown, and whether it could be verified.
fn shown(site: &Site, authority: &Authority) -> (String, bool) {
    let address = site.url.strip_prefix("https://").unwrap();
    let out = Command::new("openssl")
        .args(["s_client", "-connect", address, "-verify_return_error", "-CAfile"])
        .arg(authority.certificate())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let begin = said.find("-----BEGIN CERTIFICATE-----").unwrap_or_else(|| panic!("{said}"));
    let end = said.find("-----END CERTIFICATE-----").unwrap();
    (said[begin..end].to_owned(), said.contains("Verify return code: 0 (ok)"))
}

#[test]
fn tls_is_spoken_and_a_renewed_certificate_counts_at_once() {
    let authority = Authority::create();
    let (certificate, key) = authority.server("IP:127.0.0.1", 30);
    let users = Users::new();
    let options = WebOptions { tls: Some((certificate.clone(), key.clone())), ..users.options() };
    let site = Site::with(&options, fleet::sound(&store(), Timestamp::now()));
    let (before, verified) = shown(&site, &authority);
    assert!(verified && before.len() > 100);
    let _renewed = authority.server("IP:127.0.0.1", 29);
    let (after, verified) = shown(&site, &authority);
    assert!(verified && after != before);
    std::fs::write(&certificate, "no certificate").unwrap();
    assert_eq!(shown(&site, &authority).0, after);

    let pem = std::fs::read(authority.certificate()).unwrap();
    let client = reqwest::blocking::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let signed_in = client
        .post(format!("{}/sign-in", site.url))
        .header("origin", &site.url)
        .form(&[("user", "ann"), ("password", "ann's password")])
        .send()
        .unwrap();
    assert_eq!(signed_in.headers()["strict-transport-security"], "max-age=31536000");
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-pgkeep=") && cookie.ends_with("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let overview = client.get(&site.url).header("cookie", cookie).send().unwrap().text().unwrap();
    assert!(overview.contains("the new TLS certificate is not used"), "{overview}");
}
