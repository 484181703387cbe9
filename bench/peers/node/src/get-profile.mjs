// GET /api/users/profile

import { endpoint, Problem } from './http.mjs';
import { batchGet } from './table.mjs';
import { authorize, readKeys } from './tokens.mjs';

export const handler = endpoint('GET /api/users/profile', async (event) => {
    const { sub, OrganizationId } = await authorize(event, 'Customer');
    const partition = `USER#${sub}`;
    const items = await batchGet([
        [partition, 'PROFILE'],
        [partition, `MEMBERSHIP#${OrganizationId}`],
    ]);
    const user = items.find((item) => item.SK.S === 'PROFILE');
    if (items.length !== 2 || !user) {
        throw new Problem(404, 'Not Found');
    }
    return {
        body: {
            FirstName: user.FirstName.S,
            LastName: user.LastName.S,
            Email: user.PreferredEmail?.S ?? user.Email.S,
            PhoneNumber: user.PhoneNumber?.S ?? null,
        },
    };
});

// Opens the connection while the start still has the whole processor.
try {
    await readKeys();
} catch {
    console.log(JSON.stringify({ level: 'WARN', message: 'the table could not be read at start-up' }));
}
