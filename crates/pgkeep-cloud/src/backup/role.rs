//! The role by which AWS Backup works.

use std::collections::BTreeMap;

use super::{Backup, Role};
use crate::error::{Asked, CloudErrorKind, Result};
use crate::request::{answer, empty, found, text};

impl Backup {
    /// The role of this name with its managed policies; `None` where there is none.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn role(&self, name: &str) -> Result<Option<Role>> {
        let got = answer(of_role(name, "iam:GetRole"), self.iam.get_role().role_name(name).send());
        let Some(role) = found(got)?.and_then(|got| got.role) else { return Ok(None) };
        let asked = of_role(name, "iam:ListAttachedRolePolicies");
        let pages = self.iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
        let policies = answer(asked, pages.collect::<std::result::Result<Vec<_>, _>>())?;
        Ok(Some(Role {
            name: role.role_name,
            arn: role.arn,
            // IAM gives it percent-encoded.
            trust: decoded(&text(role.assume_role_policy_document.as_deref())),
            policies: policies.iter().map(|p| text(p.policy_arn())).collect(),
        }))
    }

    /// Makes a role that AWS Backup can take; its ARN. One that is there already is as good.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn create_role(&self, name: &str, trust: &str, tags: &BTreeMap<String, String>) -> Result<String> {
        let mut request = self
            .iam
            .create_role()
            .role_name(name)
            .assume_role_policy_document(trust)
            .description("AWS Backup works by it; made by pgkeep");
        for (key, value) in tags {
            let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
            request = request.set_tags(None).tags(tag.map_err(|_| empty(&of_role(name, "iam:CreateRole")))?);
        }
        match answer(of_role(name, "iam:CreateRole"), request.send()) {
            Ok(made) => made.role.map(|role| role.arn).ok_or_else(|| empty(&of_role(name, "iam:CreateRole"))),
            Err(e) if e.kind == CloudErrorKind::Exists => self.role(name)?.map(|role| role.arn).ok_or(e),
            Err(e) => Err(e),
        }
    }

    /// Gives a role a managed policy.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn attach_policy(&self, role: &str, policy: &str) -> Result<()> {
        let request = self.iam.attach_role_policy().role_name(role).policy_arn(policy);
        answer(of_role(role, "iam:AttachRolePolicy"), request.send()).map(drop)
    }
}

/// Roles belong to no region.
fn of_role(name: &str, action: &'static str) -> Asked<'static> {
    Asked { what: format!("role {name}"), action }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
