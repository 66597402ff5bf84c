//! The dashboard as the configuration has it, asked by curl.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod serve_support;

use std::path::Path;
use std::process::Command;

use failures_support::program::Running;
use failures_support::{closed_port, wait_until};
use pgkeep_testbed::IdentityProvider;
use serve_support::{Home, entry};

/// What curl prints, with this file as its memory of cookies; `%{http_code} %{redirect_url}` follow on a line of their own.
fn curl(jar: &Path, arguments: &[&str]) -> (String, String) {
    let out = Command::new("curl")
        .args(["--silent", "--write-out", "\n%{http_code} %{redirect_url}", "--cookie"])
        .arg(jar)
        .arg("--cookie-jar")
        .arg(jar)
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(out.stdout).unwrap();
    let (body, told) = said.rsplit_once('\n').unwrap();
    (body.to_owned(), told.to_owned())
}

#[test]
fn people_sign_in_at_the_configured_provider() {
    let provider = IdentityProvider::start();
    let (client, secret) = IdentityProvider::CLIENT;
    let port = closed_port();
    let home = Home::new(&format!(
        "listen = '127.0.0.1:{port}'\noidc_issuer = '{}'\noidc_client_id = '{client}'\n\
         oidc_client_secret = {{ env = 'OIDC_SECRET' }}\noidc_scope = 'address'\noidc_role_claim = 'realm.roles'\n\
         oidc_operators = ['dba', 'lead']\noidc_viewers = 'staff'\n{}",
        provider.issuer,
        entry("shop", "postgres://x", "schedule = '@yearly'")
    ));
    let serve = |secret: Option<&str>| {
        let mut command = home.command(&["serve"]);
        command.env_remove("PGKEEP_LISTEN").envs(secret.map(|secret| ("OIDC_SECRET", secret)));
        Running::start(&mut command)
    };
    serve(None).wait().failed(4, &["the client secret of OpenID Connect", "$OIDC_SECRET"]);
    let _daemon = serve(Some(secret));
    let jar = home.path("cookies");
    let site = format!("http://127.0.0.1:{port}");
    wait_until("it answers", || curl(&jar, &[&format!("{site}/healthz")]).1 == "200 ");
    assert_eq!(curl(&jar, &[&site]).1, format!("303 {site}/sign-in?next=%2F"));
    let claims = r#"{"realm": {"roles": ["lead"]}, "preferred_username": "ann"}"#;
    let user = format!("{}/users/ann", provider.issuer);
    curl(&jar, &["--request", "PUT", "--json", claims, &user]);
    let (_, told) = curl(&jar, &[&format!("{site}/sign-in/oidc?next=/runs")]);
    let wanted = told.strip_prefix("303 ").unwrap();
    assert!(
        wanted.starts_with(&provider.issuer) && wanted.contains("scope=openid+profile+email+address"),
        "{wanted}"
    );
    let (_, told) = curl(&jar, &["--data", "sub=ann", wanted]);
    let back = told.strip_prefix("302 ").unwrap();
    assert!(back.starts_with(&format!("{site}/sign-in/oidc/callback?")), "{back}");
    let (page, told) = curl(&jar, &[back]);
    assert!(told == "200 " && page.contains("0;url=/runs"), "{told}: {page}");
    assert!(curl(&jar, &[&site]).0.contains("ann, operator"));
    let audit = std::fs::read_to_string(home.path("state/audit.jsonl")).unwrap();
    assert!(audit.contains("by 127.0.0.1, subject ann, operator") && !audit.contains(secret), "{audit}");
}

#[test]
fn what_the_configuration_says_of_the_dashboard_is_looked_at_before_it_listens() {
    let shop = entry("shop", "postgres://x", "schedule = '@yearly'");
    let told = |lines: &str| {
        let home = Home::new(&format!("{lines}\n{shop}"));
        let mut command = home.command(&["serve"]);
        command.env_remove("PGKEEP_LISTEN");
        Running::start(&mut command).wait()
    };
    told("listen = '0.0.0.0:0'").failed(2, &["nobody would have to sign in", "--users", "--oidc-issuer"]);
    told("oidc_issuer = 'https://sso.example.com'").failed(2, &["--oidc-client-id"]);
    told("oidc_viewers = ['staff']").failed(2, &["--oidc-issuer"]);
    told("tls_cert = '/etc/pgkeep/cert.pem'").failed(2, &["--tls-key"]);
    told("oidc_client_secret = 'plain'").failed(2, &["line 6", "oidc_client_secret", "{ file = … }"]);
    told("trusted_proxy = ['10.0.0.0/33']").failed(2, &["a network such as 10.0.0.0/8"]);
    told("listen = '127.0.0.1:0'\noidc_issuer = 'https://sso.example.com'\noidc_client_id = 'x'")
        .failed(2, &["--oidc-operators"]);
}
