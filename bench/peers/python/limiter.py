"""An exact sliding window in one write: the times of the last admitted requests, shifted on."""

import math
import time

import table

LIMIT = 10
WINDOW_MS = 60_000

_SHIFTS = "".join(f"T{n} = if_not_exists(T{n - 1}, :never), " for n in range(LIMIT, 1, -1))
_UPDATE = f"SET {_SHIFTS}T1 = :now, ExpiresAt = :expires"
_CONDITION = f"attribute_not_exists(T{LIMIT}) OR T{LIMIT} <= :cutoff OR T{LIMIT} > :impossible"


def admit(client_address):
    now = int(time.time() * 1000)
    try:
        output = table.client.update_item(
            TableName=table.TABLE,
            Key={"PK": {"S": f"RATE#exists#{client_address}"}, "SK": {"S": "RATE"}},
            UpdateExpression=_UPDATE,
            ConditionExpression=_CONDITION,
            ExpressionAttributeValues={
                ":now": {"N": str(now)},
                ":never": {"N": "0"},
                ":cutoff": {"N": str(now - WINDOW_MS)},
                ":impossible": {"N": str(now + WINDOW_MS)},
                ":expires": {"N": str((now + WINDOW_MS) // 1000 + 1)},
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except table.client.exceptions.ConditionalCheckFailedException as refused:
        wait = _times(refused.response["Item"])[-1] + WINDOW_MS - now
        return False, {**_quota(0, wait), "Retry-After": str(math.ceil(wait / 1000))}
    times = [time for time in _times(output["Attributes"]) if time > now - WINDOW_MS]
    return True, _quota(LIMIT - len(times), min([now, *times]) + WINDOW_MS - now)


def _times(item):
    return [int(item[f"T{n}"]["N"]) for n in range(1, LIMIT + 1) if f"T{n}" in item]


def _quota(remaining, reset_ms):
    return {
        "RateLimit-Policy": f'"exists";q={LIMIT};w={WINDOW_MS // 1000}',
        "RateLimit": f'"exists";r={remaining};t={math.ceil(reset_ms / 1000)}',
    }
