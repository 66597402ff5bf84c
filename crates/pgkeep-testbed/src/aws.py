"""What tests need of AWS's control plane, by AWS's own library. The first argument is the endpoint."""

import datetime
import io
import json
import sys
import urllib.request
from unittest import mock

import boto3
import botocore.parsers


def main(endpoint, action, *words):
    def client(service):
        return boto3.client(service, endpoint_url=endpoint)

    if action == "secret":
        name, text = words
        print(client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])
    elif action == "parameter":
        name, value = words
        client("ssm").put_parameter(Name=name, Value=value, Type="SecureString")
    elif action == "instance":
        name, engine, database, cluster = words
        more = {"DBClusterIdentifier": cluster} if cluster else {"AllocatedStorage": 20, "MasterUsername": "app",
                                                                 "MasterUserPassword": "planted-master"}
        if database:
            more["DBName"] = database
        client("rds").create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.m5.large", Engine=engine, **more)
    elif action == "cluster":
        name, engine, database = words
        client("rds").create_db_cluster(DBClusterIdentifier=name, Engine=engine, DatabaseName=database,
                                        MasterUsername="app", MasterUserPassword="planted-master")
    elif action == "stop":
        client("rds").stop_db_instance(DBInstanceIdentifier=words[0])
    elif action == "lock":
        # A user without rights; from now on the emulator checks them.
        iam = client("iam")
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        urllib.request.urlopen(urllib.request.Request(endpoint + "/moto-api/reset-auth", data=b"0",
                                                      headers={"Content-Type": "text/plain"}))
        print(key["AccessKeyId"], key["SecretAccessKey"])
    elif action == "topic":
        # With a queue that gets what is published.
        arn = client("sns").create_topic(Name=words[0])["TopicArn"]
        queue = client("sqs").create_queue(QueueName=words[0])["QueueUrl"]
        got = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=got["QueueArn"])
        print(arn)
    elif action == "published":
        queue = client("sqs").get_queue_url(QueueName=words[0])["QueueUrl"]
        for message in client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            print(message["Body"])
    elif action == "metrics":
        # The emulator does not know the protocol in which newer libraries put metrics: botocore takes the requests apart
        # and puts them in its own way, by which they are checked against the service's model.
        cloudwatch, found = client("cloudwatch"), []
        for body in words[1:]:
            stream = io.BufferedReader(io.BytesIO(bytes.fromhex(body)))
            put = botocore.parsers.RpcV2CBORParser().parse_data_item(stream)
            cloudwatch.put_metric_data(**put)
        now = datetime.datetime.now(datetime.timezone.utc)
        span = dict(StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1), Period=60)
        for metric in cloudwatch.list_metrics(Namespace=words[0])["Metrics"]:
            query = dict(Namespace=words[0], MetricName=metric["MetricName"], Dimensions=metric["Dimensions"])
            got = cloudwatch.get_metric_statistics(Statistics=["Sum"], **query, **span)["Datapoints"]
            database = {d["Name"]: d["Value"] for d in metric["Dimensions"]}.get("Database")
            found += [{"name": metric["MetricName"], "database": database, "value": p["Sum"]} for p in got]
        print(json.dumps(found))
    elif action == "ask":
        print(json.dumps(eval(words[0], {"client": client, "json": json}), default=str))
    elif action == "record":
        for word in ("reset", "start"):
            urllib.request.urlopen(f"{endpoint}/moto-api/recorder/{word}-recording", data=b"")
    elif action == "sender":
        client("ses").verify_email_identity(EmailAddress=words[0])
    elif action == "mails":
        with urllib.request.urlopen(endpoint + "/moto-api/data.json") as data:
            print(json.dumps(json.load(data)["ses"].get("Message", [])))
    elif action == "token":
        host, port, user, seconds = words
        now = datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
        with mock.patch("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: now.replace(tzinfo=None)):
            print(boto3.client("rds").generate_db_auth_token(host, int(port), user))
    else:
        sys.exit(f"no action {action}")


main(*sys.argv[1:])
