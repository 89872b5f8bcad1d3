// Better Auth's SCIM plugin as a server with its store in memory: for the tests. What it makes of requests is its own.
//
// The first line on stdout is JSON: {"base"}. TOKEN is the bearer token. It ends when its stdin closes, so that it never
// outlives whatever started it.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The modules lie in a cache outside the checkout.
const modules = process.env.BETTER_AUTH_MODULES ?? new URL('../../../.parts/better-auth/', import.meta.url).pathname;
const require = createRequire(join(modules, 'package.json'));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const [{ betterAuth }, { memoryAdapter }, { toNodeHandler }, { getAuthTables }, { scim }] = await Promise.all(
  ['better-auth', 'better-auth/adapters/memory', 'better-auth/node', 'better-auth/db', '@better-auth/scim'].map(load),
);

const credentials = [{ type: 'bearer', id: 'tests', token: process.env.TOKEN }];
const plugins = [scim({ connections: [{ id: 'tests', credentials }] })];
const tables = Object.values(getAuthTables({ plugins })).map((table) => [table.modelName, []]);
const auth = betterAuth({
  baseURL: 'http://localhost',
  database: memoryAdapter(Object.fromEntries(tables)),
  plugins,
  rateLimit: { enabled: false },
  secret: 'only for tests, and as long as a secret has to be',
});
const server = createServer(toNodeHandler(auth));
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ base: `http://127.0.0.1:${server.address().port}/api/auth/scim/v2` }));
});
// A client that keeps connections must not meet one that is just closing.
server.keepAliveTimeout = 60_000;
process.stdin.resume().on('end', () => process.exit(0)).on('error', () => process.exit(0));
