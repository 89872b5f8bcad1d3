// Captain Goldfish's SCIM-SDK, which is a library, as a server with its store in memory: for the tests. What it makes of
// requests is its own.
//
// The first line on stdout is JSON: {"origin"}. Each first path segment is a place of its own: /<name>/scim/v2. TOKEN is
// the bearer token. It ends when its stdin closes, so that it never outlives whatever started it.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import de.captaingoldfish.scim.sdk.common.constants.enums.HttpMethod;
import de.captaingoldfish.scim.sdk.common.constants.enums.SortOrder;
import de.captaingoldfish.scim.sdk.common.exceptions.ConflictException;
import de.captaingoldfish.scim.sdk.common.exceptions.ResourceNotFoundException;
import de.captaingoldfish.scim.sdk.common.resources.Group;
import de.captaingoldfish.scim.sdk.common.resources.ResourceNode;
import de.captaingoldfish.scim.sdk.common.resources.ServiceProvider;
import de.captaingoldfish.scim.sdk.common.resources.User;
import de.captaingoldfish.scim.sdk.common.resources.complex.ETagConfig;
import de.captaingoldfish.scim.sdk.common.resources.complex.FilterConfig;
import de.captaingoldfish.scim.sdk.common.resources.complex.Meta;
import de.captaingoldfish.scim.sdk.common.resources.complex.PatchConfig;
import de.captaingoldfish.scim.sdk.common.resources.multicomplex.AuthenticationScheme;
import de.captaingoldfish.scim.sdk.common.response.ScimResponse;
import de.captaingoldfish.scim.sdk.common.schemas.SchemaAttribute;
import de.captaingoldfish.scim.sdk.common.utils.JsonHelper;
import de.captaingoldfish.scim.sdk.server.endpoints.Context;
import de.captaingoldfish.scim.sdk.server.endpoints.ResourceEndpoint;
import de.captaingoldfish.scim.sdk.server.endpoints.ResourceHandler;
import de.captaingoldfish.scim.sdk.server.endpoints.authorize.Authorization;
import de.captaingoldfish.scim.sdk.server.endpoints.base.GroupEndpointDefinition;
import de.captaingoldfish.scim.sdk.server.endpoints.base.UserEndpointDefinition;
import de.captaingoldfish.scim.sdk.server.filter.FilterNode;
import de.captaingoldfish.scim.sdk.server.response.PartialListResponse;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;

public final class Server {

    /** The resources of one kind at one place, in order of creation. */
    private abstract static class Store<T extends ResourceNode> extends ResourceHandler<T> {
        private final Map<String, T> records = new LinkedHashMap<>();

        @Override
        public synchronized T createResource(T resource, Context context) {
            unique(resource);
            resource.setId(UUID.randomUUID().toString());
            stamp(resource, Instant.now());
            records.put(resource.getId().get(), resource);
            return resource;
        }

        @Override
        public synchronized T getResource(String id, List<SchemaAttribute> with, List<SchemaAttribute> without,
                Context context) {
            return copy(one(id));
        }

        @Override
        public synchronized PartialListResponse<T> listResources(long start, int count, FilterNode filter,
                SchemaAttribute sortBy, SortOrder order, List<SchemaAttribute> with, List<SchemaAttribute> without,
                Context context) {
            List<T> all = new ArrayList<>();
            records.values().forEach(record -> all.add(copy(record)));
            return PartialListResponse.<T>builder().resources(all).totalResults(all.size()).build();
        }

        @Override
        public synchronized T updateResource(T resource, Context context) {
            T before = one(resource.getId().orElse(""));
            unique(resource);
            stamp(resource, before.getMeta().flatMap(Meta::getCreated).orElse(Instant.now()));
            records.put(resource.getId().get(), resource);
            return resource;
        }

        @Override
        public synchronized void deleteResource(String id, Context context) {
            one(id);
            records.remove(id);
        }

        // The library has its own part of meta there already.
        private void stamp(T resource, Instant created) {
            if (resource.getMeta().isEmpty()) {
                resource.setMeta(new Meta());
            }
            resource.getMeta().get().setCreated(created);
            resource.getMeta().get().setLastModified(Instant.now());
        }

        private T one(String id) {
            T record = records.get(id);
            if (record == null) {
                throw new ResourceNotFoundException("no resource with the id " + id);
            }
            return record;
        }

        // The library changes what it is given while it looks at it.
        @SuppressWarnings("unchecked")
        private T copy(T record) {
            return (T) JsonHelper.copyResourceToObject(record.deepCopy(), record.getClass());
        }

        private void unique(T resource) {
            if (!(resource instanceof User user)) {
                return;
            }
            String name = user.getUserName().orElse("");
            boolean taken = records.values().stream()
                    .filter(known -> !known.getId().equals(resource.getId()))
                    .anyMatch(known -> ((User) known).getUserName().orElse("").equalsIgnoreCase(name));
            if (taken) {
                throw new ConflictException("the userName is taken");
            }
        }
    }

    // A handler learns its type from its class's parameter.
    private static final class Users extends Store<User> {
        @Override
        public Class<User> getType() {
            return User.class;
        }
    }

    private static final class Groups extends Store<Group> {
        @Override
        public Class<Group> getType() {
            return Group.class;
        }
    }

    private static ResourceEndpoint place() {
        ServiceProvider provider = ServiceProvider.builder()
                .filterConfig(FilterConfig.builder().supported(true).maxResults(50).build())
                .patchConfig(PatchConfig.builder().supported(true).build())
                .authenticationSchemes(List.of(AuthenticationScheme.builder()
                        .name("Bearer").description("A bearer token").type("oauthbearertoken").build()))
                .eTagConfig(ETagConfig.builder().supported(true).build())
                .build();
        ResourceEndpoint endpoint = new ResourceEndpoint(provider);
        var users = endpoint.registerEndpoint(new UserEndpointDefinition(new Users()));
        var groups = endpoint.registerEndpoint(new GroupEndpointDefinition(new Groups()));
        for (var type : List.of(users, groups)) {
            type.getFeatures().setAutoFiltering(true);
            type.getFeatures().setAutoSorting(true);
        }
        return endpoint;
    }

    // The key was looked at before.
    private static final Authorization ANYBODY = new Authorization() {
        @Override
        public Set<String> getClientRoles() {
            return Set.of();
        }

        @Override
        public boolean authenticate(Map<String, String> headers, Map<String, String> query) {
            return true;
        }
    };

    private static final Map<String, ResourceEndpoint> PLACES = new HashMap<>();

    private static void answer(HttpExchange exchange, String origin) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        String[] path = exchange.getRequestURI().getPath().split("/");
        if (!("Bearer " + System.getenv("TOKEN")).equals(authorization) || path.length < 2) {
            send(exchange, 401, "{\"detail\":\"who are you?\"}");
            return;
        }
        ResourceEndpoint endpoint;
        synchronized (PLACES) {
            endpoint = PLACES.computeIfAbsent(path[1], name -> place());
        }
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name, values.get(0)));
        HttpMethod method = HttpMethod.valueOf(exchange.getRequestMethod());
        ScimResponse response = endpoint.handleRequest(origin + exchange.getRequestURI(), method, body, headers,
                new Context(ANYBODY));
        response.getHttpHeaders().forEach((name, value) -> exchange.getResponseHeaders().set(name, value));
        send(exchange, response.getHttpStatus(), response.isEmpty() ? "" : response.toString());
    }

    private static void send(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0);
        String origin = "http://127.0.0.1:" + server.getAddress().getPort();
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", exchange -> {
            try {
                answer(exchange, origin);
            } catch (RuntimeException error) {
                error.printStackTrace();
                send(exchange, 500, "");
            }
        });
        server.start();
        System.out.println("{\"origin\":\"" + origin + "\"}");
        while (System.in.read() >= 0) {
            // Whoever started it says nothing, and at last goes.
        }
        System.exit(0);
    }
}
