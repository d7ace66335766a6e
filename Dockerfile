# The service in an image of one file: no shell, no packages, and a user that is only a number.
#
#   docker build --tag framesign .
#
# How to run it: compose.yaml and deploy/kubernetes. scripts/image builds the final stage without
# Docker and tries what comes out.

# A static binary does not tell its components, Cargo.lock does: the list of components (SBOM) is
# made from the input of the build.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true

# The base is named by version. Pin it by digest as well before the first release, with what
# `docker buildx imagetools inspect rust:1.95.0-slim-trixie` says (FROM rust:1.95.0-slim-trixie@sha256:…);
# from then on Dependabot keeps both. Until then the provenance of an image tells its base.
FROM rust:1.95.0-slim-trixie AS build
WORKDIR /build
COPY . .
# The caches keep what was fetched and compiled between builds on one machine.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    scripts/build-static /framesign

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="framesign" \
      org.opencontainers.image.description="Signs and verifies HTTP/1.1 request frames as they stream" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /framesign /framesign
USER 65532:65532
# Beyond loopback the service requires callers, so this address alone lets nobody in. Health and metrics
# have a port of their own, which works in the same way with TLS and without. Each thread with an arena of the
# allocator of its own would keep some 300 KiB.
ENV FRAMESIGN_LISTEN=0.0.0.0:8080 \
    FRAMESIGN_ADMIN_LISTEN=0.0.0.0:8081 \
    FRAMESIGN_HEALTHCHECK_URL=http://127.0.0.1:8081/health \
    MALLOC_ARENA_MAX=2
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/framesign", "healthcheck"]
ENTRYPOINT ["/framesign"]
CMD ["serve"]
