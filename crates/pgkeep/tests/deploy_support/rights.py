"""Compares recorded requests with a policy. Arguments: the recording (moto's), the policy, ids of statements that do not
count. Prints the requests that are not allowed, and what is allowed without being needed.

Which action an S3 request needs: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
"""

import base64
import json
import sys
from urllib.parse import parse_qs, unquote, urlsplit

from moto.iam.access_control import IAMPolicy, PermissionResult


def of_s3(method, url):
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    query = parse_qs(url.query, keep_blank_values=True)
    arn = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
    if not key:
        actions = {"GET": "s3:ListBucketMultipartUploads" if "uploads" in query else "s3:ListBucket", "HEAD": "s3:ListBucket"}
        # Of what else can be asked of a bucket nothing is expected.
        known = set(query) <= {"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys", "uploads",
                               "key-marker", "upload-id-marker", "encoding-type"}
        return (actions.get(method) if known else None) or f"s3:? {method} {url.query}", arn
    if "versionId" in query:
        return {"GET": "s3:GetObjectVersion", "HEAD": "s3:GetObjectVersion", "DELETE": "s3:DeleteObjectVersion"}[method], arn
    if "uploadId" in query:
        return {"GET": "s3:ListMultipartUploadParts", "DELETE": "s3:AbortMultipartUpload"}.get(method, "s3:PutObject"), arn
    if set(query) - {"uploads", "x-id"}:
        return f"s3:? {method} {url.query}", arn
    return {"GET": "s3:GetObject", "HEAD": "s3:GetObject", "DELETE": "s3:DeleteObject"}.get(method, "s3:PutObject"), arn


def needed(request):
    """The action and the resource; nothing for what anybody may ask, such as a bucket's region."""
    headers = {name.lower(): value for name, value in request["headers"].items()}
    if "authorization" not in headers:
        return None
    service = headers["authorization"].split("Credential=")[1].split("/")[3]
    if service == "s3":
        return of_s3(request["method"], urlsplit(request["url"]))
    body = base64.b64decode(request["body"]) if request["body_encoded"] else request["body"].encode()
    if "x-amz-target" in headers:
        words = json.loads(body)
        action = headers["x-amz-target"].split(".")[-1]
        return f"{service}:{action}", words.get("SecretId") or words.get("taskDefinition") or "*"
    return f"{service}:{parse_qs(body.decode())['Action'][0]}", "*"


def main(recording, policy, *without):
    policy = json.loads(policy)
    # What a request was made with is not recorded: conditions that allow less are not looked at.
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            statement.pop("Condition", None)
    with open(recording) as lines:
        used = sorted({needed(json.loads(line)) for line in lines} - {None})

    def permits(statements, action, resource):
        whole = IAMPolicy(json.dumps({"Statement": statements}))
        return whole.is_action_permitted(action, resource) is PermissionResult.PERMITTED

    unused = []
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow" or statement["Sid"] in without:
            continue
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for action in actions:
            for resource in resources:
                one = [{"Effect": "Allow", "Action": action, "Resource": resource}]
                if not any(permits(one, *request) for request in used):
                    unused.append(f"{statement['Sid']} {action}")
    refused = [" ".join(request) for request in used if not permits(policy["Statement"], *request)]
    print(json.dumps({"refused": refused, "unused": unused}))


main(*sys.argv[1:])
