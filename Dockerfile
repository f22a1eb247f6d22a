# Two stages: pip stays in the first, the second holds the installed package alone.
#   docker build -t assistant-monitor .                                        # the user model is served elsewhere
#   docker build -t assistant-monitor --build-arg EXTRAS=engine,postgres .     # with torch and CUDA: gigabytes
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=postgres
WORKDIR /src
# What the package needs comes before its code: this layer is kept while only the code changes.
COPY pyproject.toml constraints.txt ./
RUN python -m venv /opt/pip \
    && /opt/pip/bin/python -m pip install --no-cache-dir -c constraints.txt hatchling \
    && python -m venv --without-pip /opt/assistant-monitor \
    && python -c 'import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
        extras = [project["optional-dependencies"][name] for name in sys.argv[1].split(",") if name]; \
        print(*project["dependencies"], *sum(extras, []), sep="\n")' "$EXTRAS" > needs.txt \
    && /opt/pip/bin/python -m pip --python /opt/assistant-monitor/bin/python \
        install --no-cache-dir -c constraints.txt -r needs.txt
COPY README.md LICENSE ./
COPY migrations migrations
COPY config config
COPY systemd systemd
COPY monitor monitor
RUN /opt/pip/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/pip/bin/python -m pip --python /opt/assistant-monitor/bin/python \
        install --no-cache-dir --no-deps dist/*.whl

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="assistant-monitor" \
      org.opencontainers.image.description="Simulated users talk to a production assistant; a fall in the answers wakes somebody" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing is written outside the two volumes, so the root may be read-only. HF_HOME keeps what a model hub's client
# writes beside the weights.
ENV PATH=/opt/assistant-monitor/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ASSISTANT_MONITOR_CONFIG=/etc/assistant-monitor/monitor.yaml \
    ASSISTANT_MONITOR_CACHE=/var/lib/assistant-monitor/models \
    HF_HOME=/var/lib/assistant-monitor/models \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
RUN groupadd --gid 10001 assistant-monitor \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/assistant-monitor \
        --shell /usr/sbin/nologin assistant-monitor \
    && install -d /etc/assistant-monitor \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/assistant-monitor /var/lib/assistant-monitor/models
COPY --from=build /opt/assistant-monitor /opt/assistant-monitor
USER 10001:10001
# The weights outlive the state: 32 GB need not be fetched again for a new database.
VOLUME ["/var/lib/assistant-monitor", "/var/lib/assistant-monitor/models"]
# Temporary files, which torch needs even to be imported, go here where /tmp is read-only.
WORKDIR /var/lib/assistant-monitor
EXPOSE 9464 9465
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["assistant-monitor", "health"]
ENTRYPOINT ["assistant-monitor"]
CMD ["run"]
