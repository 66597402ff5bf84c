//! Where the password comes from, on the command line. The password itself never stands there: every user of the
//! machine could read it.

use std::path::PathBuf;

use clap::Args;

use super::command::Argv;
use super::password::PasswordSource;
use crate::failure::{Failure, Result};

/// Where the password of a database comes from.
#[derive(Args, Default)]
pub(crate) struct PasswordFlags {
    /// Take the password from the first line of this file
    #[arg(long, value_name = "FILE", env = "PGKEEP_PASSWORD_FILE", help_heading = "Password")]
    password_file: Option<PathBuf>,
    /// Take it from the first line that this command (for sh -c) prints
    #[arg(
        long,
        value_name = "COMMAND",
        env = "PGKEEP_PASSWORD_COMMAND",
        hide_env_values = true,
        help_heading = "Password"
    )]
    password_command: Option<String>,
    /// Take it from this secret of AWS Secrets Manager; one as RDS writes it also gives user, host, port and database
    #[arg(long, value_name = "NAME", env = "PGKEEP_PASSWORD_SECRET", help_heading = "Password")]
    password_secret: Option<String>,
    /// Take it from this parameter of AWS Systems Manager
    #[arg(long, value_name = "NAME", env = "PGKEEP_PASSWORD_PARAMETER", help_heading = "Password")]
    password_parameter: Option<String>,
    /// Log in to RDS by IAM: a new token for each connection
    #[arg(long, env = "PGKEEP_IAM_AUTH", help_heading = "Password")]
    iam_auth: bool,
    /// AWS region of what is named here and of rds: names [default: AWS's own settings]
    #[arg(long, env = "PGKEEP_REGION", help_heading = "Password")]
    pub(super) region: Option<String>,
}

impl PasswordFlags {
    /// The one source that is named, if any.
    pub(super) fn source(&self) -> Result<Option<PasswordSource>> {
        let region = &self.region;
        let named = [
            self.password_file.clone().map(|file| PasswordSource::File { file }),
            self.password_command.clone().map(|c| PasswordSource::Command { command: Argv::Shell(c) }),
            self.password_secret
                .clone()
                .map(|secret| PasswordSource::Secret { secret, region: region.clone() }),
            self.password_parameter
                .clone()
                .map(|parameter| PasswordSource::Parameter { parameter, region: region.clone() }),
            self.iam_auth.then(|| PasswordSource::Iam { iam: true, region: region.clone() }),
        ];
        let mut named = named.into_iter().flatten();
        let first = named.next();
        if named.next().is_some() {
            return Err(Failure::usage(
                "more than one source of the password is named\n  hint: give one of --password-file, \
                 --password-command, --password-secret, --password-parameter and --iam-auth",
            ));
        }
        Ok(first)
    }
}
