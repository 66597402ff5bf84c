//! Signing in at an identity provider, which is a real one that lies where a test needs it to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use jiff::Timestamp;
use pgkeep_serve::web::{OidcOptions, Web, WebOptions};
use pgkeep_serve::{Order, Watchers};
use pgkeep_testbed::IdentityProvider;
use reqwest::blocking::Response;
use serde_json::{Value, json};
use support::browser::Browser;
use support::{Site, Users, fleet, options, sign_in, store};
use url::Url;

/// Operators are `dba`, viewers are `staff`.
fn at(provider: &IdentityProvider) -> OidcOptions {
    let (client, secret) = IdentityProvider::CLIENT;
    OidcOptions {
        issuer: provider.issuer.clone(),
        client_id: client.into(),
        client_secret: Some(secret.into()),
        scopes: Vec::new(),
        role_claim: "groups".into(),
        operators: vec!["dba".into()],
        viewers: vec!["staff".into()],
    }
}

/// A provider with Ann, an operator, Bob, a viewer, and Eve, who is neither.
fn provider() -> IdentityProvider {
    let provider = IdentityProvider::start();
    people(&provider);
    provider
}

fn people(provider: &IdentityProvider) {
    for (name, groups) in
        [("ann", json!(["staff", "dba"])), ("bob", json!(["staff"])), ("eve", json!(["guests"]))]
    {
        let claims =
            json!({ "groups": groups, "email": format!("{name}@example.com"), "email_verified": true });
        put(&format!("{}/users/{name}", provider.issuer), &claims);
    }
}

fn put(url: &str, body: &Value) {
    let answer = reqwest::blocking::Client::new().put(url).json(body).send().unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
}

fn site(oidc: OidcOptions) -> Site {
    let options = WebOptions { oidc: Some(oidc), ..options() };
    Site::with(&options, fleet::troubled(&store(), Timestamp::now()))
}

/// Where an answer leads to.
fn location(answer: &Response) -> Url {
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

/// The cookies that an answer sets, as a browser would send them.
fn cookies(answer: &Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter().map(|c| c.to_str().unwrap());
    let set = set.filter(|c| !c.contains("Max-Age=0"));
    set.map(|c| c.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

/// A browser that has left for the provider: its cookie, and where it was sent.
fn leave(site: &Site) -> (String, Url) {
    let answer = site.get("/sign-in/oidc?next=/runs");
    assert_eq!(answer.status(), 303);
    (cookies(&answer), location(&answer))
}

/// What the provider sends somebody back with who has signed in there.
fn consent(site: &Site, wanted: Url, who: &str) -> Url {
    let answer = site.client.post(wanted).form(&[("sub", who)]).send().unwrap();
    assert_eq!(answer.status(), 302, "{}", answer.text().unwrap());
    location(&answer)
}

fn come_back(site: &Site, back: Url, cookie: &str) -> Response {
    site.client.get(back).header("cookie", cookie).send().unwrap()
}

/// The whole way.
fn go(site: &Site, who: &str) -> Response {
    let (cookie, wanted) = leave(site);
    let back = consent(site, wanted, who);
    come_back(site, back, &cookie)
}

#[track_caller]
fn refused(answer: Response, status: u16, why: &str) {
    assert_eq!(answer.status(), status);
    assert!(!cookies(&answer).contains("pgkeep="), "a session");
    let page = answer.text().unwrap();
    assert!(page.contains(why), "{page}");
}

#[test]
fn people_of_the_provider_get_in_with_the_role_of_their_groups_and_nobody_else() {
    let provider = provider();
    let site = site(at(&provider));
    assert_eq!(site.get("/").status(), 303);
    let page = site.text("/sign-in");
    assert!(page.contains("Sign in at 127.0.0.1") && !page.contains("type=\"password\""), "{page}");
    let order = |who: &str| {
        let answer = go(&site, who);
        assert_eq!(answer.status(), 200);
        let cookie = cookies(&answer);
        assert!(answer.text().unwrap().contains("content=\"0;url=/runs\""));
        let page = site.client.get(&site.url).header("cookie", &cookie).send().unwrap().text().unwrap();
        let csrf = site.csrf(&page);
        let fields = [("database", "shop"), ("kind", "backup"), ("csrf", &csrf)];
        let ordered = site.form("/orders/run", &fields).header("cookie", &cookie).send().unwrap();
        (page, ordered.status().as_u16(), cookie, csrf)
    };
    let (page, status, ..) = order("bob");
    assert!(page.contains("bob@example.com, viewer"), "{page}");
    assert_eq!((status, site.order()), (403, None));
    let (page, status, cookie, csrf) = order("ann");
    assert!(page.contains("ann@example.com, operator"), "{page}");
    assert_eq!(status, 303);
    assert!(matches!(site.next_order(), Order::Run { by, .. } if by == "ann@example.com"));
    refused(go(&site, "eve"), 403, "eve@example.com is neither a viewer nor an operator here.");
    refused(go(&site, "somebody"), 403, "neither a viewer nor an operator");

    let out = site.form("/sign-out", &[("csrf", &csrf)]).header("cookie", &cookie).send().unwrap();
    let page = out.text().unwrap();
    assert!(page.contains(&format!("{}/oauth2/end_session?client_id=pgkeep", provider.issuer)), "{page}");
    assert_eq!(site.client.get(&site.url).header("cookie", &cookie).send().unwrap().status(), 303);
    let acts = site.acts.all();
    for act in
        ["bob@example.com sign-in -", "eve@example.com sign-in-refused -", "ann@example.com sign-out -"]
    {
        assert!(acts.contains(&act.to_owned()), "{acts:?}");
    }
}

#[test]
fn a_token_that_is_not_for_this_sign_in_opens_nothing() {
    let provider = provider();
    let site = site(at(&provider));
    let lie = |lies: Value| put(&format!("{}/lies", provider.issuer), &lies);
    let long_ago = Timestamp::now().as_second() - 3_600;
    for (lies, why) in [
        (json!({ "claims": { "nonce": "another" } }), "answers another sign-in (nonce)"),
        (json!({ "claims": { "nonce": null } }), "answers another sign-in (nonce)"),
        (json!({ "claims": { "aud": "another" } }), "not for the client pgkeep (aud)"),
        (json!({ "claims": { "aud": ["another", "third"] } }), "not for the client pgkeep (aud)"),
        (
            json!({ "claims": { "aud": ["pgkeep", "another"], "azp": "another" } }),
            "made for another client (azp)",
        ),
        (json!({ "claims": { "iss": "https://evil.example" } }), "(iss)"),
        (json!({ "claims": { "exp": long_ago } }), "not valid at this time"),
        (json!({ "claims": { "exp": null } }), "has no exp"),
        (json!({ "claims": { "nbf": long_ago + 7_200 } }), "not valid at this time"),
        (json!({ "foreign_key": true }), "none of the provider"),
        (json!({ "alg": "none" }), "makes no sense"),
        (json!({ "alg": "HS256" }), "is signed by HS256"),
    ] {
        lie(lies.clone());
        let answer = go(&site, "ann");
        assert_eq!(answer.status(), 401, "{lies}");
        refused(answer, 401, why);
    }
    for lies in [
        json!({ "alg": "RS256" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": "EdDSA" }),
        json!({ "claims": { "aud": ["pgkeep"], "azp": "pgkeep" } }),
    ] {
        lie(lies.clone());
        assert_eq!(go(&site, "ann").status(), 200, "{lies}");
    }
}

#[test]
fn only_the_browser_that_has_left_comes_back_and_only_once() {
    let provider = provider();
    let site = site(at(&provider));
    let begun = "was not begun in this browser";
    let (cookie, wanted) = leave(&site);
    let parameters: BTreeMap<String, String> = wanted.query_pairs().into_owned().collect();
    assert_eq!(parameters["code_challenge_method"], "S256");
    assert_eq!(parameters["redirect_uri"], format!("{}/sign-in/oidc/callback", site.url));
    let set = site.get("/sign-in/oidc").headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly; SameSite=Lax; Max-Age=600"), "{set}");
    let back = consent(&site, wanted, "ann");
    refused(site.client.get(back.clone()).send().unwrap(), 400, begun);
    let (other, _) = leave(&site);
    refused(come_back(&site, back.clone(), &other), 400, begun);
    let mut forged = back.clone();
    forged.set_query(Some(&back.query().unwrap().replace("state=", "state=x")));
    refused(come_back(&site, forged, &cookie), 400, begun);
    // The right state, and the verifier of another trip: the provider refuses the code (PKCE).
    let fields: Vec<&str> = cookie.split('.').collect();
    let verifier = other.split('.').nth(2).unwrap();
    let mixed = [fields[0], fields[1], verifier, fields[3]].join(".");
    refused(come_back(&site, back.clone(), &mixed), 401, "gave no token");
    let (cookie, wanted) = leave(&site);
    let back = consent(&site, wanted, "ann");
    assert_eq!(come_back(&site, back.clone(), &cookie).status(), 200);
    refused(come_back(&site, back, &cookie), 401, "gave no token");

    let (cookie, wanted) = leave(&site);
    let denied = site.client.post(wanted.clone()).form(&[("action", "deny")]).send().unwrap();
    let mut back = location(&denied);
    let state = wanted.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    if !back.query_pairs().any(|(name, _)| name == "state") {
        back.query_pairs_mut().append_pair("state", &state);
    }
    refused(come_back(&site, back, &cookie), 401, "access_denied");
}

#[test]
fn coming_back_is_stopped_after_many_tries_from_one_address() {
    let provider = provider();
    let site = site(at(&provider));
    let try_it = || site.get("/sign-in/oidc/callback?code=x&state=y").status().as_u16();
    assert!((0..30).all(|_| try_it() == 400));
    assert_eq!(try_it(), 429);
}

#[test]
fn a_provider_that_is_away_is_told_and_lets_nobody_in() {
    let gone = provider();
    let port = gone.port();
    drop(gone);
    let users = Users::new();
    let oidc = OidcOptions { issuer: format!("http://127.0.0.1:{port}"), ..at(&IdentityProvider::start()) };
    let options = WebOptions { oidc: Some(oidc), ..users.options() };
    let site = Site::with(&options, fleet::troubled(&store(), Timestamp::now()));
    refused(site.get("/sign-in/oidc"), 503, "the identity provider does not say what it offers");
    let cookie = sign_in(&site, "ann");
    let see = || site.client.get(&site.url).header("cookie", &cookie).send().unwrap().text().unwrap();
    assert!(see().contains("signing in by OpenID Connect"), "{}", see());
    assert!(site.text("/sign-in").contains("type=\"password\""));

    let back = IdentityProvider::on(port);
    people(&back);
    let (trip, wanted) = leave(&site);
    assert!(!see().contains("signing in by OpenID Connect"));
    let came = consent(&site, wanted, "ann");
    drop(back);
    refused(come_back(&site, came, &trip), 401, "gave no token");
    // Who has signed in before stays so.
    assert!(see().contains("ann, operator"));
}

#[test]
fn options_that_make_no_sense_are_told_before_anybody_is_let_in() {
    let provider = provider();
    let good = at(&provider);
    let told = |options: WebOptions| {
        let (shared, _inbox) = fleet::sound(&store(), Timestamp::now());
        Web::start(&options, shared.into(), Watchers::default()).err().expect("a refusal").to_string()
    };
    let with = |oidc: OidcOptions| WebOptions { oidc: Some(oidc), ..options() };
    let nobody = OidcOptions { operators: Vec::new(), viewers: Vec::new(), ..good.clone() };
    assert!(told(with(nobody)).contains("--oidc-operators"));
    for issuer in ["http://login.example.com", "login.example.com", "https://a.example/?x=1"] {
        let told = told(with(OidcOptions { issuer: issuer.into(), ..good.clone() }));
        assert!(told.contains(&format!("--oidc-issuer {issuer}")), "{told}");
    }
    let everywhere = WebOptions { listen: "0.0.0.0:0".parse().unwrap(), ..with(good.clone()) };
    assert!(told(everywhere.clone()).contains("--external-url"));
    let named = WebOptions { external_url: Some("https://backups.example.com".into()), ..everywhere };
    let (shared, _inbox) = fleet::sound(&store(), Timestamp::now());
    Web::start(&named, shared.into(), Watchers::default()).unwrap().stop();
}

#[test]
fn what_a_provider_says_of_itself_is_looked_at() {
    let provider = provider();
    let says = |metadata: Value| {
        put(&format!("{}/lies", provider.issuer), &json!({ "metadata": metadata }));
        site(at(&provider))
    };
    for (metadata, why) in [
        (json!({ "issuer": "https://evil.example" }), "it calls itself https://evil.example"),
        (json!({ "token_endpoint": "http://evil.example/token" }), "is no https:// URL"),
        (json!({ "authorization_endpoint": "javascript:alert(1)" }), "is no https:// URL"),
        (json!({ "jwks_uri": null }), "makes no sense"),
    ] {
        refused(says(metadata).get("/sign-in/oidc"), 503, why);
    }
    let site = says(json!({
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "end_session_endpoint": "javascript:alert(1)",
    }));
    let cookie = cookies(&go(&site, "bob"));
    let page = site.client.get(&site.url).header("cookie", &cookie).send().unwrap().text().unwrap();
    let out =
        site.form("/sign-out", &[("csrf", &site.csrf(&page))]).header("cookie", &cookie).send().unwrap();
    assert_eq!(out.headers()["location"], "/sign-in");
}

#[test]
fn signing_in_at_the_provider_works_in_a_browser_and_leads_to_the_page_that_was_wanted() {
    let provider = provider();
    let (site, browser) = (site(at(&provider)), Browser::start());
    browser.go(&format!("{}/calendar", site.url));
    browser.wait_for("return location.pathname === '/sign-in'");
    let shots = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    browser.shoot(&shots.join("sign-in-elsewhere.png"));
    browser.run("document.querySelector('a.button').click()");
    browser.wait_for(
        "return location.pathname === '/oauth2/authorize' && !!document.querySelector('[name=sub]')",
    );
    browser.run(
        "const sub = document.querySelector('input[name=sub]'); sub.value = 'bob'; sub.form.querySelector('button').click()",
    );
    browser.wait_for("return location.pathname === '/calendar'");
    assert_eq!(browser.run("return document.querySelector('.who').textContent"), "bob@example.com, viewer");
    assert_eq!(browser.run("return document.cookie"), "", "no script reads the session");
    browser.run("document.querySelector('form.out button').click()");
    browser.wait_for("return document.body.textContent.includes('You have signed out of pgkeep')");
    let ours = |c: &String| c.contains(&site.url) && !c.contains("favicon.ico");
    assert_eq!(browser.complaints().into_iter().filter(ours).collect::<Vec<_>>(), [""; 0]);
}
