//! Keys on the command line: whom backups are encrypted to, and whose keys read them.

use std::path::PathBuf;

use clap::Args;
use pgkeep_keep::encryption::{Identities, Recipients};

use crate::config::Settings;
use crate::failure::Result;

/// Whom to encrypt to: the options of what writes backups.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct EncryptFlags {
    /// Encrypt to this public key, age1…; whoever has the secret half of one of them reads the backup, this machine does
    /// not
    #[arg(long, value_name = "PUBLIC KEY")]
    encrypt_to: Vec<String>,
    /// Encrypt to the public keys in this file, one a line
    #[arg(long, value_name = "FILE")]
    encrypt_to_file: Vec<PathBuf>,
    /// Encrypt to this public key as well: the key that lies in a safe, for when the others are lost
    #[arg(long, value_name = "PUBLIC KEY")]
    recovery_recipient: Vec<String>,
}

impl EncryptFlags {
    /// What the configuration says.
    pub(crate) fn of(settings: &Settings) -> EncryptFlags {
        let words = |key: &str| settings.get(key).cloned().unwrap_or_default();
        EncryptFlags {
            encrypt_to: words("encrypt_to"),
            encrypt_to_file: words("encrypt_to_file").into_iter().map(PathBuf::from).collect(),
            recovery_recipient: words("recovery_recipient"),
        }
    }

    /// All of them; none means that nothing is encrypted.
    pub(crate) fn recipients(&self) -> Result<Recipients> {
        let mut recipients = Recipients::new();
        for word in self.encrypt_to.iter().chain(&self.recovery_recipient) {
            recipients.add(word)?;
        }
        for file in &self.encrypt_to_file {
            recipients.add_file(file)?;
        }
        Ok(recipients)
    }
}

/// What is wrong with having so many recipients.
pub(crate) fn warning(recipients: usize) -> Option<String> {
    (recipients == 1).then(|| {
        "there is one recipient alone: with its key lost, no backup can be read; add a second, --recovery-recipient, \
         whose secret half lies elsewhere"
            .into()
    })
}

/// Whose keys read what is encrypted: the options of what reads backups.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct IdentityFlags {
    /// Read encrypted backups with the secret keys in this file, as `pgkeep key new` or `age-keygen` made it
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl IdentityFlags {
    /// The secret keys.
    pub(crate) fn read(&self) -> Result<Identities> {
        Ok(Identities::read(&self.identity)?)
    }
}
