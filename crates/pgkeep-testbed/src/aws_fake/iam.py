"""IAM: roles and their managed policies."""

import json

from common import Refused

ACCOUNT = "123456789012"


class Iam:
    def __init__(self, fake):
        self.fake, self.roles = fake, {}

    def role(self, name):
        if name not in self.roles:
            raise Refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return self.roles[name]

    def tell(self, role):
        return {k: role[k] for k in ("Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument")}

    def order_roles(self):
        return list(self.roles.values())

    def GetRole(self, region, RoleName):
        return {"Role": self.tell(self.role(RoleName))}

    def CreateRole(self, region, RoleName, AssumeRolePolicyDocument, Description=None, Tags=None, **_):
        if RoleName in self.roles:
            raise Refused("EntityAlreadyExists", f"Role with name {RoleName} already exists.", 409)
        json.loads(AssumeRolePolicyDocument)
        self.roles[RoleName] = {
            "Path": "/", "RoleName": RoleName, "RoleId": "AROA1234567890EXAMPLE", "CreateDate": self.fake.now,
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/{RoleName}", "AssumeRolePolicyDocument": AssumeRolePolicyDocument,
            "policies": [], "tags": Tags or []}
        return {"Role": self.tell(self.roles[RoleName])}

    def AttachRolePolicy(self, region, RoleName, PolicyArn):
        if PolicyArn not in self.role(RoleName)["policies"]:
            self.role(RoleName)["policies"].append(PolicyArn)

    def ListAttachedRolePolicies(self, region, RoleName, **_):
        return {"AttachedPolicies": [{"PolicyName": p.rsplit("/", 1)[1], "PolicyArn": p} for p in self.role(RoleName)["policies"]],
                "IsTruncated": False}
