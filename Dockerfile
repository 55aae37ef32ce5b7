# Haystack's image: compiled in the first stage, packed in the second; the last one holds Python and one folder.
FROM python:3.11-slim AS build
RUN [ -e /usr/include/openssl/ssl.h ] && [ -e /usr/include/nghttp2/nghttp2.h ] && command -v gcc >/dev/null || { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libssl-dev libnghttp2-dev && rm -rf /var/lib/apt/lists/*; }
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/image.txt requirements/
RUN python -m venv /opt/build && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
RUN python -m venv --copies /opt/haystack && /opt/haystack/bin/pip install --require-hashes -r requirements/image.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY haystack haystack
RUN /opt/build/bin/python setup.py --quiet bdist_wheel --dist-dir /dist && /opt/haystack/bin/pip install --no-deps /dist/*.whl

FROM build AS pack
# Neither pip nor setuptools runs in the image, and no test of a dependency does.
RUN /opt/haystack/bin/pip uninstall --quiet --yes setuptools pip; \
    find /opt/haystack -depth \( -name tests -o -name test \) -type d -path '*site-packages*' -exec rm -rf {} +; \
    /opt/haystack/bin/python -m compileall -q /opt/haystack/lib || true

FROM python:3.11-slim
LABEL haystack.enable="false" \
      org.opencontainers.image.title="haystack" \
      org.opencontainers.image.description="A name for every container, and HTTP balanced over them" \
      org.opencontainers.image.licenses="MIT"
RUN apt-get update && apt-get install -y --no-install-recommends libnghttp2-14 && rm -rf /var/lib/apt/lists/*
# Haystack starts as root, for ports below 1024 and the engine's socket; its workers, which parse what strangers send, run as this user.
RUN useradd --system --no-create-home --shell /usr/sbin/nologin haystack
COPY --from=pack /opt/haystack /opt/haystack
ENV PATH=/opt/haystack/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONUNBUFFERED=1
EXPOSE 22 53/udp 53/tcp 80 443 8080
VOLUME /var/lib/haystack
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["haystack", "healthcheck"]
ENTRYPOINT ["haystack"]
CMD ["run"]
