// SAML Jackson's directory sync, which is a library, as a server: for the tests
// and the demo. SCIM requests go through the same controller, with the same
// fields, as in Jackson's own route; nothing of its behaviour is made nicer.
//
// The first line on stdout is JSON: {"origin", "base", "token", "id"}, where
// base and token are those of a first directory, of the type in DIR_TYPE.
// Beside SCIM, for the eyes of tests and of people trying the demo:
//
//   POST /_directories {"type"}              another directory: {base, token, id}
//   POST /_directories/<id>/deactivate       switches one off (and /activate)
//   GET  /_users/<directoryId>               what Jackson's own store holds
//   GET  /_groups/<directoryId>
//   GET  /_members/<groupId>                 user ids; SCIM never shows them here
//   GET  /_events?directory=<id>             what Jackson told its application
//   GET  /_requests?directory=<id>           SCIM requests seen: method, path, status
//
// STORE=sql keeps everything in PostgreSQL (in this process, as WebAssembly)
// instead of in memory. PORT chooses a port (default: a free one). It ends when its stdin closes, so
// that it never outlives whatever started it.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// The modules lie in a cache outside the checkout.
const modules = process.env.JACKSON_MODULES
  ?? new URL('../../../.parts/jackson/', import.meta.url).pathname;
const require = createRequire(join(modules, 'package.json'));
const jackson = require('@boxyhq/saml-jackson').default;

// Jackson comes with the client of PostgreSQL; the server is a package beside it,
// and lives no longer than this process.
async function store() {
  if (process.env.STORE !== 'sql') return { engine: 'mem' };
  const { PGlite } = require('@electric-sql/pglite');
  const { PGLiteSocketServer } = require('@electric-sql/pglite-socket');
  const database = await PGlite.create();
  const listener = new PGLiteSocketServer({ db: database, port: 0, host: '127.0.0.1', maxConnections: 1 });
  await listener.start();
  const url = `postgres://postgres:postgres@${listener.getServerConn()}/postgres?max_conns=1`;
  return { engine: 'sql', type: 'postgres', url };
}

const SCIM_PATH = '/api/scim/v2.0';
// One tenant and product for all directories: Jackson keeps the current ones in
// a field that requests share, so two tenants at once could mix their users.
const OWNER = { tenant: 'example.com', product: 'demo' };
const PAGE = 50;

const quiet = (message, error) => error && console.error(message, error);
const server = createServer((request, response) => {
  answer(request).then(
    ({ status, data }) => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify(data ?? {}));
    },
    (error) => {
      // What Next.js makes of a route that throws.
      console.error(`${request.method} ${request.url}: ${error.message}`);
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end('Internal Server Error');
    },
  );
});
// A client that keeps connections must not meet one that is just closing.
server.keepAliveTimeout = 60_000;

await new Promise((listening) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', listening));
const origin = `http://127.0.0.1:${server.address().port}`;

const { directorySyncController: sync } = await jackson({
  externalUrl: origin,
  samlPath: '/api/oauth/saml',
  samlAudience: 'https://example.com',
  scimPath: SCIM_PATH,
  db: await store(),
  noAnalytics: true,
  logger: { info: () => {}, warn: quiet, error: quiet },
});

const events = new Map();
const requests = new Map();
const append = (map, key, value) => (map.get(key) ?? map.set(key, []).get(key)).push(value);
const remember = async (event) => append(events, event.directory_id, { at: new Date(), ...event });

async function newDirectory(type = 'generic-scim-v2') {
  const { data, error } = await sync.directories.create({ ...OWNER, name: type, type });
  if (error) return { status: error.code ?? 400, data: { error: error.message } };
  return { status: 201, data: { id: data.id, base: data.scim.endpoint, token: data.scim.secret } };
}

// Jackson cuts every page of its own at 50, whatever is asked for.
async function all(page) {
  const found = [];
  for (;;) {
    const { data, error } = await page({ pageOffset: found.length, pageLimit: PAGE });
    if (error) throw new Error(error.message);
    found.push(...data);
    if (data.length < PAGE) return found;
  }
}

async function admin(method, [what, id, verb], query, body) {
  const users = sync.users.setTenantAndProduct(OWNER.tenant, OWNER.product);
  const groups = sync.groups.setTenantAndProduct(OWNER.tenant, OWNER.product);
  const ok = (data) => ({ status: 200, data });
  switch (`${method} ${what}`) {
    case 'POST _directories': {
      if (!id) return newDirectory(body?.type);
      if (verb !== 'activate' && verb !== 'deactivate') break;
      const { data, error } = await sync.directories.update(id, { deactivated: verb === 'deactivate' });
      return error ? { status: error.code ?? 400, data: { error: error.message } } : ok(data);
    }
    case 'GET _users':
      return ok(await all((page) => users.getAll({ directoryId: id, ...page })));
    case 'GET _groups':
      return ok(await all((page) => groups.getAll({ directoryId: id, ...page })));
    case 'GET _members':
      return ok((await all((page) => groups.getGroupMembers({ groupId: id, ...page }))).map((m) => m.user_id));
    case 'GET _events':
      return ok(events.get(query.get('directory')) ?? []);
    case 'GET _requests':
      return ok(requests.get(query.get('directory')) ?? []);
  }
  return { status: 404, data: { error: `no such page: ${method} ${what}` } };
}

async function answer(request) {
  const url = new URL(request.url, origin);
  const text = await new Promise((done, failed) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part) => (text += part)).on('end', () => done(text)).on('error', failed);
  });
  const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  if (parts[0]?.startsWith('_')) {
    return admin(request.method, parts, url.searchParams, text ? JSON.parse(text) : undefined);
  }
  if (!url.pathname.startsWith(`${SCIM_PATH}/`)) return { status: 404, data: {} };

  const [directoryId, resourceType, resourceId] = parts.slice(3);
  const number = (name) => (url.searchParams.get(name) ? parseInt(url.searchParams.get(name), 10) : undefined);
  const [scheme, secret] = (request.headers.authorization ?? '').split(' ');
  const seen = {
    method: request.method,
    path: `/${parts.slice(4).join('/')}`,
    query: url.search,
    status: 500,
  };
  append(requests, directoryId, seen);
  const result = await sync.requests.handle(
    {
      method: request.method,
      body: text ? JSON.parse(text) : undefined,
      directoryId,
      resourceType: resourceType ?? '',
      resourceId,
      apiSecret: scheme.toLowerCase() === 'bearer' && secret ? secret : null,
      query: {
        count: number('count'),
        startIndex: number('startIndex'),
        filter: url.searchParams.get('filter') ?? undefined,
      },
    },
    remember,
  );
  seen.status = result.status;
  return result;
}

process.stdin.resume().on('end', () => process.exit(0)).on('error', () => process.exit(0));

const first = await newDirectory(process.env.DIR_TYPE);
if (first.status !== 201) throw new Error(`no first directory: ${JSON.stringify(first.data)}`);
console.log(JSON.stringify({ origin, ...first.data }));
