// GET /api/users/exists

import { endpoint, Problem } from './http.mjs';
import { admit } from './limiter.mjs';
import { get } from './table.mjs';

const EMAIL = /^[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+$/u;

export const handler = endpoint('GET /api/users/exists', async (event) => {
    const { admitted, headers } = await admit(event.requestContext.http.sourceIp);
    if (!admitted) {
        throw new Problem(429, 'Too Many Requests', headers);
    }
    const emails = new URLSearchParams(event.rawQueryString).getAll('Email');
    if (emails.length !== 1 || !EMAIL.test(emails[0].trim())) {
        throw new Problem(400, 'One or more validation errors occurred', headers);
    }
    const normalized = emails[0].trim().normalize('NFC').toLowerCase();
    const claim = await get(`EMAIL#${normalized}`, 'EMAIL');
    return { body: { UserExists: claim !== undefined }, headers };
});

// Opens the connection while the start still has the whole processor.
try {
    await get('EMAIL#', 'EMAIL');
} catch {
    console.log(JSON.stringify({ level: 'WARN', message: 'the table could not be read at start-up' }));
}
