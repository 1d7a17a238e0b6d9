FROM golang:1.27-bookworm AS forwarder
WORKDIR /src
COPY client/forwarder .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /moorage-forwarder .

FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_PROJECT_ENVIRONMENT=/opt/moorage \
    UV_PYTHON_PREFERENCE=only-system \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy
WORKDIR /src
# What changes rarely first: the locked dependencies are a layer of their own.
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY client/pyproject.toml client/README.md client/
RUN uv sync --locked --no-dev --extra kubernetes --extra traces --no-install-workspace
COPY migrations migrations
COPY server server
COPY client/moorage client/moorage
# Both distributions as wheels: nothing in the image points back into /src.
RUN uv sync --locked --no-dev --extra kubernetes --extra traces --no-editable

FROM python:3.11-slim-bookworm
COPY --from=build /opt/moorage /opt/moorage
# What nodes start for each call, where they have no Python: `moorage-agent install --forwarder`.
COPY --from=forwarder /moorage-forwarder /opt/moorage/bin/
ENV PATH=/opt/moorage/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 7711 7712
ENTRYPOINT ["moorage-server"]
CMD ["serve"]
