// Access tokens, verified against the keys that the table holds.

import { createLocalJWKSet, errors, jwtVerify } from 'jose';
import { Problem } from './http.mjs';
import { get } from './table.mjs';

const MAX_AGE_MS = 300_000;
const { TOKEN_ISSUER, TOKEN_AUDIENCE } = process.env;

let keys;
let readAt = 0;

export async function readKeys() {
    const item = await get('SIGNING_KEYS', 'SIGNING_KEYS');
    keys = createLocalJWKSet(JSON.parse(item.Jwks.S));
    readAt = Date.now();
}

export async function authorize(event, role) {
    const [scheme, token] = (event.headers.authorization ?? '').split(' ');
    if (scheme.toLowerCase() !== 'bearer' || !token) {
        throw new Problem(401, 'Unauthorized', { 'WWW-Authenticate': 'Bearer' });
    }
    if (Date.now() - readAt > MAX_AGE_MS) {
        await readKeys();
    }
    const claims = await verify(token);
    const roles = [claims.role ?? claims.roles].flat();
    if (!roles.includes(role)) {
        throw new Problem(403, 'Forbidden', { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' });
    }
    return claims;
}

async function verify(token) {
    try {
        const { payload } = await jwtVerify(token, keys, {
            issuer: TOKEN_ISSUER,
            audience: TOKEN_AUDIENCE,
            clockTolerance: 60,
            requiredClaims: ['exp', 'sub', 'OrganizationId'],
        });
        return payload;
    } catch (error) {
        if (error instanceof errors.JOSEError) {
            throw new Problem(401, 'Unauthorized', { 'WWW-Authenticate': 'Bearer error="invalid_token"' });
        }
        throw error;
    }
}
