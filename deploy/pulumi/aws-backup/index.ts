import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";

import { type Preset, type Rule, settle } from "./rules";

export type { CopyTo, Preset, Rule } from "./rules";

type Tags = Record<string, string>;

export interface AwsBackupArgs {
  /** The rules to begin with: `dev` (daily, kept 7 days), `prod` (daily and continuous, kept 35 days; weekly, kept 90). */
  preset?: Preset;
  /** Rules by name. */
  rules?: Record<string, Rule>;
  /** ARNs of what is backed up, such as `arn:aws:rds:*:*:db:*`. */
  resources?: pulumi.Input<string>[];
  /** ARNs of what is left out. */
  notResources?: pulumi.Input<string>[];
  /** Tags of which one is enough. */
  selectionTags?: Tags;
  /** Conditions on tags that all have to hold. */
  conditions?: { stringEquals?: Tags; stringNotEquals?: Tags; stringLike?: Tags; stringNotLike?: Tags };
  /** ARN of a customer's key; else AWS's own. */
  kmsKey?: pulumi.Input<string>;
  /** ARN of a role that is there already; else one is made. */
  role?: pulumi.Input<string>;
  /** The time zone of schedules. */
  timeZone?: string;
  /** A lock against deletion; with `changeableForDays` it is for good after those days. */
  vaultLock?: { minDays?: number; maxDays?: number; changeableForDays?: number };
  /** The vault's access policy, JSON. */
  accessPolicy?: pulumi.Input<string>;
  /** Tags of vault, plan and role. */
  tags?: Tags;
}

const POLICIES = ["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"];

/**
 * AWS Backup for databases: vault, plan, selection and role, the same as `pgkeep vault apply` makes. `name` is what names
 * begin with: `<name>-backup-vault`, `-backup-plan`, `-backup-selection`, `-backup-role`.
 */
export class AwsBackup extends pulumi.ComponentResource {
  readonly backupVault: aws.backup.Vault;
  readonly backupPlan: aws.backup.Plan;
  readonly backupSelection: aws.backup.Selection;
  readonly roleArn: pulumi.Output<string>;

  constructor(name: string, args: AwsBackupArgs, opts?: pulumi.ComponentResourceOptions) {
    super("pgkeep:aws:Backup", name, {}, opts);
    const parent = { parent: this };
    const conditions = args.conditions ?? {};
    const selects = (args.resources ?? []).length + Object.keys(args.selectionTags ?? {}).length
      + Object.keys(conditions.stringEquals ?? {}).length + Object.keys(conditions.stringLike ?? {}).length;
    if (selects === 0) throw new Error("nothing is selected: give resources, selectionTags or conditions");
    const rules = settle(args.preset, args.rules ?? {});

    this.backupVault = new aws.backup.Vault(`${name}-backup-vault`, {
      name: `${name}-backup-vault`, kmsKeyArn: args.kmsKey, tags: args.tags,
    }, parent);
    if (args.accessPolicy !== undefined) {
      new aws.backup.VaultPolicy(`${name}-backup-vault-policy`, {
        backupVaultName: this.backupVault.name, policy: args.accessPolicy,
      }, parent);
    }
    if (args.vaultLock) {
      new aws.backup.VaultLockConfiguration(`${name}-backup-vault-lock`, {
        backupVaultName: this.backupVault.name,
        minRetentionDays: args.vaultLock.minDays,
        maxRetentionDays: args.vaultLock.maxDays,
        changeableForDays: args.vaultLock.changeableForDays,
      }, parent);
    }
    this.roleArn = args.role === undefined ? this.makeRole(name, args.tags) : pulumi.output(args.role);

    this.backupPlan = new aws.backup.Plan(`${name}-backup-plan`, {
      name: `${name}-backup-plan`,
      tags: args.tags,
      rules: rules.map((rule) => ({
        ruleName: rule.name,
        targetVaultName: this.backupVault.name,
        schedule: rule.schedule,
        scheduleExpressionTimezone: args.timeZone ?? "UTC",
        startWindow: rule.startWindow,
        completionWindow: rule.completionWindow,
        enableContinuousBackup: rule.continuous,
        recoveryPointTags: rule.tags,
        lifecycle: { deleteAfter: rule.deleteAfter, coldStorageAfter: rule.coldAfter },
        copyActions: (rule.copy ?? []).map((copy) => ({
          destinationVaultArn: copy.vault,
          lifecycle: { deleteAfter: copy.deleteAfter, coldStorageAfter: copy.coldAfter },
        })),
      })),
    }, parent);

    const pairs = (tags?: Tags) => Object.entries(tags ?? {}).map(([key, value]) => ({
      // AWS wants the name of a tag with this before it in conditions, and without it among the selection's tags.
      key: key.includes(":") ? key : `aws:ResourceTag/${key}`, value,
    }));
    const any = Object.values(conditions).some((tags) => Object.keys(tags ?? {}).length > 0);
    this.backupSelection = new aws.backup.Selection(`${name}-backup-selection`, {
      name: `${name}-backup-selection`,
      planId: this.backupPlan.id,
      iamRoleArn: this.roleArn,
      resources: args.resources,
      notResources: args.notResources,
      selectionTags: Object.entries(args.selectionTags ?? {})
        .map(([key, value]) => ({ type: "STRINGEQUALS", key, value })),
      conditions: any ? [{
        stringEquals: pairs(conditions.stringEquals),
        stringNotEquals: pairs(conditions.stringNotEquals),
        stringLikes: pairs(conditions.stringLike),
        stringNotLikes: pairs(conditions.stringNotLike),
      }] : undefined,
    }, parent);

    this.registerOutputs({
      backupVault: this.backupVault, backupPlan: this.backupPlan, backupSelection: this.backupSelection,
    });
  }

  private makeRole(name: string, tags?: Tags): pulumi.Output<string> {
    const role = new aws.iam.Role(`${name}-backup-role`, {
      name: `${name}-backup-role`,
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [{ Effect: "Allow", Principal: { Service: "backup.amazonaws.com" }, Action: "sts:AssumeRole" }],
      }),
      tags,
    }, { parent: this });
    for (const policy of POLICIES) {
      new aws.iam.RolePolicyAttachment(`${name}-${policy}`, {
        role: role.name, policyArn: `arn:aws:iam::aws:policy/service-role/${policy}`,
      }, { parent: this });
    }
    return role.arn;
  }
}
