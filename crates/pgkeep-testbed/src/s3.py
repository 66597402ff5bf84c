"""S3 requests for tests, signed by hand (AWS Signature Version 4) with nothing but Python's library, so that
the judge of what is in a bucket shares no code with what put it there.

    s3.py create|create-locking|drop|keys|uploads BUCKET
    s3.py get|put|delete|size BUCKET KEY [FILE]
    s3.py get-all BUCKET PREFIX FOLDER
"""
import datetime, hashlib, hmac, http.client, os, sys, urllib.parse
import xml.etree.ElementTree as ET

endpoint = urllib.parse.urlsplit(os.environ["PGKEEP_TEST_S3_ENDPOINT"])
access = os.environ["PGKEEP_TEST_S3_ACCESS_KEY"]
secret = os.environ["PGKEEP_TEST_S3_SECRET_KEY"]
region = "us-east-1"


def quote(text):
    return urllib.parse.quote(text, safe="-_.~")


def call(method, bucket, key="", query=None, body=b"", expect=(200, 204), to=None, more={}):
    path = "/" + quote(bucket) + ("/" + "/".join(quote(part) for part in key.split("/")) if key else "")
    query = "&".join(f"{quote(k)}={quote(v)}" for k, v in sorted((query or {}).items()))
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": endpoint.netloc, "x-amz-content-sha256": digest, "x-amz-date": now, **more}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join([method, path, query, lines, names, digest])
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    connection = http.client.HTTPConnection(endpoint.netloc, timeout=60)
    connection.request(method, path + ("?" + query if query else ""), body, headers)
    response = connection.getresponse()
    if response.status not in expect:
        sys.exit(f"{method} {path}?{query}: {response.status} {response.read().decode(errors='replace')}")
    if to:
        while block := response.read(1 << 20):
            to.write(block)
        return b""
    return dict(response.getheaders()) if method == "HEAD" else response.read()


def listing(bucket, query, item, *fields, then):
    """All pages; `then` maps what the next request must say to where this answer says it."""
    query = dict(query)
    while True:
        page = ET.fromstring(call("GET", bucket, query=query))
        for element in page.iter():
            element.tag = element.tag.split("}")[-1]
        for found in page.iter(item):
            yield tuple(found.findtext(field) for field in fields)
        if page.findtext("IsTruncated") != "true":
            return
        query.update({name: page.findtext(field) or "" for name, field in then.items()})


def keys(bucket):
    return listing(bucket, {"list-type": "2"}, "Contents", "Key", "Size",
                   then={"continuation-token": "NextContinuationToken"})


def uploads(bucket):
    return listing(bucket, {"uploads": ""}, "Upload", "Key", "UploadId",
                   then={"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"})


def versions(bucket):
    for item in ("Version", "DeleteMarker"):
        yield from listing(bucket, {"versions": ""}, item, "Key", "VersionId",
                           then={"key-marker": "NextKeyMarker", "version-id-marker": "NextVersionIdMarker"})


command, bucket, *rest = sys.argv[1:]
if command == "create":
    call("PUT", bucket)
elif command == "create-locking":
    call("PUT", bucket, more={"x-amz-bucket-object-lock-enabled": "true"})
elif command == "drop":
    for key, upload in list(uploads(bucket)):
        call("DELETE", bucket, key, {"uploadId": upload})
    for key, version in list(versions(bucket)):
        call("DELETE", bucket, key, {"versionId": version}, more={"x-amz-bypass-governance-retention": "true"})
    call("DELETE", bucket)
elif command == "keys":
    for key, size in keys(bucket):
        print(size, key, sep="\t")
elif command == "uploads":
    for key, upload in uploads(bucket):
        print(upload, key, sep="\t")
elif command == "get":
    with open(rest[1], "wb") as file:
        call("GET", bucket, rest[0], to=file)
elif command == "get-all":
    for key, _ in keys(bucket):
        if key.startswith(rest[0]):
            path = os.path.join(rest[1], key[len(rest[0]):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                call("GET", bucket, key, to=file)
elif command == "put":
    with open(rest[1], "rb") as file:
        call("PUT", bucket, rest[0], body=file.read())
elif command == "delete":
    call("DELETE", bucket, rest[0])
else:
    sys.exit(__doc__)
