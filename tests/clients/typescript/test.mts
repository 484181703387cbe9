// The six operations and two errors, by the generated types.

import assert from "node:assert/strict";
import { env } from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./users.js";

function client(token?: string) {
    return createClient<paths>({
        baseUrl: env.API_URL ?? "http://127.0.0.1:3000",
        headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
}

const admin = client(env.ADMIN_TOKEN);
const customer = client(env.CUSTOMER_TOKEN);
const Email = "typescript@example.com";
const newUser: components["schemas"]["NewUser"] = { FirstName: "Ty", LastName: "Script", Email };

const created = await admin.POST("/api/users", { body: newUser });
assert.equal(created.response.status, 201);
// A promised member, and one that may be null.
const phoneNumber: string | null | undefined = created.data?.PhoneNumber;
assert.equal(phoneNumber, null);

const again = await admin.POST("/api/users", { body: { ...newUser, FirstName: "Other" } });
assert.equal(again.response.status, 200);
assert.deepEqual(again.data, created.data);

const profile = await customer.GET("/api/users/profile");
assert.equal(profile.data?.Email, "jane@example.com");

const exists = await client().GET("/api/users/exists", { params: { query: { Email } } });
assert.equal(exists.data?.UserExists, true);

const organizations = await admin.GET("/api/users/organizations");
assert.ok(organizations.data?.Organizations.some(({ Slug }) => Slug === "acme-corp"));

const query = { UserId: "kp_abc123def456" };
const association = await admin.GET("/api/users/customer-association", { params: { query } });
assert.equal(association.data?.CustomerNumber, "C-10042");
const associations = await admin.GET("/api/users/customer-associations", { params: { query } });
assert.equal(associations.data?.length, 2);

const invalid = await admin.POST("/api/users", { body: { ...newUser, Email: "nonsense" } });
assert.equal(invalid.response.status, 400);
// The problems of an operation are a union; `errors` tells that of a wrong request.
assert.ok(invalid.error && "errors" in invalid.error);
const messages: string[] | undefined = invalid.error.errors.Email;
assert.equal(messages?.length, 1);

const forbidden = await admin.GET("/api/users/profile");
assert.equal(forbidden.response.status, 403);
assert.equal(forbidden.error?.title, "Forbidden");
assert.equal(forbidden.error.traceId, forbidden.response.headers.get("X-Request-Id"));

console.log("TypeScript: six operations and two problems, as typed");
