# Two stages: build with Rust, run on a slim Debian as a user without rights.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY static static
COPY tests tests
COPY benches benches
RUN cargo build --release --locked --bin ordercast

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin ordercast \
    && install -d -o ordercast -g ordercast -m 0700 /data
COPY --from=build /src/target/release/ordercast /usr/local/bin/ordercast
USER 10001
ENV ORDERCAST_BIND=0.0.0.0:8080 ORDERCAST_DATA_DIR=/data ORDERCAST_MODE=production
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["ordercast"]
CMD ["serve"]
