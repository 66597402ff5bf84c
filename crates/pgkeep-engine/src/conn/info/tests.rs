use super::*;

fn parse(s: &str) -> Result<ConnInfo> {
    ConnInfo::parse_with(s, &|_| None)
}

fn text(info: &ConnInfo) -> String {
    info.password.as_ref().unwrap().get().unwrap()
}

#[test]
fn a_url_says_everything() {
    let c =
        parse("postgres://al%20ice:p%40ss:w@db.example.com:6543/shop?sslmode=verify-full&connect_timeout=3")
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

#[test]
fn several_hosts_have_ports_and_addresses_of_their_own() {
    let at = |c: &ConnInfo| -> Vec<String> { c.places().iter().map(ConnInfo::place).collect() };
    let c = parse("postgres://u@a:1,b,[::1]:3/d?target_session_attrs=standby").unwrap();
    assert_eq!(at(&c), ["a:1", "b:5432", "::1:3"]);
    assert_eq!(c.to_string(), "u@a:1,b:5432,::1:3/d");
    let c = parse("host=a,b port=7 user=u hostaddr=10.0.0.1,10.0.0.2").unwrap();
    assert_eq!(at(&c), ["a:7", "b:7"]);
    assert_eq!(c.places()[1].hostaddr, Some("10.0.0.2".parse().unwrap()));
    for wrong in ["host=a,b port=1,2,3 user=u", "host=a,b hostaddr=10.0.0.1 user=u", "host=a port=0 user=u"] {
        assert_eq!(parse(wrong).unwrap_err().kind, ErrorKind::Config, "{wrong}");
    }
}

#[test]
fn sockets_are_known_in_every_form() {
    for s in [
        "postgres://u@%2Frun%2Fpg/d",
        "postgres://u@/d?host=/run/pg",
        "host=/run/pg user=u",
        "host=@x user=u",
    ] {
        assert!(parse(s).unwrap().is_unix(), "{s}");
    }
}

#[test]
fn hosts_of_rds_trust_amazons_authorities_unless_told_otherwise() {
    let who = |host: &str, more: &str| {
        let c = parse(&format!("postgres://u@{host}/d?sslmode=verify-full{more}")).unwrap();
        format!("{:?}", c.tls.authorities(&c.host))
    };
    assert_eq!(who("x.abc.eu-central-1.rds.amazonaws.com", ""), "Rds");
    assert_eq!(who("x.abc.cn-north-1.RDS.amazonaws.com.cn.", ""), "Rds");
    assert_eq!(who("p.proxy-abc.eu-central-1.rds.amazonaws.com", ""), "RdsProxy");
    assert_eq!(who("rds.amazonaws.com.evil.example", ""), "System");
    assert_eq!(who("x.abc.eu-central-1.rds.amazonaws.com", "&sslrootcert=system"), "System");
    assert_eq!(who("x.abc.eu-central-1.rds.amazonaws.com", "&sslrootcert=/f"), "File(\"/f\")");
}

#[test]
fn keepalives_and_timeouts_are_those_of_the_string() {
    let c =
        parse("host=h user=u keepalives_idle=5 keepalives_count=2 tcp_user_timeout=1500 connect_timeout=0")
            .unwrap();
    assert_eq!((c.keepalive.idle, c.keepalive.count), (Duration::from_secs(5), 2));
    assert_eq!(c.keepalive.user_timeout, Some(Duration::from_millis(1500)));
    assert!(c.connect_timeout > Duration::from_secs(3600));
    assert!(!parse("host=h user=u keepalives=0").unwrap().keepalive.on);
}
