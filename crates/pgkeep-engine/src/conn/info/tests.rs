use super::*;

fn parse(s: &str) -> Result<ConnInfo> {
    ConnInfo::parse_with(s, &|_| None)
}

fn text(info: &ConnInfo) -> String {
    info.password.as_ref().unwrap().get().unwrap()
}

#[test]
fn a_url_says_everything() {
    let c = parse(
        "postgres://al%20ice:p%40ss:w@db.example.com:6543/shop?sslmode=verify-full&connect_timeout=3",
    )
    .unwrap();
    assert_eq!((c.user.as_str(), text(&c).as_str()), ("al ice", "p@ss:w"));
    assert_eq!((c.host.as_str(), c.port, c.database.as_str()), ("db.example.com", 6543, "shop"));
    assert_eq!((c.tls.mode, c.connect_timeout), (SslMode::VerifyFull, Duration::from_secs(3)));
}

#[test]
fn an_unencoded_at_sign_or_slash_in_a_password_is_understood() {
    let c = parse("postgresql://u:p@s/s@h/d").unwrap();
    assert_eq!((text(&c).as_str(), c.host.as_str(), c.database.as_str()), ("p@s/s", "h", "d"));
}

#[test]
fn pairs_with_quotes_are_read_as_libpq_reads_them() {
    let c = parse(r"host = /var/run user='o''").unwrap_err();
    assert_eq!(c.kind, ErrorKind::Config);
    let c = parse(r"host=/var/run  user='o\'neil' dbname=x password=a\ b").unwrap();
    assert!(c.is_unix());
    assert_eq!((c.user.as_str(), c.database.as_str(), text(&c).as_str()), ("o'neil", "x", "a b"));
}

#[test]
fn ipv6_hosts_keep_their_colons() {
    let c = parse("postgres://u@[::1]:5433/d").unwrap();
    assert_eq!((c.host.as_str(), c.port), ("::1", 5433));
}

#[test]
fn the_environment_fills_what_is_missing() {
    let c = ConnInfo::parse_with("postgres://h", &|v| match v {
        "PGUSER" => Some("eve".into()),
        "PGPASSWORD" => Some("secret".into()),
        _ => None,
    })
    .unwrap();
    assert_eq!((c.user.as_str(), c.database.as_str(), c.port), ("eve", "eve", 5432));
    assert!(!format!("{c} {c:?}").contains("secret"));
}

#[test]
fn an_unknown_key_is_named_and_the_password_is_not() {
    let e = parse("postgres://u:hunter2@h/d?sslmodus=x").unwrap_err().to_string();
    assert!(e.contains("sslmodus") && !e.contains("hunter2"), "{e}");
}
