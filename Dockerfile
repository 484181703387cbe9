# The local system in a container, for those who have no Rust, and as a service of other projects' CI.
#
#     docker build --tag users . && docker run --rm --publish 127.0.0.1:3000:3000 users
#
# The base images are arguments, for networks that have mirrors of their own.
ARG BUILDER=rust:1.94.1-slim-bookworm
# A C library, a folder for temporary files and the user `nonroot`; no shell.
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS build
WORKDIR /sources
COPY . .
# The folder of the data is made here because the last image has no shell; a new volume takes its owner over.
RUN cargo build --release --locked --package users --bin users \
    && mkdir /out /out/data \
    && mv target/release/users /out/users

FROM ${RUNTIME}
COPY --from=build --chown=0:0 /out/users /usr/local/bin/users
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
VOLUME /data
WORKDIR /data
# Where `users token` in the container finds the system that runs there; everything else is read-only.
ENV XDG_RUNTIME_DIR=/data
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/usr/local/bin/users", "health"]
ENTRYPOINT ["/usr/local/bin/users"]
# Other machines, the host of the container among them, reach the API alone: not the console, not the DynamoDB API.
CMD ["serve", "--host", "0.0.0.0"]
