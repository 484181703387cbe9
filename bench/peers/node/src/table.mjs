// The table: one client for the life of the process, its connection kept alive.

import { BatchGetItemCommand, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';

export const TABLE = process.env.TABLE_NAME;
export const client = new DynamoDBClient({ maxAttempts: 3 });

export async function get(pk, sk) {
    const command = new GetItemCommand({
        TableName: TABLE,
        Key: { PK: { S: pk }, SK: { S: sk } },
        ConsistentRead: true,
    });
    return (await client.send(command)).Item;
}

export async function batchGet(keys) {
    const found = [];
    let left = { [TABLE]: { Keys: keys.map(([pk, sk]) => ({ PK: { S: pk }, SK: { S: sk } })), ConsistentRead: true } };
    while (Object.keys(left).length > 0) {
        const output = await client.send(new BatchGetItemCommand({ RequestItems: left }));
        found.push(...(output.Responses?.[TABLE] ?? []));
        left = output.UnprocessedKeys ?? {};
    }
    return found;
}
