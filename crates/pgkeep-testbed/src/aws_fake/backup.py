"""AWS Backup: vaults, plans, selections; jobs that take their time, run by the plans' own schedules or on demand.

States and refusals are those of the AWS Backup API reference and of its developer guide.
"""

import datetime
import json
import re
import uuid

from common import Refused

ACCOUNT = "123456789012"
INVALID, MISSING, NOT_FOUND = "InvalidParameterValueException", "MissingParameterValueException", "ResourceNotFoundException"


class Backup:
    def __init__(self, fake):
        self.fake = fake
        self.vaults, self.plans, self.points, self.jobs, self.copies, self.restores = {}, {}, {}, {}, {}, {}
        # How long things take, in seconds of the test's clock.
        self.start_seconds, self.backup_seconds, self.copy_seconds, self.restore_seconds = 300, 1200, 900, 1800
        # What becomes of the next jobs: "fail", "expire" (does not begin in its window), "abort", or [state, message].
        self.fates = []
        # By idempotency token: what was answered.
        self.answered = {}

    def now(self):
        return self.fake.now

    def later(self, seconds):
        return self.fake.now + datetime.timedelta(seconds=seconds)

    def arn(self, region, what):
        return f"arn:aws:backup:{region}:{ACCOUNT}:{what}"

    # Orders of the test.

    def order_job(self, region, vault, resource, plan, rule, resource_type="RDS", continuous=False, days=None):
        """What AWS does when a rule's time has come."""
        return self.begin(region, vault, resource, resource_type, continuous, days, {
            "BackupPlanId": plan, "BackupPlanArn": self.arn(region, f"backup-plan:{plan}"), "BackupRuleId": "r",
            "BackupRuleName": rule})

    def order_state(self):
        self.settle()
        return {name: list(getattr(self, name).values()) for name in ("vaults", "plans", "points", "jobs", "copies", "restores")}

    # What time brings.

    def begin(self, region, vault, resource, resource_type, continuous, days, creator=None):
        fate = self.fates.pop(0) if self.fates else None
        job = str(uuid.uuid4()).upper()
        self.jobs[job] = {
            "id": job, "region": region, "vault": vault, "resource": resource, "type": resource_type, "began": self.now(),
            "starts": self.later(self.start_seconds), "ends": self.later(self.start_seconds + self.backup_seconds),
            "start_by": self.later(3600), "fate": fate, "creator": creator, "continuous": continuous, "days": days,
            "point": None}
        return job

    def state(self, job):
        now, fate = self.now(), job["fate"]
        if fate == "expire":
            return ("CREATED", None) if now < job["start_by"] else ("EXPIRED", "Backup job expired before it could start.")
        if now < job["starts"]:
            return "CREATED", None
        if now < job["ends"]:
            return "RUNNING", None
        if fate == "fail":
            return "FAILED", "Access Denied trying to call AWS Backup service"
        if fate == "abort":
            return "ABORTED", "Completion window exceeded"
        if fate:
            return tuple(fate)
        return "COMPLETED", None

    def settle(self):
        """Recovery points of jobs that are done come, those whose time is over go."""
        for job in self.jobs.values():
            if self.state(job)[0] == "COMPLETED" and job["point"] is None:
                kind = "continuous:" if job["continuous"] else ""
                job["point"] = self.arn(job["region"], f"recovery-point:{kind}{job['id']}")
                self.keep(job["point"], job["region"], job["vault"], job["resource"], job["type"], job["began"], job["days"],
                          job["creator"])
        for copy in self.copies.values():
            if copy["ends"] <= self.now() and copy["fate"] is None and not copy["done"]:
                source, to = self.points[copy["source"]], copy["to"].split(":")
                copy["done"] = True
                self.keep(copy["made"], to[3], to[6], source["resource"], source["type"], source["made"], copy["days"], None)
        for arn in [a for a, p in self.points.items() if p["delete_at"] and p["delete_at"] <= self.now() and not p["stuck"]]:
            del self.points[arn]

    def keep(self, arn, region, vault, resource, resource_type, made, days, creator):
        delete_at = made + datetime.timedelta(days=days) if days else None
        self.points[arn] = {"arn": arn, "region": region, "vault": vault, "resource": resource, "type": resource_type,
                            "made": made, "delete_at": delete_at, "creator": creator, "days": days, "stuck": False}

    def vault(self, region, name):
        if (region, name) not in self.vaults:
            # As AWS has it, which does not tell what there is.
            raise Refused("AccessDeniedException", "Insufficient privileges to perform this action.", 403)
        return self.vaults[region, name]

    def plan(self, region, plan):
        if (region, plan) not in self.plans:
            raise Refused(NOT_FOUND, f"Cannot find backup plan {plan}")
        return self.plans[region, plan]

    def once(self, token, make):
        if token and token in self.answered:
            return self.answered[token]
        answer = make()
        if token:
            self.answered[token] = answer
        return answer

    # Vaults.

    def CreateBackupVault(self, region, BackupVaultName, EncryptionKeyArn=None, BackupVaultTags=None, CreatorRequestId=None):
        if (region, BackupVaultName) in self.vaults:
            raise Refused("AlreadyExistsException", f"Backup vault with the same name already exists: {BackupVaultName}")
        self.vaults[region, BackupVaultName] = {
            "name": BackupVaultName, "region": region, "made": self.now(), "tags": BackupVaultTags or {}, "policy": None,
            "key": EncryptionKeyArn or f"arn:aws:kms:{region}:{ACCOUNT}:key/aws-backup", "lock": None}
        return {"BackupVaultName": BackupVaultName, "BackupVaultArn": self.arn(region, f"backup-vault:{BackupVaultName}"),
                "CreationDate": self.now()}

    def DescribeBackupVault(self, region, BackupVaultName, BackupVaultAccountId=None):
        vault, lock = self.vault(region, BackupVaultName), self.vault(region, BackupVaultName)["lock"] or {}
        self.settle()
        told = {"BackupVaultName": BackupVaultName, "BackupVaultArn": self.arn(region, f"backup-vault:{BackupVaultName}"),
                "EncryptionKeyArn": vault["key"], "CreationDate": vault["made"], "Locked": vault["lock"] is not None,
                "NumberOfRecoveryPoints": sum((p["region"], p["vault"]) == (region, BackupVaultName) for p in self.points.values())}
        return told | {k: lock[k] for k in ("MinRetentionDays", "MaxRetentionDays", "LockDate") if lock.get(k)}

    def ListBackupVaults(self, region, **_):
        return {"BackupVaultList": [{"BackupVaultName": name} for where, name in self.vaults if where == region]}

    def PutBackupVaultLockConfiguration(self, region, BackupVaultName, MinRetentionDays=None, MaxRetentionDays=None,
                                        ChangeableForDays=None):
        vault = self.vault(region, BackupVaultName)
        if vault["lock"] and vault["lock"].get("LockDate") and vault["lock"]["LockDate"] <= self.now():
            raise Refused("InvalidRequestException", "Backup vault lock configuration cannot be changed after the lock date")
        if ChangeableForDays is not None and ChangeableForDays < 3:
            raise Refused(INVALID, "ChangeableForDays must be at least 3")
        vault["lock"] = {"MinRetentionDays": MinRetentionDays, "MaxRetentionDays": MaxRetentionDays,
                         "LockDate": ChangeableForDays and self.later(86400 * ChangeableForDays)}

    def DeleteBackupVaultLockConfiguration(self, region, BackupVaultName):
        vault = self.vault(region, BackupVaultName)
        if vault["lock"] and vault["lock"]["LockDate"]:
            raise Refused("InvalidRequestException", "Backup vault lock configuration cannot be deleted after the lock date")
        vault["lock"] = None

    def GetBackupVaultAccessPolicy(self, region, BackupVaultName):
        vault = self.vault(region, BackupVaultName)
        if vault["policy"] is None:
            raise Refused(NOT_FOUND, "No policy is attached to this vault")
        return {"BackupVaultName": BackupVaultName, "Policy": vault["policy"],
                "BackupVaultArn": self.arn(region, f"backup-vault:{BackupVaultName}")}

    def PutBackupVaultAccessPolicy(self, region, BackupVaultName, Policy=None):
        self.vault(region, BackupVaultName)["policy"] = json.dumps(json.loads(Policy), indent=1)

    def DeleteBackupVaultAccessPolicy(self, region, BackupVaultName):
        self.vault(region, BackupVaultName)["policy"] = None

    # Plans and selections.

    def check_plan(self, region, plan):
        for rule in plan["Rules"]:
            start, complete = rule.get("StartWindowMinutes", 480), rule.get("CompletionWindowMinutes", 10080)
            days = rule.get("Lifecycle", {})
            if start < 60 or complete < start + 60:
                raise Refused(INVALID, "Start or completion window is too short")
            if not re.fullmatch(r"cron\(.*\)", rule.get("ScheduleExpression", "cron()")):
                raise Refused(INVALID, "Invalid cron expression")
            cold, delete = days.get("MoveToColdStorageAfterDays"), days.get("DeleteAfterDays")
            if cold and delete and delete < cold + 90:
                raise Refused(INVALID, "DeleteAfterDays must be at least 90 days after MoveToColdStorageAfterDays")
            if rule.get("EnableContinuousBackup") and (cold or not delete or delete > 35):
                raise Refused(INVALID, "Lifecycle is not valid for continuous backups")
            self.vault(region, rule["TargetBackupVaultName"])

    def CreateBackupPlan(self, region, BackupPlan, BackupPlanTags=None, CreatorRequestId=None):
        self.check_plan(region, BackupPlan)
        if any(p["plan"]["BackupPlanName"] == BackupPlan["BackupPlanName"] and p["region"] == region for p in self.plans.values()):
            raise Refused("AlreadyExistsException", "Backup plan with the same plan document already exists")
        plan = str(uuid.uuid4())
        self.plans[region, plan] = {"id": plan, "region": region, "plan": BackupPlan, "made": self.now(), "version": 1,
                                    "tags": BackupPlanTags or {}, "selections": {}}
        return {"BackupPlanId": plan, "BackupPlanArn": self.arn(region, f"backup-plan:{plan}"), "CreationDate": self.now(),
                "VersionId": "1"}

    def UpdateBackupPlan(self, region, BackupPlanId, BackupPlan):
        self.check_plan(region, BackupPlan)
        plan = self.plan(region, BackupPlanId)
        plan["plan"], plan["version"] = BackupPlan, plan["version"] + 1
        return {"BackupPlanId": BackupPlanId, "VersionId": str(plan["version"])}

    def ListBackupPlans(self, region, NextToken=None, MaxResults=None, IncludeDeleted=None):
        return {"BackupPlansList": [{"BackupPlanId": p["id"], "BackupPlanName": p["plan"]["BackupPlanName"],
                                     "CreationDate": p["made"]} for p in self.plans.values() if p["region"] == region]}

    def GetBackupPlan(self, region, BackupPlanId, VersionId=None, MaxScheduledRunsPreview=None):
        plan = self.plan(region, BackupPlanId)
        rules = [{"RuleId": f"r{i}", "ScheduleExpressionTimezone": "Etc/UTC"} | rule for i, rule in enumerate(plan["plan"]["Rules"])]
        return {"BackupPlan": plan["plan"] | {"Rules": rules}, "BackupPlanId": BackupPlanId, "CreationDate": plan["made"],
                "BackupPlanArn": self.arn(region, f"backup-plan:{BackupPlanId}"), "VersionId": str(plan["version"])}

    def CreateBackupSelection(self, region, BackupPlanId, BackupSelection, CreatorRequestId=None):
        plan, selection = self.plan(region, BackupPlanId), str(uuid.uuid4())
        if not BackupSelection["IamRoleArn"].startswith("arn:"):
            raise Refused(INVALID, "Invalid IAM role")
        if not any(BackupSelection.get(k) for k in ("Resources", "ListOfTags", "Conditions")):
            raise Refused(MISSING, "Resources, ListOfTags or Conditions must be given")
        plan["selections"][selection] = BackupSelection
        return {"SelectionId": selection, "BackupPlanId": BackupPlanId, "CreationDate": self.now()}

    def ListBackupSelections(self, region, BackupPlanId, NextToken=None, MaxResults=None):
        selections = self.plan(region, BackupPlanId)["selections"]
        return {"BackupSelectionsList": [{"SelectionId": i, "SelectionName": s["SelectionName"], "BackupPlanId": BackupPlanId}
                                         for i, s in selections.items()]}

    def GetBackupSelection(self, region, BackupPlanId, SelectionId):
        selections = self.plan(region, BackupPlanId)["selections"]
        if SelectionId not in selections:
            raise Refused(NOT_FOUND, "Cannot find the selection")
        return {"BackupSelection": selections[SelectionId], "SelectionId": SelectionId, "BackupPlanId": BackupPlanId}

    def DeleteBackupSelection(self, region, BackupPlanId, SelectionId):
        if self.plan(region, BackupPlanId)["selections"].pop(SelectionId, None) is None:
            raise Refused(NOT_FOUND, "Cannot find the selection")

    # Jobs.

    def StartBackupJob(self, region, BackupVaultName, ResourceArn, IamRoleArn, IdempotencyToken=None, Lifecycle=None, **_):
        self.vault(region, BackupVaultName)
        kind = "Aurora" if ":cluster:" in ResourceArn else "RDS"
        days = (Lifecycle or {}).get("DeleteAfterDays")
        return self.once(IdempotencyToken, lambda: {
            "BackupJobId": self.begin(region, BackupVaultName, ResourceArn, kind, False, days), "CreationDate": self.now()})

    def tell_job(self, job):
        state, message = self.state(job)
        done = state not in ("CREATED", "RUNNING")
        percent = 0 if state == "CREATED" else 100 if done else int(
            100 * (self.now() - job["starts"]).total_seconds() / max(1, (job["ends"] - job["starts"]).total_seconds()))
        told = {"BackupJobId": job["id"], "BackupVaultName": job["vault"], "ResourceArn": job["resource"],
                "ResourceType": job["type"], "State": state, "CreationDate": job["began"], "StartBy": job["start_by"],
                "PercentDone": f"{percent}.0", "BackupSizeInBytes": 20 << 30,
                "BackupVaultArn": self.arn(job["region"], f"backup-vault:{job['vault']}")}
        return told | ({"StatusMessage": message} if message else {}) | ({"CompletionDate": job["ends"]} if done else {}) | (
            {"RecoveryPointArn": job["point"]} if job["point"] else {}) | ({"CreatedBy": job["creator"]} if job["creator"] else {})

    def DescribeBackupJob(self, region, BackupJobId):
        self.settle()
        if BackupJobId not in self.jobs:
            raise Refused(NOT_FOUND, "Cannot find the backup job")
        return self.tell_job(self.jobs[BackupJobId])

    def ListBackupJobs(self, region, ByBackupVaultName=None, ByCreatedAfter=None, NextToken=None, **_):
        self.settle()
        after = ByCreatedAfter and ByCreatedAfter.replace(tzinfo=datetime.timezone.utc)
        found = [j for j in self.jobs.values() if j["region"] == region and ByBackupVaultName in (None, j["vault"]) and
                 (after is None or j["began"] >= after)]
        found.sort(key=lambda j: j["began"], reverse=True)
        # Pages of three, so that nobody gets away with the first.
        start = int(NextToken or 0)
        told = {"BackupJobs": [self.tell_job(j) for j in found[start:start + 3]]}
        return told | ({"NextToken": str(start + 3)} if start + 3 < len(found) else {})

    def StartCopyJob(self, region, RecoveryPointArn, SourceBackupVaultName, DestinationBackupVaultArn, IamRoleArn,
                     IdempotencyToken=None, Lifecycle=None):
        self.settle()
        if RecoveryPointArn not in self.points:
            raise Refused(NOT_FOUND, "Cannot find the recovery point")

        def make():
            copy, to = str(uuid.uuid4()).upper(), DestinationBackupVaultArn.split(":")
            fate = self.fates.pop(0) if self.fates else None
            self.copies[copy] = {
                "id": copy, "source": RecoveryPointArn, "from": SourceBackupVaultName, "to": DestinationBackupVaultArn,
                "region": region, "began": self.now(), "ends": self.later(self.copy_seconds), "fate": fate, "done": False,
                "days": (Lifecycle or {}).get("DeleteAfterDays"), "made": self.arn(to[3], f"recovery-point:{copy}")}
            return {"CopyJobId": copy, "CreationDate": self.now()}
        return self.once(IdempotencyToken, make)

    def DescribeCopyJob(self, region, CopyJobId):
        self.settle()
        if CopyJobId not in self.copies:
            raise Refused(NOT_FOUND, "Cannot find the copy job")
        copy = self.copies[CopyJobId]
        over = copy["ends"] <= self.now()
        state = "RUNNING" if not over else "FAILED" if copy["fate"] else "COMPLETED"
        told = {"CopyJobId": CopyJobId, "SourceRecoveryPointArn": copy["source"], "CreationDate": copy["began"], "State": state,
                "DestinationBackupVaultArn": copy["to"], "ResourceArn": self.points.get(copy["source"], {}).get("resource", "")}
        told |= {"StatusMessage": "Access denied to the destination vault"} if state == "FAILED" else {}
        return {"CopyJob": told | ({"DestinationRecoveryPointArn": copy["made"]} if copy["done"] else {})}

    # Recovery points and restores.

    def ListRecoveryPointsByBackupVault(self, region, BackupVaultName, ByResourceArn=None, **_):
        self.vault(region, BackupVaultName)
        self.settle()
        told = []
        for p in self.points.values():
            if (p["region"], p["vault"]) == (region, BackupVaultName) and ByResourceArn in (None, p["resource"]):
                lifecycle = {"DeleteAt": p["delete_at"]} if p["delete_at"] else {}
                told.append({"RecoveryPointArn": p["arn"], "BackupVaultName": p["vault"], "ResourceArn": p["resource"],
                             "ResourceType": p["type"], "Status": "EXPIRED" if p["stuck"] else "COMPLETED",
                             "CreationDate": p["made"], "BackupSizeInBytes": 20 << 30, "CalculatedLifecycle": lifecycle} |
                            ({"CreatedBy": p["creator"]} if p["creator"] else {}))
        return {"RecoveryPoints": told}

    def GetRecoveryPointRestoreMetadata(self, region, BackupVaultName, RecoveryPointArn, BackupVaultAccountId=None):
        self.settle()
        if RecoveryPointArn not in self.points:
            raise Refused(NOT_FOUND, "Cannot find the recovery point")
        point = self.points[RecoveryPointArn]
        name = point["resource"].rsplit(":", 1)[1]
        cluster = point["type"] == "Aurora"
        metadata = {"DBClusterIdentifier": name, "Engine": "aurora-postgresql"} if cluster else {
            "DBInstanceIdentifier": name, "DBInstanceClass": "db.m5.large", "Engine": "postgres", "MultiAZ": "true"}
        metadata |= {"DBSubnetGroupName": "default", "VpcSecurityGroupIds": '["sg-1"]', "Port": "5432"}
        return {"RecoveryPointArn": RecoveryPointArn, "RestoreMetadata": metadata, "ResourceType": point["type"],
                "BackupVaultArn": self.arn(region, f"backup-vault:{BackupVaultName}")}

    def StartRestoreJob(self, region, RecoveryPointArn, Metadata, IamRoleArn=None, IdempotencyToken=None, ResourceType=None, **_):
        self.settle()
        if RecoveryPointArn not in self.points:
            raise Refused(NOT_FOUND, "Cannot find the recovery point")
        point = self.points[RecoveryPointArn]
        timed = {"RestoreTime", "UseLatestRestorableTime"} & set(Metadata)
        if timed and ":continuous:" not in RecoveryPointArn:
            raise Refused(INVALID, "Restore time is valid for continuous recovery points only")

        def make():
            job = str(uuid.uuid4()).upper()
            fate = self.fates.pop(0) if self.fates else None
            noun, kind = ("DBClusterIdentifier", "cluster") if point["type"] == "Aurora" else ("DBInstanceIdentifier", "db")
            self.restores[job] = {
                "id": job, "point": RecoveryPointArn, "metadata": Metadata, "began": self.now(), "fate": fate, "region": region,
                "ends": self.later(self.restore_seconds), "name": Metadata[noun], "kind": kind, "role": IamRoleArn, "done": False}
            return {"RestoreJobId": job}
        return self.once(IdempotencyToken, make)

    def DescribeRestoreJob(self, region, RestoreJobId):
        if RestoreJobId not in self.restores:
            raise Refused(NOT_FOUND, "Cannot find the restore job")
        job = self.restores[RestoreJobId]
        over = job["ends"] <= self.now()
        state = "RUNNING" if not over else "FAILED" if job["fate"] else "COMPLETED"
        told = {"RestoreJobId": RestoreJobId, "RecoveryPointArn": job["point"], "CreationDate": job["began"], "Status": state,
                "PercentDone": "100.00%" if over else "40.00%"}
        if state == "FAILED":
            told["StatusMessage"] = "The DB subnet group does not exist"
        if state == "COMPLETED":
            if not job["done"]:
                job["done"] = True
                self.fake.services["rds"].order_database(
                    region, job["name"].lower(), kind="cluster" if job["kind"] == "cluster" else "instance",
                    endpoint=tuple(self.fake.services["rds"].place))
            told |= {"CreatedResourceArn": f"arn:aws:rds:{region}:{ACCOUNT}:{job['kind']}:{job['name']}", "CompletionDate": job["ends"]}
        return told
