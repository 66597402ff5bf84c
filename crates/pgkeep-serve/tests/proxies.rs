//! A dashboard behind a proxy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use jiff::Timestamp;
use pgkeep_serve::web::WebOptions;
use support::{Site, Users, fleet, store};

fn site(options: WebOptions) -> Site {
    Site::with(&options, fleet::troubled(&store(), Timestamp::now()))
}

/// What comes of wrong passwords from these addresses, one after the other, each for a user of its own.
fn guesses(site: &Site, from: impl Iterator<Item = String>) -> Vec<u16> {
    let guess = |(n, from): (usize, String)| {
        let fields = [("user", format!("u{n}")), ("password", "wrong password".into())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let guess = site.form("/sign-in", &fields).header("x-forwarded-for", from);
        guess.send().unwrap().status().as_u16()
    };
    from.enumerate().map(guess).collect()
}

#[test]
fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let users = Users::new();
    let others = || (0..31).map(|n| format!("10.0.0.{n}"));
    let one = || (0..31).map(|n| format!("198.51.100.{n}, 203.0.113.9"));
    // Nobody is trusted: all of it is from one address.
    let plain = site(users.options());
    assert_eq!(guesses(&plain, others()).last(), Some(&429));
    // This machine is: its word counts, and what its client made up before that does not.
    let trusting =
        || WebOptions { trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()], ..users.options() };
    assert_eq!(guesses(&site(trusting()), others()).last(), Some(&401));
    assert_eq!(guesses(&site(trusting()), one()).last(), Some(&429));
    // Two in a row, of which the nearer one is not trusted.
    let behind = || (0..31).map(|n| format!("10.0.0.{n}, 203.0.113.9"));
    assert_eq!(guesses(&site(trusting()), behind()).last(), Some(&429));
    let both = ["127.0.0.1/32", "203.0.113.0/24"].map(|net| net.parse().unwrap()).to_vec();
    assert_eq!(
        guesses(&site(WebOptions { trusted_proxies: both, ..users.options() }), behind()).last(),
        Some(&401)
    );
    // Another one is trusted, and nobody else.
    let other = WebOptions { trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()], ..users.options() };
    assert_eq!(guesses(&site(other), others()).last(), Some(&429));
}

#[test]
fn behind_a_proxy_the_address_of_the_outside_counts() {
    let users = Users::new();
    let options = WebOptions { external_url: Some("https://backups.example.com".into()), ..users.options() };
    let site = site(options);
    assert_eq!(site.url, "https://backups.example.com");
    let inside = format!("http://{}", site.address());
    let get = |path: &str, host: &str| {
        site.client.get(format!("{inside}{path}")).header("host", host).send().unwrap()
    };
    assert_eq!(get("/sign-in", "backups.example.com").status(), 200);
    assert_eq!(get("/sign-in", "evil.example").status(), 421);
    let sign_in = |origin: &str| {
        let fields = [("user", "ann"), ("password", "ann's password"), ("next", "/runs")];
        let request = site.client.post(format!("{inside}/sign-in")).form(&fields);
        request.header("host", "backups.example.com").header("origin", origin).send().unwrap()
    };
    assert_eq!(sign_in(&inside).status(), 403);
    let signed_in = sign_in("https://backups.example.com");
    assert_eq!(
        (signed_in.status().as_u16(), &signed_in.headers()["location"]),
        (303, &"/runs".parse().unwrap())
    );
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-pgkeep=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(signed_in.headers().contains_key("strict-transport-security"));
    for url in ["backups.example.com", "https://example.com/backups", "ftp://example.com"] {
        let options = WebOptions { external_url: Some(url.into()), ..users.options() };
        let (shared, _inbox) = fleet::sound(&store(), Timestamp::now());
        let refused =
            pgkeep_serve::web::Web::start(&options, shared.into(), pgkeep_serve::Watchers::default());
        assert!(refused.err().unwrap().to_string().contains(&format!("--external-url {url}")));
    }
}
