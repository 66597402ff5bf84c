//! TLS in all its meanings: a backup goes through, pg_dump's connection included, or is refused for the right reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use failures_support::place::Place;
use failures_support::program::run;
use pgkeep_testbed::{Authority, OwnServer, Server, private_server};

fn url(server: &Server, host: &str, more: &str) -> String {
    format!(
        "postgres://postgres:{}@{host}:{}/postgres?connect_timeout=10&{more}",
        Server::PASSWORD,
        server.port()
    )
}

#[track_caller]
fn goes(url: &str) {
    let place = Place::folder();
    place.backup(url, &[]).ok();
    place.holds_one_backup();
}

#[track_caller]
fn fails(url: &str, words: &[&str]) {
    let place = Place::folder();
    place.backup(url, &[]).failed(4, words);
    place.is_clean();
}

/// A server with a certificate that it does not share.
fn tls_server(major: u32, cert: &Path, key: &Path) -> OwnServer {
    let text = |p: &Path| p.to_str().unwrap().to_owned();
    private_server(major, &[("ssl", "on"), ("ssl_cert_file", &text(cert)), ("ssl_key_file", &text(key))])
}

#[test]
fn the_authority_is_checked_by_verify_ca_and_the_name_by_verify_full() {
    let (ours, other) = (Authority::create(), Authority::create());
    let (cert, key) = ours.server("DNS:localhost", 30);
    let server = tls_server(17, &cert, &key);
    let (right, wrong) = (ours.certificate(), other.certificate());
    let (right, wrong) = (right.display(), wrong.display());
    goes(&url(&server, "localhost", &format!("sslmode=verify-full&sslrootcert={right}")));
    goes(&url(&server, "127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={right}")));
    goes(&url(&server, "127.0.0.1", &format!("sslmode=require&sslrootcert={right}")));
    goes(&url(&server, "127.0.0.1", "sslmode=require"));
    goes(&url(&server, "localhost", &format!("hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={right}")));
    fails(
        &url(&server, "127.0.0.1", &format!("sslmode=verify-full&sslrootcert={right}")),
        &["TLS with 127.0.0.1", "not valid for name", "the host name that the certificate is made for"],
    );
    for mode in ["require", "verify-ca", "verify-full"] {
        fails(
            &url(&server, "localhost", &format!("sslmode={mode}&sslrootcert={wrong}")),
            &["UnknownIssuer", "sslrootcert"],
        );
    }
    // The machine's authorities did not sign it.
    fails(&url(&server, "localhost", "sslrootcert=system"), &["UnknownIssuer"]);
    fails(&url(&server, "localhost", "sslmode=verify-ca"), &["UnknownIssuer"]);
}

#[test]
fn the_machines_authorities_are_known_to_pg_dump_as_well() {
    let authority = Authority::create();
    let (cert, key) = authority.server("DNS:localhost", 30);
    let server = tls_server(14, &cert, &key);
    let place = Place::folder();
    let url = url(&server, "localhost", "sslrootcert=system");
    let mut command = place.pgkeep(&["backup", &url, "--to", &place.url()]);
    command.env("SSL_CERT_FILE", authority.certificate());
    run(command).ok();
    place.holds_one_backup();
}

#[test]
fn an_expired_certificate_is_told_from_a_wrong_one() {
    let authority = Authority::create();
    let (cert, key) = authority.server("DNS:localhost", -1);
    let server = tls_server(17, &cert, &key);
    let root = authority.certificate();
    fails(
        &url(&server, "localhost", &format!("sslmode=verify-ca&sslrootcert={}", root.display())),
        &["Expired", "new certificate"],
    );
    goes(&url(&server, "localhost", "sslmode=require"));
}

#[test]
fn a_client_certificate_logs_in_without_a_password() {
    let authority = Authority::create();
    let (cert, key) = authority.server("DNS:localhost", 30);
    let server = tls_server(16, &cert, &key);
    let root = authority.certificate();
    server.append("postgresql.conf", &format!("ssl_ca_file = '{}'\n", root.display()));
    server.restart();
    server.set_hba("hostssl all all 127.0.0.1/32 cert\n");
    let (cert, key) = authority.client("postgres");
    let base = format!(
        "postgres://postgres@localhost:{}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={}",
        server.port(),
        root.display()
    );
    let with_key = |key: &Path| format!("{base}&sslcert={}&sslkey={}", cert.display(), key.display());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let place = Place::folder();
    place.backup(&with_key(&key), &[]).failed(2, &["sslkey", "others than its owner", "chmod 600"]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    goes(&with_key(&key));
    // libpq's own place, found by itself.
    let home = tempfile::tempdir().unwrap();
    let usual = home.path().join(".postgresql");
    std::fs::create_dir(&usual).unwrap();
    for (from, to) in [(&cert, "postgresql.crt"), (&key, "postgresql.key"), (&root, "root.crt")] {
        std::fs::copy(from, usual.join(to)).unwrap();
    }
    let plain = format!(
        "postgres://postgres@localhost:{}/postgres?sslmode=verify-full&hostaddr=127.0.0.1",
        server.port()
    );
    let mut command = place.pgkeep(&["backup", &plain, "--to", &place.url()]);
    command.env("HOME", home.path());
    run(command).ok();
    fails(&base, &["certificate"]);
    let locked = authority.dir().join("locked.key");
    std::process::Command::new("openssl")
        .args(["pkey", "-aes256", "-passout", "pass:x", "-in"])
        .arg(&key)
        .arg("-out")
        .arg(&locked)
        .output()
        .unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o600)).unwrap();
    Place::folder().backup(&with_key(&locked), &[]).failed(2, &["sslkey", "encrypted", "openssl pkey"]);
}

#[test]
fn direct_tls_works_from_17_on_and_is_explained_before() {
    for major in [17, 18] {
        let server = Server::major(major);
        let root = Server::ca_certificate();
        let wish = format!("sslnegotiation=direct&sslmode=verify-full&sslrootcert={}", root.display());
        goes(&url(&server, "localhost", &wish));
    }
    fails(
        &url(&Server::major(16), "localhost", "sslnegotiation=direct&sslmode=require"),
        &["TLS with localhost"],
    );
    let place = Place::folder();
    place
        .backup(&url(&Server::major(17), "localhost", "sslnegotiation=direct"), &[])
        .failed(2, &["too weak for sslnegotiation=direct"]);
}

#[test]
fn channel_binding_holds_over_tls_and_is_refused_without() {
    let server = Server::major(17);
    goes(&url(&server, "localhost", "channel_binding=require&sslmode=require"));
    fails(
        &url(&server, "localhost", "channel_binding=require&sslmode=disable"),
        &["channel_binding=require", "no TLS"],
    );
    goes(&url(&server, "localhost", "channel_binding=disable&sslmode=require"));
    for signature in ["-sha384", "-sha512"] {
        // Another hash in the certificate's signature is another hash in the proof.
        let authority = Authority::create();
        let (cert, key) = authority.server_signed("DNS:localhost", 30, signature);
        let server = tls_server(18, &cert, &key);
        goes(&url(&server, "localhost", "channel_binding=require&sslmode=require"));
    }
}

#[test]
fn versions_of_tls_can_be_bounded() {
    let server = Server::major(18);
    goes(&url(&server, "localhost", "sslmode=require&ssl_max_protocol_version=TLSv1.2"));
    goes(&url(&server, "localhost", "sslmode=require&ssl_min_protocol_version=TLSv1.3"));
    Place::folder()
        .backup(&url(&server, "localhost", "ssl_max_protocol_version=TLSv1.1"), &[])
        .failed(2, &["no version of TLS is left"]);
}

#[test]
fn the_six_sslmodes_meet_servers_with_and_without_tls() {
    let authority = Authority::create();
    let (cert, key) = authority.server("DNS:localhost", 30);
    let server = tls_server(15, &cert, &key);
    server.set_hba("hostssl all all 127.0.0.1/32 scram-sha-256\n");
    for mode in ["allow", "prefer", "require"] {
        goes(&url(&server, "127.0.0.1", &format!("sslmode={mode}")));
    }
    fails(&url(&server, "127.0.0.1", "sslmode=disable"), &["no encryption"]);
    server.set_hba("hostnossl all all 127.0.0.1/32 scram-sha-256\n");
    for mode in ["disable", "allow", "prefer"] {
        goes(&url(&server, "127.0.0.1", &format!("sslmode={mode}")));
    }
    fails(&url(&server, "127.0.0.1", "sslmode=require"), &["no pg_hba.conf entry"]);
    fails(&url(&Server::major(14), "127.0.0.1", "sslmode=require"), &["does not offer TLS"]);
}

#[test]
fn a_revoked_certificate_is_refused() {
    let authority = Authority::create();
    let (cert, key) = authority.server("DNS:localhost", 30);
    let server = tls_server(17, &cert, &key);
    let root = authority.certificate();
    for (revoked, list) in
        [(false, authority.revocation_list(None)), (true, authority.revocation_list(Some(&cert)))]
    {
        let wish = format!("sslmode=verify-full&sslrootcert={}&sslcrl={}", root.display(), list.display());
        let url = url(&server, "localhost", &wish);
        if revoked { fails(&url, &["Revoked", "sslcrl"]) } else { goes(&url) }
    }
}

#[test]
fn hosts_of_rds_are_checked_by_amazons_authorities_and_no_others() {
    let name = "shop.abc123.eu-central-1.rds.amazonaws.com";
    let authority = Authority::create();
    let (cert, key) = authority.server(&format!("DNS:{name}"), 30);
    let server = tls_server(17, &cert, &key);
    let place = Place::folder();
    // The test's authority passes for one of the machine's.
    let backup = |more: &str| {
        let url = url(&server, name, &format!("hostaddr=127.0.0.1&sslmode=verify-full{more}"));
        let mut command = place.pgkeep(&["backup", &url, "--to", &place.url()]);
        command.env("SSL_CERT_FILE", authority.certificate());
        run(command)
    };
    backup("").failed(4, &["UnknownIssuer"]);
    backup("&sslrootcert=system").ok();
}
