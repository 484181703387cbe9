"""The table: one client for the life of the process, its connection kept alive."""

import os

import boto3
from botocore.config import Config

TABLE = os.environ["TABLE_NAME"]
client = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "max_attempts": 3}))


def get(pk, sk):
    output = client.get_item(TableName=TABLE, Key={"PK": {"S": pk}, "SK": {"S": sk}}, ConsistentRead=True)
    return output.get("Item")


def batch_get(keys):
    found = []
    left = {TABLE: {"Keys": [{"PK": {"S": pk}, "SK": {"S": sk}} for pk, sk in keys], "ConsistentRead": True}}
    while left:
        output = client.batch_get_item(RequestItems=left)
        found += output["Responses"].get(TABLE, [])
        left = output.get("UnprocessedKeys")
    return found
