//! Those who look on: each is a [`Watcher`](crate::Watcher).

mod audit;
mod cloudwatch;
mod log;
mod notify;
mod telemetry;

pub use audit::AuditLog;
pub use cloudwatch::CloudWatch;
pub use log::RunLog;
pub use notify::Notifier;
pub use telemetry::Telemetry;
