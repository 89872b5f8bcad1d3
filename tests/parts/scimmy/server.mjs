// SCIMMY, which is a library, as a server with its store in memory: for the tests. What it makes of requests is its own.
//
// The first line on stdout is JSON: {"origin"}. Each first path segment is a place of its own: /<name>/scim. TOKEN is the
// bearer token. It ends when its stdin closes, so that it never outlives whatever started it.

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The modules lie in a cache outside the checkout.
const modules = process.env.SCIMMY_MODULES ?? new URL('../../../.parts/scimmy/', import.meta.url).pathname;
const require = createRequire(join(modules, 'package.json'));
// From CommonJS or not, the one thing that a package gives.
const load = async (name) => {
  const found = (await import(pathToFileURL(require.resolve(name)))).default;
  return found.default ?? found;
};
const [express, SCIMMY, SCIMMYRouters] = [await load('express'), await load('scimmy'), await load('scimmy-routers')];

const places = new Map();
const store = ({ place }, kind) => {
  const key = `${place}/${kind}`;
  return places.get(key) ?? places.set(key, new Map()).get(key);
};
const notFound = (id) => new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
const same = (one, other) => String(one ?? '').toLowerCase() === String(other ?? '').toLowerCase();

function serve(Resource, kind, name) {
  const one = (records, id) => records.get(id) ?? (() => { throw notFound(id); })();
  Resource.ingress((resource, data, context) => {
    const records = store(context, kind);
    const taken = name && [...records.values()].some((known) => known.id !== resource.id && same(known[name], data[name]));
    if (taken) throw new SCIMMY.Types.Error(409, 'uniqueness', `${name} is taken`);
    const id = resource.id ?? randomUUID();
    const before = resource.id ? one(records, id) : { meta: { created: new Date() } };
    const record = { ...JSON.parse(JSON.stringify(data)), id, meta: { ...before.meta, lastModified: new Date() } };
    records.set(id, record);
    return record;
  });
  Resource.egress((resource, context) => {
    const records = store(context, kind);
    return resource.id ? one(records, resource.id) : [...records.values()];
  });
  Resource.degress((resource, context) => {
    one(store(context, kind), resource.id);
    store(context, kind).delete(resource.id);
  });
}
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
SCIMMY.Resources.declare(SCIMMY.Resources.User);
SCIMMY.Resources.declare(SCIMMY.Resources.Group);
serve(SCIMMY.Resources.User, 'users', 'userName');
serve(SCIMMY.Resources.Group, 'groups');

const app = express();
app.use('/:place/scim', (request, _response, next) => {
  request.place = request.params.place;
  next();
}, new SCIMMYRouters({
  type: 'bearer',
  handler: (request) => {
    if (request.header('Authorization') !== `Bearer ${process.env.TOKEN}`) throw new Error('who are you?');
    return 'nobody';
  },
  context: (request) => ({ place: request.place }),
}));

const server = app.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ origin: `http://127.0.0.1:${server.address().port}` }));
});
// A client that keeps connections must not meet one that is just closing.
server.keepAliveTimeout = 60_000;
process.stdin.resume().on('end', () => process.exit(0)).on('error', () => process.exit(0));
