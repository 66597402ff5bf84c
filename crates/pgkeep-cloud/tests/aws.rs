//! Secrets, parameters, instances and tokens, against moto and botocore.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::StaticTimeSource;
use pgkeep_cloud::{Account, CloudError, CloudErrorKind, Role};
use pgkeep_testbed::Aws;

fn sdk(endpoint: &str, key: &str, secret: &str) -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(Aws::REGION))
        .credentials_provider(Credentials::new(key, secret, None, None, "test"));
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(loader.load())
}

/// The account that [`Aws::environment`] tells of.
fn account(aws: &Aws) -> Account {
    let environment = aws.environment();
    Account::from_sdk(sdk(&aws.endpoint, &environment[1].1, &environment[2].1)).unwrap()
}

#[track_caller]
fn says(e: &CloudError, kind: CloudErrorKind, words: &[&str]) {
    let text = e.to_string();
    assert_eq!(e.kind, kind, "{text}");
    for word in words {
        assert!(text.contains(word), "\"{word}\" is not said: {text}");
    }
}

#[test]
fn secrets_in_both_shapes_and_parameters_are_read_and_what_is_missing_is_named() {
    let aws = Aws::start();
    let account = account(&aws);
    let arn =
        aws.secret("prod/shop", r#"{"username":"app","password":"p1","engine":"postgres","port":5433}"#);
    for id in ["prod/shop", &arn] {
        let secret = account.secret(id).unwrap();
        assert_eq!(
            (secret.password.as_str(), secret.username.as_deref(), secret.port),
            ("p1", Some("app"), Some(5433))
        );
    }
    aws.secret("plain", "p2");
    assert_eq!(account.secret("plain").unwrap().password, "p2");
    aws.secret("odd", r#"{"user":"app","pass":"p3"}"#);
    let e = account.secret("odd").unwrap_err();
    says(&e, CloudErrorKind::Unfit, &["secret odd", "no \"password\"", "pass, user"]);
    assert!(!e.to_string().contains("p3"));
    says(
        &account.secret("none").unwrap_err(),
        CloudErrorKind::NotFound,
        &["secret none in eu-central-1", "account"],
    );

    aws.parameter("/prod/pg", "p4");
    assert_eq!(account.parameter("/prod/pg").unwrap(), "p4");
    says(&account.parameter("/none").unwrap_err(), CloudErrorKind::NotFound, &["parameter /none", "region"]);
}

#[test]
fn instances_and_clusters_are_found_by_name() {
    let aws = Aws::start();
    let account = account(&aws);
    aws.instance("shop", "postgres", "orders", "");
    let place = account.rds("shop", None).unwrap();
    assert!(
        place.host.starts_with("shop.") && place.host.ends_with(".eu-central-1.rds.amazonaws.com"),
        "{place:?}"
    );
    assert_eq!((place.port, place.database.as_deref(), place.role), (5432, Some("orders"), None));
    let e = account.rds("shop", Some(Role::Reader)).unwrap_err();
    says(&e, CloudErrorKind::Unfit, &["RDS shop in eu-central-1", "instance", "cluster"]);
    aws.stop("shop");
    says(&account.rds("shop", None).unwrap_err(), CloudErrorKind::Unfit, &["RDS shop", "\"stopped\""]);

    aws.cluster("aurora", "aurora-postgresql", "orders");
    aws.instance("aurora-1", "aurora-postgresql", "", "aurora");
    let reader = account.rds("aurora", None).unwrap();
    assert!(reader.host.contains(".cluster-ro-"), "{reader:?}");
    assert_eq!((reader.role, reader.database.as_deref()), (Some(Role::Reader), Some("orders")));
    let writer = account.rds("aurora", Some(Role::Writer)).unwrap();
    assert!(writer.host.contains(".cluster-") && writer.host != reader.host, "{writer:?}");
    let member = account.rds("aurora-1", None).unwrap();
    assert!(member.host.starts_with("aurora-1."), "{member:?}");
    // A member that is named as its cluster does not hide it.
    aws.instance("aurora", "aurora-postgresql", "", "aurora");
    assert_eq!(account.rds("aurora", None).unwrap(), reader);

    aws.instance("my", "mysql", "orders", "");
    says(&account.rds("my", None).unwrap_err(), CloudErrorKind::Unfit, &["RDS my", "mysql", "PostgreSQL"]);
    let e = account.rds("nowhere", None).unwrap_err();
    says(
        &e,
        CloudErrorKind::NotFound,
        &["RDS nowhere in eu-central-1", "no instance and no cluster", "account"],
    );
}

#[test]
fn a_refusal_names_the_action_to_allow_and_missing_credentials_are_named() {
    let aws = Aws::start();
    let (key, secret) = aws.lock();
    let nobody = Account::from_sdk(sdk(&aws.endpoint, &key, &secret)).unwrap();
    says(&nobody.rds("x", None).unwrap_err(), CloudErrorKind::Denied, &["rds:DescribeDBInstances"]);

    let none = sdk(&aws.endpoint, "", "").into_builder();
    let none = none.credentials_provider(SharedCredentialsProvider::new(Nothing)).build();
    let none = Account::from_sdk(none).unwrap();
    for e in [none.secret("x").unwrap_err(), none.iam_token("h", 1, "u").unwrap_err()] {
        says(&e, CloudErrorKind::Credentials, &["no usable AWS credentials", "AWS_PROFILE"]);
    }
    let nowhere = Account::from_sdk(sdk("http://127.0.0.1:1", "k", "s")).unwrap();
    says(&nowhere.secret("x").unwrap_err(), CloudErrorKind::Unreachable, &["AWS_ENDPOINT_URL"]);
}

#[test]
fn a_token_is_the_one_that_botocore_signs() {
    let aws = Aws::start();
    let time = 1_790_000_000;
    let key = &aws.environment();
    let sdk = sdk(&aws.endpoint, &key[1].1, &key[2].1).into_builder();
    let sdk = sdk.time_source(StaticTimeSource::new(UNIX_EPOCH + Duration::from_secs(time))).build();
    let account = Account::from_sdk(sdk).unwrap();
    let host = "shop.abc.eu-central-1.rds.amazonaws.com";
    for user in ["app", "Jörg & Söhne=+/%"] {
        let ours = account.iam_token(host, 5433, user).unwrap();
        let theirs = aws.token(host, 5433, user, time);
        assert_eq!(sorted(&ours), sorted(&theirs));
        assert!(ours.starts_with(&format!("{host}:5433/?Action=connect&DBUser=")), "{ours}");
        assert!(ours.contains("X-Amz-Expires=900"), "{ours}");
    }
    let e = account.iam_token("/var/run/postgresql", 5432, "app").unwrap_err();
    says(&e, CloudErrorKind::Unfit, &["not a DNS name"]);
}

/// The order of parameters in a query means nothing.
fn sorted(token: &str) -> Vec<&str> {
    let mut parts: Vec<_> = token.split(['?', '&']).collect();
    parts.sort_unstable();
    parts
}

/// A chain of credentials that has none.
#[derive(Debug)]
struct Nothing;

impl aws_credential_types::provider::ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none = aws_credential_types::provider::error::CredentialsError::not_loaded_no_source();
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
    }
}
