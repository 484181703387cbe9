// The console in a real browser: every request of the reference, the pages by keyboard, accessibility, both themes
// and both widths. Any console message that is an error, and any request to another origin, fails it. Then pages of
// other servers: one on this machine calls the API, a foreign one gets nothing. With `--no-cors`, which the local system
// then has too, none gets anything.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { API_URL, CHROMIUM, CONSOLE_URL, DYNAMODB_URL, NODE_MODULES } = process.env;
const require = createRequire(`${NODE_MODULES}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const origin = new URL(CONSOLE_URL).origin;
const noCors = process.argv.includes('--no-cors');
const keepScreenshots = process.argv.includes('--screenshots');
const folder = new URL('../docs/screenshots/', import.meta.url).pathname;
const ACME = '6d24ab9faf9e034e881fcd97';
const JANE = 'kp_abc123def456';
/** Those that the README shows, of the first window's height: page, width, theme. */
const SCREENSHOTS = ['reference-1280-light', 'reference-390-dark', 'user-1280-dark', 'user-390-light',
  'requests-1280-light', 'requests-390-dark'];
const PAGES = {
  organizations: '/console/organizations',
  organization: `/console/organization?id=${ACME}`,
  users: '/console/users',
  user: `/console/user?id=${JANE}`,
  'rate-limits': '/console/rate-limits',
  requests: '/console/requests',
  search: '/console/search?q=nobody%40example.com',
};

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // What DNS rebinding does: a foreign name leads to this machine.
    '--host-resolver-rules=MAP foreign.example 127.0.0.1'],
});

/** A window of its own, in which whatever is wrong is noted. `expected` are statuses that are no faults. */
async function open({ colorScheme = 'light', width = 1280, expected = [] } = {}) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => {
    const status = /the server responded with a status of (\d+)/.exec(message.text())?.[1];
    if (['error', 'warning'].includes(message.type()) && !expected.includes(Number(status))) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) faults.push(`a request to ${url}`);
  });
  const close = async () => {
    assert.deepEqual(faults, []);
    await context.close();
  };
  return { page, close };
}

/** Sends an operation's request as it stands, from the reference, and returns the answer that is read there. */
async function tryIt(page, operation, fill = async () => {}) {
  const block = page.locator(`#operations-Users-${operation}`);
  if (!(await block.evaluate((element) => element.classList.contains('is-open')))) {
    await block.locator('.opblock-summary-control').click();
  }
  await fill(block);
  await block.locator('button.execute').click();
  const answer = block.locator('.live-responses-table .response');
  await answer.locator('.response-col_status').waitFor();
  const status = Number((await answer.locator('.response-col_status').innerText()).match(/\d+/)[0]);
  const body = await answer.locator('.response-col_description .highlight-code').first().innerText();
  return { status, body: JSON.parse(body.slice(body.search(/[[{]/)).replace(/\n?Download\s*$/, '')) };
}

async function reference() {
  const { page, close } = await open();
  await page.goto(CONSOLE_URL);
  await page.locator('.opblock').first().waitFor();
  assert.equal(await page.locator('.opblock').count(), 6);
  assert.deepEqual(await page.locator('.servers option').allInnerTexts(), [`${origin} - The local system`]);

  await page.getByRole('button', { name: 'Use Admin token' }).click();
  await page.getByText('The Admin token is used.').waitFor();
  const created = await tryIt(page, 'createUser', (block) =>
    block.locator('textarea').first().fill(
      JSON.stringify({ FirstName: '<script>alert(1)</script>', LastName: 'Lovelace', Email: 'ada@example.com' })));
  assert.equal(created.status, 201);
  assert.equal(created.body.Email, 'ada@example.com');
  const exists = await tryIt(page, 'checkUserExists');
  assert.deepEqual(exists, { status: 200, body: { UserExists: true } });
  const organizations = await tryIt(page, 'listOrganizations');
  assert.equal(organizations.status, 200);
  assert.deepEqual(organizations.body.Organizations.map((organization) => organization.Name), ['Acme Corp', 'Globex']);
  const association = await tryIt(page, 'getCustomerAssociation');
  assert.deepEqual([association.status, association.body.CustomerNumber], [200, 'C-10042']);
  const associations = await tryIt(page, 'listCustomerAssociations');
  assert.deepEqual([associations.status, associations.body.length], [200, 2]);

  await page.getByRole('button', { name: 'Use Customer token' }).click();
  await page.getByText('The Customer token is used.').waitFor();
  const profile = await tryIt(page, 'getProfile');
  assert.deepEqual([profile.status, profile.body.Email], [200, 'jane@example.com']);
  await close();
  console.log('reference: six requests sent and their answers read');
}

/** From the reference to a user's organization and back, with the keyboard alone. */
async function keyboard() {
  const { page, close } = await open();
  await page.goto(CONSOLE_URL);
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  const go = async (name) => {
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press('Tab');
      if ((await focused()) === name) {
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.equal(outline, 'solid', `the focus on ${name} is not to be seen`);
        await page.keyboard.press('Enter');
        return page.waitForLoadState();
      }
    }
    throw new Error(`the keyboard does not reach ${name} on ${page.url()}`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the content');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.id === 'main');
  await page.goto(CONSOLE_URL);
  for (const [link, heading] of [['Organizations', 'Organizations'], ['Acme Corp', 'Acme Corp'],
    ['Jane Smith', 'Jane Smith'], ['Globex', 'Globex'], ['Users', 'Users'], ['John Doe', 'John Doe'],
    ['Rate limits', 'Rate limits'], ['Requests', 'Requests']]) {
    await go(link);
    assert.equal(await page.locator('h1').innerText(), heading);
  }
  for (let step = 0; step < 20 && (await page.evaluate(() => document.activeElement.id)) !== 'q'; step += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type('jane@example.com');
  await page.keyboard.press('Enter');
  await page.locator('h1', { hasText: 'Jane Smith' }).waitFor();
  await close();
  console.log('pages: walked by keyboard');
}

/** Reads each page in each theme and width: no serious fault of accessibility, nothing beyond the edge. */
async function look() {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const { page, close } = await open({ colorScheme, width, expected: [404] });
      for (const [name, path] of Object.entries({ reference: '/', ...PAGES })) {
        await page.goto(origin + path);
        const shown = `${name}-${width}-${colorScheme}`;
        if (name === 'reference') {
          await page.locator('.opblock').first().waitFor();
          const dark = await page.evaluate(() => document.documentElement.classList.contains('dark-mode'));
          assert.equal(dark, colorScheme === 'dark', shown);
          await page.getByRole('button', { name: 'Use Admin token' }).click();
        }
        if (keepScreenshots && SCREENSHOTS.includes(shown)) {
          mkdirSync(folder, { recursive: true });
          await page.screenshot({ path: `${folder}${shown}.png` });
        }
        if (name === 'reference') {
          // Opened, it is at its widest.
          await tryIt(page, 'getCustomerAssociation');
        }
        const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(beyond <= 0, `${shown}: ${beyond} px beyond the edge`);
        await page.evaluate(axe);
        // What Swagger UI makes is its own.
        const found = await page.evaluate(() => window.axe.run({ exclude: [['#reference']] }));
        const serious = found.violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
        assert.deepEqual(serious.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], shown);
      }
      await close();
    }
  }
  console.log('pages: accessible and within the edge, light and dark, at 1280 and 390 px');
}

/** Opens a page of another server under this host name, runs `script` in it and closes it. */
async function fromAnotherServer(host, script, argument) {
  const server = createServer((_, answer) => {
    answer.setHeader('Content-Type', 'text/html');
    answer.end('<!doctype html><title>Another server</title>');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`http://${host}:${server.address().port}/`);
    return await page.evaluate(script, argument);
  } finally {
    await context.close();
    server.close();
  }
}

/** In a page: what each request gets. */
async function ask(requests) {
  const answers = [];
  for (const [url, options] of requests) {
    try {
      const answer = await fetch(url, options);
      const headers = Object.fromEntries(answer.headers);
      answers.push({ status: answer.status, body: await answer.text(), headers });
    } catch (error) {
      answers.push(error.name);
    }
  }
  return answers;
}

const EXISTS = `${API_URL}/api/users/exists?Email=jane%40example.com`;
const LIST_TABLES = [DYNAMODB_URL, {
  method: 'POST',
  headers: {
    Authorization: 'AWS4-HMAC-SHA256 Credential=local/20260102/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    'Content-Type': 'application/x-amz-json-1.0',
    'X-Amz-Date': '20260102T030405Z',
    'X-Amz-Target': 'DynamoDB_20120810.ListTables',
  },
  body: '{}',
}];

/** A page that is served on another port of this machine calls the API, and nothing else. */
async function localPage() {
  const { page, close } = await open();
  await page.goto(CONSOLE_URL);
  const token = await page.locator('[data-role=Admin]').getAttribute('data-token');
  await close();
  const create = (headers) => [`${API_URL}/api/users`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ FirstName: 'Grace', LastName: 'Hopper', Email: 'grace@example.com' }),
  }];
  for (const host of ['localhost', '127.0.0.1']) {
    const [exists, created, refused, ...others] = await fromAnotherServer(host, ask, [
      [EXISTS], create({ Authorization: `Bearer ${token}` }), create({ Authorization: 'Bearer none' }),
      [CONSOLE_URL], [`${origin}/console/users`], LIST_TABLES,
    ]);
    assert.deepEqual([exists.status, exists.body], [200, '{"UserExists":true}']);
    assert.match(exists.headers.ratelimit, /r=/);
    assert.ok(exists.headers['ratelimit-policy'] && exists.headers['x-request-id']);
    assert.equal(created.status, host === 'localhost' ? 201 : 200);
    assert.equal(JSON.parse(created.body).Email, 'grace@example.com');
    assert.equal(refused.status, 401);
    assert.match(refused.headers['www-authenticate'], /^Bearer/);
    assert.equal(JSON.parse(refused.body).traceId, refused.headers['x-request-id']);
    assert.deepEqual(others, ['TypeError', 'TypeError', 'TypeError'], 'the console and the DynamoDB API');
  }
  console.log('a page on another port: calls the API and reads its answers and headers, and nothing else');
}

/** A page gets nothing from any listener, and nothing happens. */
async function nothingFor(host) {
  const urls = [[EXISTS], [`${API_URL}/api/users/profile`, { headers: { Authorization: 'Bearer none' } }],
    [`${API_URL}/openapi.json`], [CONSOLE_URL], [`${origin}/console/users`], LIST_TABLES];
  assert.deepEqual(await fromAnotherServer(host, ask, urls), urls.map(() => 'TypeError'), host);
}

/** The same for a foreign page, for what it embeds, and under a foreign name that leads to this machine. */
async function foreignPage() {
  await nothingFor('foreign.example');
  const blind = [EXISTS, CONSOLE_URL, DYNAMODB_URL].map((url) => [url, { mode: 'no-cors' }]);
  const [, method] = LIST_TABLES;
  blind.push([DYNAMODB_URL, { ...method, headers: { 'Content-Type': 'text/plain' }, mode: 'no-cors' }]);
  for (const answer of await fromAnotherServer('foreign.example', ask, blind)) {
    assert.ok(answer === 'TypeError' || answer.body === '', JSON.stringify(answer));
  }
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const url of [EXISTS, CONSOLE_URL, DYNAMODB_URL]) {
    const rebound = new URL(url);
    rebound.hostname = 'foreign.example';
    // The DynamoDB API's answer is no page: the browser would download it.
    const [answer] = await Promise.all([page.waitForResponse(rebound.href), page.goto(rebound.href).catch(() => {})]);
    assert.equal(answer.status(), 403, rebound.href);
    if (url === EXISTS) {
      const same = await page.evaluate(ask, [[rebound.href], [`${new URL(rebound).origin}/api/users`, { method: 'POST', body: '{}' }]]);
      assert.deepEqual(same.map(({ status }) => status), [403, 403], 'by a page of that name');
    }
  }
  // A request that reached the function would be counted.
  const counted = await context.newPage();
  await counted.goto(`${origin}/console/rate-limits`);
  await counted.getByText('No client was counted lately.').waitFor();
  await context.close();
  console.log('a foreign page: gets nothing from the API, the console and the DynamoDB API, under a foreign name neither');
}

try {
  await foreignPage();
  if (noCors) {
    await nothingFor('localhost');
    console.log('without CORS: nor does a page on another port of this machine');
  } else {
    await reference();
    await keyboard();
    await look();
    await localPage();
  }
} finally {
  await browser.close();
}
