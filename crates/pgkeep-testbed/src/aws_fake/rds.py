"""RDS: instances and clusters in whatever state the test wants, snapshots and restores that take their time.

States and refusals are those of the RDS API reference ("CreateDBSnapshot" and so on) and of the RDS User Guide.
"""

import datetime

from common import Refused

ACCOUNT = "123456789012"
KINDS = {
    "instance": {
        "noun": "DBInstance", "id": "DBInstanceIdentifier", "resource": "DbiResourceId", "resource_prefix": "db-",
        "arn": "db", "state": "InvalidDBInstanceState", "missing": "DBInstanceNotFound", "exists": "DBInstanceAlreadyExists",
        "snapshot": "DBSnapshot", "snapshot_id": "DBSnapshotIdentifier", "snapshot_arn": "snapshot",
        "snapshot_missing": "DBSnapshotNotFound", "snapshot_exists": "DBSnapshotAlreadyExists",
        "snapshot_state": "InvalidDBSnapshotState", "encrypted": "Encrypted", "source": "SourceDBSnapshotIdentifier",
        "latest": "LatestRestorableTime", "status": "DBInstanceStatus",
    },
    "cluster": {
        "noun": "DBCluster", "id": "DBClusterIdentifier", "resource": "DbClusterResourceId", "resource_prefix": "cluster-",
        "arn": "cluster", "state": "InvalidDBClusterStateFault", "missing": "DBClusterNotFoundFault",
        "exists": "DBClusterAlreadyExistsFault",
        "snapshot": "DBClusterSnapshot", "snapshot_id": "DBClusterSnapshotIdentifier", "snapshot_arn": "cluster-snapshot",
        "snapshot_missing": "DBClusterSnapshotNotFoundFault", "snapshot_exists": "DBClusterSnapshotAlreadyExistsFault",
        "snapshot_state": "InvalidDBClusterSnapshotStateFault", "encrypted": "StorageEncrypted",
        "source": "SourceDBClusterSnapshotArn", "latest": "LatestRestorableTime", "status": "Status",
    },
}


class Rds:
    def __init__(self, fake):
        self.fake = fake
        self.databases, self.snapshots, self.exports = {}, {}, {}
        self.count = 0
        # How long things take, in seconds of the test's clock.
        self.snapshot_seconds, self.copy_seconds, self.export_seconds, self.restore_seconds = 300, 900, 1200, 600
        self.quota, self.page = 100, 100
        # What becomes of the next snapshot or copy: "fail" or "vanish" instead of being there in the end.
        self.fates = []
        # The states that the next restores come to instead of "available".
        self.restore_ends = []
        # Where restored databases are, as (host, port); the account's keys that cannot be used.
        self.place = ("127.0.0.1", 1)
        self.disabled_keys = []

    def arn(self, region, what, name):
        return f"arn:aws:rds:{region}:{ACCOUNT}:{what}:{name}"

    def later(self, seconds):
        return self.fake.now + datetime.timedelta(seconds=seconds)

    # Orders of the test.

    def order_database(self, region, name, kind="instance", **fields):
        self.count += 1
        words = KINDS[kind]
        self.databases[region, kind, name] = {
            "name": name, "kind": kind, "region": region, "resource": f"{words['resource_prefix']}{self.count:08X}",
            "engine": "postgres" if kind == "instance" else "aurora-postgresql", "retention": 7, "encrypted": False,
            "states": [(self.fake.now, "available")], "members": [], "cluster": None, "replica_of": None, "tags": {},
            "endpoint": (f"{name}.example.com", 5432), "class": "db.m5.large" if kind == "instance" else None,
        } | fields
        return self.databases[region, kind, name]["resource"]

    def order_states(self, region, name, states, kind="instance"):
        """States from now on, as [seconds from now, state]."""
        self.databases[region, kind, name]["states"] = [(self.later(s), state) for s, state in states]

    def order_drop(self, region, name, kind="instance"):
        del self.databases[region, kind, name]

    def order_snapshot(self, region, name, database, kind="instance", resource="db-FOREIGN", age=0, tags=None,
                       origin="manual", status="available"):
        """One that somebody else has made."""
        self.snapshots[region, kind, name] = {
            "name": name, "kind": kind, "region": region, "database": database, "resource": resource,
            "began": self.later(-age), "ends": self.later(-age), "fate": status if status == "failed" else None,
            "origin": origin, "encrypted": False, "key": None, "source": None, "engine": "postgres", "tags": tags or {},
            "shared": [], "verb": "creating", "foreign": True,
        }

    def order_tag(self, region, name, tags, kind="instance"):
        self.snapshots[region, kind, name]["tags"] |= tags

    def order_snapshots(self, region=None):
        self.vanish()
        return [s | {"status": self.snapshot_status(s)} for s in self.snapshots.values() if region in (None, s["region"])]

    def order_databases(self):
        self.vanish()
        return [d | {"status": self.status(d)} for d in self.databases.values()]

    # States.

    def status(self, database):
        status = [s for at, s in database["states"] if at <= self.fake.now][-1]
        busy = any(s["resource"] == database["resource"] and s["verb"] == "creating" and s["ends"] > self.fake.now
                   for s in self.snapshots.values())
        return "backing-up" if busy and status == "available" else status

    def snapshot_status(self, snapshot):
        if snapshot["ends"] > self.fake.now:
            return snapshot["verb"]
        return "failed" if snapshot["fate"] in ("fail", "failed") else "available"

    def vanish(self):
        gone = [k for k, s in self.snapshots.items() if s["fate"] == "vanish" and s["ends"] <= self.fake.now]
        for key in gone:
            del self.snapshots[key]
        for key in [k for k, d in self.databases.items() if self.status(d) == "gone"]:
            del self.databases[key]

    def database(self, region, kind, name):
        self.vanish()
        if (region, kind, name.lower()) not in self.databases:
            raise Refused(KINDS[kind]["missing"], f"{name} not found.", 404)
        return self.databases[region, kind, name.lower()]

    def snapshot(self, region, kind, name):
        self.vanish()
        if (region, kind, name) not in self.snapshots:
            raise Refused(KINDS[kind]["snapshot_missing"], f"{name} not found.", 404)
        return self.snapshots[region, kind, name]

    def restorable(self, database):
        latest = self.later(-300)
        return self.later(-86400 * database["retention"]), latest

    def need_key(self, region, key):
        if key in self.disabled_keys or (key.startswith("arn:") and key.split(":")[3] != region):
            raise Refused("KMSKeyNotAccessibleFault", f"The specified KMS key [{key}] does not exist, is not enabled or you "
                          "do not have permissions to access it.")

    # What is told.

    def tell_database(self, d):
        words, (host, port) = KINDS[d["kind"]], d["endpoint"]
        earliest, latest = self.restorable(d)
        told = {
            words["id"]: d["name"], words["noun"] + "Arn": self.arn(d["region"], words["arn"], d["name"]),
            words["resource"]: d["resource"], "Engine": d["engine"], words["status"]: self.status(d),
            "BackupRetentionPeriod": d["retention"], "PreferredBackupWindow": "02:00-03:00",
            "StorageEncrypted": d["encrypted"], "MasterUsername": "app",
            "TagList": [{"Key": k, "Value": v} for k, v in d["tags"].items()],
        }
        if d["retention"]:
            told["LatestRestorableTime"] = latest
        up = self.status(d) not in ("creating",)
        if d["kind"] == "instance":
            told["DBInstanceClass"] = d["class"]
            if up:
                told["Endpoint"] = {"Address": host, "Port": port}
            if d["cluster"]:
                told["DBClusterIdentifier"] = d["cluster"]
            if d["replica_of"]:
                told["ReadReplicaSourceDBInstanceIdentifier"] = d["replica_of"]
        else:
            told["DBClusterMembers"] = [{"DBInstanceIdentifier": m} for m in d["members"]]
            if d["retention"]:
                told["EarliestRestorableTime"] = earliest
            if up:
                told |= {"Endpoint": host, "Port": port}
        return told

    def tell_snapshot(self, s):
        words, status = KINDS[s["kind"]], self.snapshot_status(s)
        share = 1.0
        if s["ends"] > self.fake.now:
            share = (self.fake.now - s["began"]) / (s["ends"] - s["began"])
        told = {
            words["snapshot_id"]: s["name"], words["id"]: s["database"],
            words["snapshot"] + "Arn": self.arn(s["region"], words["snapshot_arn"], s["name"]),
            words["resource"]: s["resource"], "Engine": s["engine"], "Status": status, "PercentProgress": int(share * 100),
            "SnapshotType": s["origin"], words["encrypted"]: s["encrypted"], "AllocatedStorage": 20,
            "TagList": [{"Key": k, "Value": v} for k, v in s["tags"].items()],
        }
        if s["ends"] <= self.fake.now:
            told["SnapshotCreateTime"] = s["began"]
        if s["key"]:
            told["KmsKeyId"] = s["key"]
        if s["source"]:
            told[words["source"]] = s["source"]
        return told

    # Operations.

    def DescribeDBInstances(self, region, DBInstanceIdentifier):
        return {"DBInstances": [self.tell_database(self.database(region, "instance", DBInstanceIdentifier))]}

    def DescribeDBClusters(self, region, DBClusterIdentifier):
        return {"DBClusters": [self.tell_database(self.database(region, "cluster", DBClusterIdentifier))]}

    def DescribeDBInstanceAutomatedBackups(self, region, DbiResourceId):
        found = [d for (r, k, _), d in self.databases.items()
                 if (r, k, d["resource"]) == (region, "instance", DbiResourceId) and d["retention"]]
        windows = [self.restorable(d) for d in found]
        return {"DBInstanceAutomatedBackups": [{"RestoreWindow": {"EarliestTime": e, "LatestTime": l}} for e, l in windows]}

    def describe_snapshots(self, region, kind, name, database, origin, marker):
        self.vanish()
        if name:
            found = [self.snapshot(region, kind, name)]
        else:
            found = [s for (r, k, _), s in sorted(self.snapshots.items()) if (r, k) == (region, kind)
                     and database in (None, s["database"]) and origin in (None, s["origin"])]
        begin = int(marker or 0)
        page = {KINDS[kind]["snapshot"] + "s": [self.tell_snapshot(s) for s in found[begin:begin + self.page]]}
        if begin + self.page < len(found):
            page["Marker"] = str(begin + self.page)
        return page

    def DescribeDBSnapshots(self, region, DBSnapshotIdentifier=None, DBInstanceIdentifier=None, SnapshotType=None, Marker=None):
        return self.describe_snapshots(region, "instance", DBSnapshotIdentifier, DBInstanceIdentifier, SnapshotType, Marker)

    def DescribeDBClusterSnapshots(self, region, DBClusterSnapshotIdentifier=None, DBClusterIdentifier=None, SnapshotType=None,
                                   Marker=None):
        return self.describe_snapshots(region, "cluster", DBClusterSnapshotIdentifier, DBClusterIdentifier, SnapshotType, Marker)

    def new_snapshot(self, region, kind, name, seconds, **fields):
        if (region, kind, name) in self.snapshots:
            raise Refused(KINDS[kind]["snapshot_exists"], f"Cannot create the snapshot because one with the identifier {name} "
                          "already exists.")
        own = [s for (r, k, _), s in self.snapshots.items() if (r, k) == (region, kind) and s["origin"] == "manual"]
        if len(own) >= self.quota:
            raise Refused("SnapshotQuotaExceeded", f"You have reached the maximum of {self.quota} manual snapshots.")
        made = {"name": name, "kind": kind, "region": region, "began": self.fake.now, "ends": self.later(seconds),
                "fate": self.fates.pop(0) if self.fates else None, "origin": "manual", "key": None, "source": None,
                "shared": [], "foreign": False} | fields
        made["tags"] = {t["Key"]: t["Value"] for t in made["tags"] or []}
        self.snapshots[region, kind, name] = made
        return {KINDS[kind]["snapshot"]: self.tell_snapshot(made)}

    def create_snapshot(self, region, kind, name, database, tags):
        d = self.database(region, kind, database)
        if d["cluster"]:
            raise Refused("InvalidDBInstanceState", "The specified instance is a member of a cluster and a snapshot cannot be "
                          "created directly.")
        if (region, kind, name) not in self.snapshots and self.status(d) not in ("available", "storage-optimization"):
            raise Refused(KINDS[kind]["state"], f"{database} is not currently in the available state.")
        return self.new_snapshot(region, kind, name, self.snapshot_seconds, database=d["name"], resource=d["resource"],
                                 engine=d["engine"], encrypted=d["encrypted"], tags=tags, verb="creating",
                                 key=self.arn(region, "key", "own") if d["encrypted"] else None)

    def CreateDBSnapshot(self, region, DBSnapshotIdentifier, DBInstanceIdentifier, Tags=None):
        return self.create_snapshot(region, "instance", DBSnapshotIdentifier, DBInstanceIdentifier, Tags)

    def CreateDBClusterSnapshot(self, region, DBClusterSnapshotIdentifier, DBClusterIdentifier, Tags=None):
        return self.create_snapshot(region, "cluster", DBClusterSnapshotIdentifier, DBClusterIdentifier, Tags)

    def copy_snapshot(self, region, kind, source, name, key, copy_tags, tags):
        words, parts = KINDS[kind], source.split(":")
        origin = parts[3] if len(parts) > 1 else region
        s = self.snapshot(origin, kind, parts[-1])
        if self.snapshot_status(s) != "available":
            raise Refused(words["snapshot_state"], f"{parts[-1]} is not in the available state.")
        if s["encrypted"] and origin != region and not key:
            raise Refused("KMSKeyNotAccessibleFault", "A KMS key of the destination's region is needed.")
        if key:
            self.need_key(region, key)
        tags = (tags or []) + [{"Key": k, "Value": v} for k, v in s["tags"].items() if copy_tags]
        return self.new_snapshot(region, kind, name, self.copy_seconds, database=s["database"], resource=s["resource"],
                                 engine=s["engine"], encrypted=s["encrypted"] or bool(key), tags=tags, verb="copying",
                                 key=key or s["key"], source=self.arn(origin, words["snapshot_arn"], s["name"]))

    def CopyDBSnapshot(self, region, SourceDBSnapshotIdentifier, TargetDBSnapshotIdentifier, KmsKeyId=None, CopyTags=False,
                       Tags=None):
        return self.copy_snapshot(region, "instance", SourceDBSnapshotIdentifier, TargetDBSnapshotIdentifier, KmsKeyId, CopyTags,
                                  Tags)

    def CopyDBClusterSnapshot(self, region, SourceDBClusterSnapshotIdentifier, TargetDBClusterSnapshotIdentifier, KmsKeyId=None,
                              CopyTags=False, Tags=None):
        return self.copy_snapshot(region, "cluster", SourceDBClusterSnapshotIdentifier, TargetDBClusterSnapshotIdentifier,
                                  KmsKeyId, CopyTags, Tags)

    def delete_snapshot(self, region, kind, name):
        s = self.snapshot(region, kind, name)
        arn = self.arn(region, KINDS[kind]["snapshot_arn"], name)
        exported = any(e["source"] == arn and self.export_status(e) == "IN_PROGRESS" for e in self.exports.values())
        copied = any(o["source"] == arn and o["ends"] > self.fake.now for o in self.snapshots.values())
        if s["ends"] > self.fake.now or exported or copied:
            raise Refused(KINDS[kind]["snapshot_state"], f"Cannot delete the snapshot {name} because it is in use.")
        del self.snapshots[region, kind, name]
        return {KINDS[kind]["snapshot"]: self.tell_snapshot(s)}

    def DeleteDBSnapshot(self, region, DBSnapshotIdentifier):
        return self.delete_snapshot(region, "instance", DBSnapshotIdentifier)

    def DeleteDBClusterSnapshot(self, region, DBClusterSnapshotIdentifier):
        return self.delete_snapshot(region, "cluster", DBClusterSnapshotIdentifier)

    def share_snapshot(self, region, kind, name, accounts):
        s = self.snapshot(region, kind, name)
        if s["encrypted"] and (s["key"] or "").endswith("/aws/rds"):
            raise Refused(KINDS[kind]["snapshot_state"], "Sharing a snapshot that is encrypted by the default key is not allowed.")
        s["shared"] += accounts
        return {KINDS[kind]["snapshot"] + "AttributesResult": {KINDS[kind]["snapshot_id"]: name}}

    def ModifyDBSnapshotAttribute(self, region, DBSnapshotIdentifier, AttributeName, ValuesToAdd):
        return self.share_snapshot(region, "instance", DBSnapshotIdentifier, ValuesToAdd)

    def ModifyDBClusterSnapshotAttribute(self, region, DBClusterSnapshotIdentifier, AttributeName, ValuesToAdd):
        return self.share_snapshot(region, "cluster", DBClusterSnapshotIdentifier, ValuesToAdd)

    # Restores.

    def new_database(self, region, kind, name, source, tags, klass=None, **more):
        words = KINDS[kind]
        if (region, kind, name) in self.databases:
            raise Refused(words["exists"], f"{name} already exists.")
        end = self.restore_ends.pop(0) if self.restore_ends else "available"
        self.count += 1
        self.databases[region, kind, name] = {
            "name": name, "kind": kind, "region": region, "resource": f"{words['resource_prefix']}{self.count:08X}",
            "retention": 0, "encrypted": False, "members": [], "cluster": None, "replica_of": None, "endpoint": self.place,
            "engine": source["engine"], "tags": {t["Key"]: t["Value"] for t in tags or []}, "class": klass,
            "states": [(self.fake.now, "creating"), (self.later(self.restore_seconds), end)], "asked": more,
        }
        return {words["noun"]: self.tell_database(self.databases[region, kind, name])}

    def restorable_snapshot(self, region, kind, name):
        s = self.snapshot(region, kind, name)
        if self.snapshot_status(s) != "available":
            raise Refused(KINDS[kind]["snapshot_state"], f"{name} is not available.")
        return s

    def restorable_moment(self, region, kind, source, at, latest):
        d = self.database(region, kind, source)
        if not d["retention"]:
            raise Refused("PointInTimeRestoreNotEnabled" if kind == "instance" else "InvalidRestoreFault", "No backups.")
        if (at is None) != bool(latest):
            raise Refused("InvalidParameterCombination", "Either a time or the latest.")
        begin, end = (t.replace(tzinfo=None) for t in self.restorable(d))
        if at and not begin <= at <= end:
            raise Refused("InvalidParameterValue", f"{at} is not within the restorable window.")
        return d

    def RestoreDBInstanceFromDBSnapshot(self, region, DBInstanceIdentifier, DBSnapshotIdentifier, DBInstanceClass=None, Tags=None,
                                        **more):
        s = self.restorable_snapshot(region, "instance", DBSnapshotIdentifier)
        return self.new_database(region, "instance", DBInstanceIdentifier, s, Tags, DBInstanceClass or "db.m5.large", **more)

    def RestoreDBClusterFromSnapshot(self, region, DBClusterIdentifier, SnapshotIdentifier, Engine, Tags=None, **more):
        s = self.restorable_snapshot(region, "cluster", SnapshotIdentifier)
        return self.new_database(region, "cluster", DBClusterIdentifier, s, Tags, **more)

    def RestoreDBInstanceToPointInTime(self, region, SourceDBInstanceIdentifier, TargetDBInstanceIdentifier, RestoreTime=None,
                                       UseLatestRestorableTime=False, DBInstanceClass=None, Tags=None, **more):
        d = self.restorable_moment(region, "instance", SourceDBInstanceIdentifier, RestoreTime, UseLatestRestorableTime)
        return self.new_database(region, "instance", TargetDBInstanceIdentifier, d, Tags, DBInstanceClass or d["class"],
                                 at=RestoreTime, **more)

    def RestoreDBClusterToPointInTime(self, region, SourceDBClusterIdentifier, DBClusterIdentifier, RestoreToTime=None,
                                      UseLatestRestorableTime=False, Tags=None, **more):
        d = self.restorable_moment(region, "cluster", SourceDBClusterIdentifier, RestoreToTime, UseLatestRestorableTime)
        return self.new_database(region, "cluster", DBClusterIdentifier, d, Tags, at=RestoreToTime, **more)

    def CreateDBInstance(self, region, DBInstanceIdentifier, DBInstanceClass, Engine, DBClusterIdentifier, Tags=None, **more):
        cluster = self.database(region, "cluster", DBClusterIdentifier)
        made = self.new_database(region, "instance", DBInstanceIdentifier, cluster, Tags, DBInstanceClass, **more)
        self.databases[region, "instance", DBInstanceIdentifier]["cluster"] = DBClusterIdentifier
        cluster["members"].append(DBInstanceIdentifier)
        return made

    def AddTagsToResource(self, region, ResourceName, Tags):
        kind = "cluster" if ":cluster:" in ResourceName else "instance"
        database = self.database(region, kind, ResourceName.rsplit(":", 1)[1])
        database["tags"] = database["tags"] | {tag["Key"]: tag["Value"] for tag in Tags}

    def delete_database(self, region, kind, name):
        d = self.database(region, kind, name)
        if self.status(d) in ("creating", "deleting") or d["members"]:
            raise Refused(KINDS[kind]["state"], f"{name} cannot be deleted in this state.")
        d["states"] = [(self.fake.now, "deleting"), (self.later(300), "gone")]
        if d["cluster"]:
            self.databases[region, "cluster", d["cluster"]]["members"].remove(name)
        return {KINDS[kind]["noun"]: self.tell_database(d)}

    def DeleteDBInstance(self, region, DBInstanceIdentifier, SkipFinalSnapshot=False, DeleteAutomatedBackups=True):
        if not SkipFinalSnapshot:
            raise Refused("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required.")
        return self.delete_database(region, "instance", DBInstanceIdentifier)

    def DeleteDBCluster(self, region, DBClusterIdentifier, SkipFinalSnapshot=False):
        return self.delete_database(region, "cluster", DBClusterIdentifier)

    # Exports.

    def export_status(self, e):
        if e["ends"] <= self.fake.now:
            return "FAILED" if e["fate"] == "fail" else "COMPLETE"
        return "IN_PROGRESS" if e["began"] < self.fake.now else "STARTING"

    def tell_export(self, e):
        status = self.export_status(e)
        told = {"ExportTaskIdentifier": e["name"], "SourceArn": e["source"], "S3Bucket": e["bucket"], "Status": status,
                "IamRoleArn": e["role"], "KmsKeyId": e["key"], "PercentProgress": 100 if status == "COMPLETE" else
                int(min(1, (self.fake.now - e["began"]) / (e["ends"] - e["began"])) * 100), "TotalExtractedDataInGB": 3}
        if e["prefix"]:
            told["S3Prefix"] = e["prefix"]
        if status == "FAILED":
            told["FailureCause"] = "The role cannot write to the bucket."
        return told

    def StartExportTask(self, region, ExportTaskIdentifier, SourceArn, S3BucketName, IamRoleArn, KmsKeyId, S3Prefix=None,
                        ExportOnly=None):
        if (region, ExportTaskIdentifier) in self.exports:
            raise Refused("ExportTaskAlreadyExists", f"{ExportTaskIdentifier} already exists.")
        self.need_key(region, KmsKeyId)
        kind = "cluster" if ":cluster-snapshot:" in SourceArn else "instance"
        if (region, kind, SourceArn.split(":")[-1]) not in self.snapshots:
            raise Refused(KINDS[kind]["snapshot_missing"], "No such snapshot.", 404)
        task = {"name": ExportTaskIdentifier, "source": SourceArn, "bucket": S3BucketName, "role": IamRoleArn, "key": KmsKeyId,
                "prefix": S3Prefix, "only": ExportOnly, "began": self.fake.now, "ends": self.later(self.export_seconds),
                "fate": self.fates.pop(0) if self.fates else None}
        self.exports[region, ExportTaskIdentifier] = task
        return self.tell_export(task)

    def DescribeExportTasks(self, region, ExportTaskIdentifier):
        if (region, ExportTaskIdentifier) not in self.exports:
            raise Refused("ExportTaskNotFound", f"{ExportTaskIdentifier} not found.", 404)
        return {"ExportTasks": [self.tell_export(self.exports[region, ExportTaskIdentifier])]}

    def order_exports(self):
        return list(self.exports.values())
