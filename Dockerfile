# Haystack's image. What seldom changes is made first: compilers, packages of the lock, the compiled data plane, then Haystack's own Python.
# A change of Python code alone makes the last of these anew, in seconds. The image itself has no more of the base than what they need to run:
# no shell and no package manager (docs/decisions/0024-no-more-than-what-runs.md).
ARG BASE=python:3.11-slim

FROM ${BASE} AS compilers
RUN [ -e /usr/include/openssl/ssl.h ] && [ -e /usr/include/nghttp2/nghttp2.h ] && command -v gcc strip >/dev/null || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libssl-dev libnghttp2-dev && rm -rf /var/lib/apt/lists/*; }
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements/build.txt requirements/
RUN python -m venv /opt/build && /opt/build/bin/pip install --quiet --require-hashes -r requirements/build.txt

FROM compilers AS packages
COPY requirements/image.txt requirements/trim requirements/
RUN python -m venv --without-pip /opt/haystack \
    && /opt/build/bin/pip --python /opt/haystack/bin/python install --quiet --no-compile --require-hashes --report /src/packages.json -r requirements/image.txt \
    && requirements/trim /opt/haystack

FROM compilers AS data-plane
COPY setup.py ./
COPY haystack/__init__.py haystack/
COPY haystack/_fast haystack/_fast
RUN /opt/build/bin/python setup.py --quiet build_ext --inplace --parallel "$(nproc)" \
    && find haystack/_fast -name 'testing.*.so' -delete \
    && find haystack/_fast -name '*.so' -exec strip --strip-unneeded {} +

FROM packages AS root
COPY --from=data-plane /src/haystack/_fast /src/compiled
COPY requirements/root requirements/
RUN groupadd --gid 65532 haystack \
    && useradd --uid 65532 --gid haystack --no-create-home --home-dir /var/lib/haystack --shell /usr/sbin/nologin haystack \
    && install --directory --owner haystack --group root --mode 0775 /var/lib/haystack \
    && requirements/root /image /opt/haystack /src/compiled

FROM packages AS own
COPY --from=root /image/var/lib/dpkg/status.d /src/status.d
COPY requirements/sbom requirements/
COPY pyproject.toml setup.py README.md LICENSE ./
COPY haystack haystack
RUN HAYSTACK_COMPILED=1 /opt/build/bin/python setup.py --quiet bdist_wheel --dist-dir /dist \
    && /opt/build/bin/pip --python /opt/haystack/bin/python install --quiet --no-compile --no-deps --prefix /out/opt/haystack /dist/*.whl \
    && find /out -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' | xargs -r rm
COPY --from=data-plane /src/haystack/_fast /src/compiled
RUN cd /src/compiled && find . -name '*.so' -exec cp --parents {} /out/opt/haystack/lib/python*/site-packages/haystack/_fast/ \; \
    && /opt/haystack/bin/python -m compileall -q --invalidation-mode unchecked-hash -s /out /out/opt/haystack/lib \
    && mkdir -p /out/opt/haystack/share && /opt/haystack/bin/python /src/requirements/sbom /src/packages.json /out /src/status.d > /tmp/sbom \
    && mv /tmp/sbom /out/opt/haystack/share/sbom.cdx.json

FROM scratch
COPY --from=root /image /
ENV PATH=/opt/haystack/bin:/usr/local/bin:/usr/bin LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 22 53/udp 53/tcp 80 443 8080
VOLUME /var/lib/haystack
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["haystack", "healthcheck"]
# No USER: a mounted engine's socket is root's. Started as root, only the process that reads that socket stays so, without capabilities; all
# others are the user haystack (docs/privileges.md). `--user haystack --group-add GROUP` has none of root's.
ENTRYPOINT ["haystack"]
CMD ["run"]
COPY --from=packages /opt/haystack /opt/haystack
COPY --from=own /out/ /
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL haystack.enable="false" \
      org.opencontainers.image.title="haystack" \
      org.opencontainers.image.description="A name for every container, and HTTP balanced over them" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
