# Image for three uses: KRM function (kustomize, kpt), Argo CD config management plugin, and command in CI.
FROM python:3.13.9-alpine3.22 AS build
RUN apk add --no-cache gcc musl-dev
WORKDIR /src
COPY . .
RUN python -m venv /opt/sidecarctl \
 && /opt/sidecarctl/bin/pip install --no-cache-dir --disable-pip-version-check . \
 && /opt/sidecarctl/bin/pip uninstall --yes pip \
 && find /opt/sidecarctl -name tests -type d -prune -exec rm -rf {} + \
 && /opt/sidecarctl/bin/python -m compileall -q /opt/sidecarctl/lib

FROM python:3.13.9-alpine3.22
LABEL org.opencontainers.image.title="sidecarctl" \
      org.opencontainers.image.source="https://github.com/sidecarctl/sidecarctl" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sidecarctl /opt/sidecarctl
ENV PATH=/opt/sidecarctl/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# Argo CD runs plugins as user 999; kustomize and kpt run functions as nobody.
USER 999:999
WORKDIR /work
ENTRYPOINT ["sidecarctl"]
CMD ["krm"]
