//! An account of the scripted AWS, whose clock goes on while somebody waits.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::{Account, Rds, Tags};
use pgkeep_snapshots::{CreateOrder, Created, Pace, Result, Step, Windows, create};
use pgkeep_testbed::AwsFake;
use serde_json::{Value, json};

pub const HERE: &str = "eu-central-1";
pub const THERE: &str = "us-west-2";
pub const KEY_THERE: &str = "arn:aws:kms:us-west-2:123456789012:key/there";

pub struct Cloud {
    fake: AwsFake,
    now: AtomicI64,
    pub here: Rds,
    pub there: Rds,
    /// What was told, a line each.
    pub told: Mutex<Vec<String>>,
    /// Waits after which the user stops; negative for never.
    pub stop_after: AtomicI64,
    pub poll: Duration,
}

impl Cloud {
    pub fn begin(at: &str) -> Cloud {
        let fake = AwsFake::start();
        let now: Timestamp = at.parse().unwrap();
        let rds = |region: &'static str| {
            let loader = aws_config::defaults(BehaviorVersion::latest())
                .endpoint_url(fake.endpoint())
                .region(Region::new(region))
                .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"));
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            Account::from_sdk(runtime.block_on(loader.load())).unwrap().rds_snapshots()
        };
        let (here, there) = (rds(HERE), rds(THERE));
        let cloud = Cloud {
            fake,
            now: AtomicI64::new(now.as_second()),
            here,
            there,
            told: Mutex::default(),
            stop_after: AtomicI64::new(-1),
            poll: Duration::from_secs(60),
        };
        cloud.order(json!({ "do": "set", "now": now.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string() }));
        cloud
    }

    /// With an instance `shop` of PostgreSQL, 2026-11-20, 2 o'clock.
    pub fn with_shop() -> Cloud {
        let cloud = Cloud::begin("2026-11-20T02:00:00Z");
        cloud.database(json!({ "name": "shop" }));
        cloud
    }

    pub fn order(&self, order: Value) -> Value {
        serde_json::from_str(&self.fake.order(&order.to_string())).unwrap()
    }

    /// Makes an instance or cluster here; its identity.
    pub fn database(&self, mut fields: Value) -> String {
        fields["do"] = "database".into();
        fields["region"] = HERE.into();
        self.order(fields).as_str().unwrap().to_owned()
    }

    /// The instance goes through these states, at so many seconds from now.
    pub fn states(&self, states: Value) {
        self.order(json!({ "do": "states", "region": HERE, "name": "shop", "states": states }));
    }

    pub fn fault(&self, operation: &str, fault: Value) {
        let mut order = json!({ "do": "fault", "operation": operation });
        order.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        self.order(order);
    }

    /// The next snapshots or copies come to this end: "fail", "vanish", or null.
    pub fn fates(&self, fates: Value) {
        self.order(json!({ "do": "set", "rds.fates": fates }));
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.now.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
        self.order(json!({ "do": "advance", "seconds": seconds }));
    }

    /// Does the work while time passes.
    pub fn at_pace<T>(&self, work: impl FnOnce(&Pace<'_>) -> T) -> T {
        let now = || self.now();
        let pause = |time: Duration| {
            if self.stop_after.load(Ordering::SeqCst) == 0 {
                return false;
            }
            self.stop_after.fetch_sub(1, Ordering::SeqCst);
            self.advance(time.as_secs().try_into().unwrap());
            true
        };
        let told = |step: &Step<'_>| {
            let percent = step.percent.map(|p| format!(" {p}")).unwrap_or_default();
            self.told.lock().unwrap().push(format!("{} {}{percent}", step.what, step.status));
        };
        work(&Pace { poll: self.poll, now: &now, pause: &pause, told: &told })
    }

    pub fn create(&self, name: &str) -> Result<Created> {
        self.create_within(name, Windows::default())
    }

    pub fn create_within(&self, name: &str, windows: Windows) -> Result<Created> {
        let order = CreateOrder { at: self.now(), windows, tags: Tags::new() };
        self.create_by(name, &order)
    }

    pub fn create_by(&self, name: &str, order: &CreateOrder) -> Result<Created> {
        self.at_pace(|pace| create(&self.here, name, order, pace))
    }

    /// Everything that is in a region, as the fake itself knows it.
    pub fn snapshots(&self, region: &str) -> Vec<Value> {
        self.order(json!({ "do": "snapshots", "region": region })).as_array().unwrap().clone()
    }

    pub fn names(&self, region: &str) -> Vec<String> {
        self.snapshots(region).iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The operations since the last call of this.
    pub fn calls(&self, operation: &str) -> usize {
        let calls = self.order(json!({ "do": "calls" }));
        calls.as_array().unwrap().iter().filter(|c| c["operation"] == operation).count()
    }
}

pub fn within(start: Option<i64>, completion: Option<i64>) -> Windows {
    Windows {
        start: start.map(SignedDuration::from_mins),
        completion: completion.map(SignedDuration::from_mins),
    }
}
