# syntax=docker/dockerfile:1
# One static binary, the certificate authorities, and nothing else.
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=true -t IMAGE .
FROM docker.io/library/rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev ca-certificates-bundle
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
# Cargo wants every target of the manifest to be there.
COPY benches benches
COPY src src
# On Alpine the compiler's own target is musl, and static.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --bin scim-operator \
    && install -D -m 0755 target/release/scim-operator /image/scim-operator \
    && install -D -m 0644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt

FROM scratch
LABEL org.opencontainers.image.title="scim-operator" \
      org.opencontainers.image.description="A Kubernetes operator that provisions people over SCIM 2.0, from Git" \
      org.opencontainers.image.source="https://github.com/scim-operator/scim-operator" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
# Any other serves as well; the chart says the same.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/scim-operator"]
CMD ["run"]
