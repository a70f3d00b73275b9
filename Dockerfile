# The image of operator, gateway, archiver and agent. `make images` builds it.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
# Where a machine reaches its package index through a certificate authority or mirror of its own.
ARG PIP_CERT=
ARG PIP_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
COPY requirements/image.lock /build/requirements/image.lock
RUN python3 -m venv /opt/cijob \
 && /opt/cijob/bin/pip install --quiet --require-hashes -r /build/requirements/image.lock
COPY pyproject.toml README.md LICENSE /build/
COPY crds /build/crds
COPY kube /build/kube
COPY operator /build/operator
COPY gateway /build/gateway
COPY agent /build/agent
COPY cli /build/cli
RUN /opt/cijob/bin/pip install --quiet --no-deps --no-build-isolation /build \
 && /opt/cijob/bin/pip uninstall --quiet --yes hatchling pip

FROM ${BASE_IMAGE}
RUN command -v git ssh >/dev/null \
 || (apt-get update && apt-get install --yes --no-install-recommends git openssh-client \
 && rm -rf /var/lib/apt/lists/*)
RUN useradd --uid 1000 --user-group --create-home cijob
COPY --from=build /opt/cijob /opt/cijob
ENV PATH=/opt/cijob/bin:$PATH PYTHONUNBUFFERED=1
USER 1000:1000
WORKDIR /home/cijob
