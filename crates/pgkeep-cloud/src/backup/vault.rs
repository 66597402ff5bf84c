//! Vaults.

use std::collections::BTreeMap;

use super::{Backup, Lock, Vault};
use crate::error::{CloudErrorKind, Result};
use crate::request::{answer, empty, found, text};

impl Backup {
    /// The vault of this name with its lock and policy; `None` where there is none.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn vault(&self, name: &str) -> Result<Option<Vault>> {
        let asked = self.asked(&format!("vault {name}"), "backup:DescribeBackupVault");
        let described = answer(asked, self.client.describe_backup_vault().backup_vault_name(name).send());
        let vault = match described {
            // That is AWS's answer also where there is no such vault.
            Err(e) if e.kind == CloudErrorKind::Denied && !self.has_vault(name)? => return Ok(None),
            described => match found(described)? {
                Some(vault) => vault,
                None => return Ok(None),
            },
        };
        let asked = self.asked(&format!("policy of vault {name}"), "backup:GetBackupVaultAccessPolicy");
        let policy =
            answer(asked, self.client.get_backup_vault_access_policy().backup_vault_name(name).send());
        let locked_for_good_at = vault.lock_date().map(aws_smithy_types::DateTime::secs);
        let lock = Lock {
            min_days: vault.min_retention_days(),
            max_days: vault.max_retention_days(),
            changeable_for_days: None,
        };
        Ok(Some(Vault {
            name: text(vault.backup_vault_name()),
            arn: text(vault.backup_vault_arn()),
            key: vault.encryption_key_arn().map(str::to_owned),
            lock: vault.locked().unwrap_or(false).then_some(lock),
            locked_for_good_at,
            policy: found(policy)?.and_then(|p| p.policy().map(str::to_owned)),
            recovery_points: vault.number_of_recovery_points(),
        }))
    }

    fn has_vault(&self, name: &str) -> Result<bool> {
        let asked = self.asked("vaults", "backup:ListBackupVaults");
        let pages = self.client.list_backup_vaults().into_paginator().items().send();
        let vaults = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        Ok(vaults.iter().any(|vault| vault.backup_vault_name() == Some(name)))
    }

    /// Makes a vault; its ARN. One that is there already is as good.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn create_vault(
        &self,
        name: &str,
        key: Option<&str>,
        tags: &BTreeMap<String, String>,
    ) -> Result<String> {
        let asked = || self.asked(&format!("vault {name}"), "backup:CreateBackupVault");
        let request = self
            .client
            .create_backup_vault()
            .backup_vault_name(name)
            .set_encryption_key_arn(key.map(str::to_owned))
            .set_backup_vault_tags(super::plan::map(tags));
        match answer(asked(), request.send()) {
            Ok(made) => made.backup_vault_arn().map(str::to_owned).ok_or_else(|| empty(&asked())),
            Err(e) if e.kind == CloudErrorKind::Exists => self.vault(name)?.map(|vault| vault.arn).ok_or(e),
            Err(e) => Err(e),
        }
    }

    /// Sets a vault's access policy, JSON, or takes it away.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn set_vault_policy(&self, name: &str, policy: Option<&str>) -> Result<()> {
        let what = format!("policy of vault {name}");
        match policy {
            Some(policy) => {
                let request =
                    self.client.put_backup_vault_access_policy().backup_vault_name(name).policy(policy);
                answer(self.asked(&what, "backup:PutBackupVaultAccessPolicy"), request.send()).map(drop)
            }
            None => {
                let request = self.client.delete_backup_vault_access_policy().backup_vault_name(name);
                answer(self.asked(&what, "backup:DeleteBackupVaultAccessPolicy"), request.send()).map(drop)
            }
        }
    }

    /// Locks a vault, or takes the lock away. With `changeable_for_days` the lock is for good after those days.
    ///
    /// # Errors
    /// What AWS refuses: a lock for good whose days are over.
    pub fn set_vault_lock(&self, name: &str, lock: Option<Lock>) -> Result<()> {
        let what = format!("lock of vault {name}");
        match lock {
            Some(lock) => {
                let request = self
                    .client
                    .put_backup_vault_lock_configuration()
                    .backup_vault_name(name)
                    .set_min_retention_days(lock.min_days)
                    .set_max_retention_days(lock.max_days)
                    .set_changeable_for_days(lock.changeable_for_days);
                answer(self.asked(&what, "backup:PutBackupVaultLockConfiguration"), request.send()).map(drop)
            }
            None => {
                let request = self.client.delete_backup_vault_lock_configuration().backup_vault_name(name);
                answer(self.asked(&what, "backup:DeleteBackupVaultLockConfiguration"), request.send())
                    .map(drop)
            }
        }
    }
}
