// An exact sliding window in one write: the times of the last admitted requests, shifted on.

import { ConditionalCheckFailedException, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { client, TABLE } from './table.mjs';

const LIMIT = 10;
const WINDOW_MS = 60_000;

const shifts = Array.from({ length: LIMIT - 1 }, (_, i) => `T${LIMIT - i} = if_not_exists(T${LIMIT - i - 1}, :never), `);
const UPDATE = `SET ${shifts.join('')}T1 = :now, ExpiresAt = :expires`;
const CONDITION = `attribute_not_exists(T${LIMIT}) OR T${LIMIT} <= :cutoff OR T${LIMIT} > :impossible`;
const POLICY = `"exists";q=${LIMIT};w=${WINDOW_MS / 1000}`;

export async function admit(client_address) {
    const now = Date.now();
    const number = (value) => ({ N: String(value) });
    const command = new UpdateItemCommand({
        TableName: TABLE,
        Key: { PK: { S: `RATE#exists#${client_address}` }, SK: { S: 'RATE' } },
        UpdateExpression: UPDATE,
        ConditionExpression: CONDITION,
        ExpressionAttributeValues: {
            ':now': number(now),
            ':never': number(0),
            ':cutoff': number(now - WINDOW_MS),
            ':impossible': number(now + WINDOW_MS),
            ':expires': number(Math.floor((now + WINDOW_MS) / 1000) + 1),
        },
        ReturnValues: 'ALL_NEW',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    try {
        const times = timesOf((await client.send(command)).Attributes).filter((time) => time > now - WINDOW_MS);
        return { admitted: true, headers: quota(LIMIT - times.length, Math.min(now, ...times) + WINDOW_MS - now) };
    } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) {
            throw error;
        }
        const wait = timesOf(error.Item).at(-1) + WINDOW_MS - now;
        return { admitted: false, headers: { ...quota(0, wait), 'Retry-After': String(Math.ceil(wait / 1000)) } };
    }
}

function timesOf(item) {
    const times = [];
    for (let n = 1; n <= LIMIT && item[`T${n}`]; n += 1) {
        times.push(Number(item[`T${n}`].N));
    }
    return times;
}

function quota(remaining, resetMs) {
    return { 'RateLimit-Policy': POLICY, RateLimit: `"exists";r=${remaining};t=${Math.ceil(resetMs / 1000)}` };
}
