# One static binary, the certificate authorities, and nothing else.
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=true -t IMAGE .
# The compiler runs on the machine's own architecture and cross-compiles: an emulated one takes an hour.
FROM --platform=$BUILDPLATFORM docker.io/library/rust:1.95-alpine@sha256:606fd313a0f49743ee2a7bd49a0914bab7deedb12791f3a846a34a4711db7ed2 AS build
# The SBOM is then of this stage, which has Cargo.lock; nothing can be read off a stripped binary.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
RUN apk add --no-cache ca-certificates-bundle clang lld musl-dev
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
# Cargo wants every target of the manifest to be there.
COPY benches benches
COPY src src
ARG TARGETARCH
# ring's C code needs nothing of a C library, so that clang compiles it for any architecture.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,sharing=locked \
    case "$TARGETARCH" in amd64) machine=x86_64 ;; arm64) machine=aarch64 ;; *) exit 1 ;; esac \
    && target=$machine-unknown-linux-musl && rustup target add $target \
    && if [ "$machine" != "$(uname -m)" ]; then \
        export TARGET_CC=clang CARGO_TARGET_$(echo $target | tr a-z- A-Z_)_LINKER=ld.lld; \
    fi \
    && cargo build --release --locked --bin scim-operator --no-default-features --target $target \
    && install -D -m 0755 target/$target/release/scim-operator /image/scim-operator \
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
