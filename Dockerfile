# Two stages: the second holds the installed package alone. EXTRAS=engine,postgres adds torch with CUDA (gigabytes).
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=postgres
WORKDIR /src
COPY . .
RUN python -m venv /opt/assistant-monitor \
    && /opt/assistant-monitor/bin/python -m pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/assistant-monitor /opt/assistant-monitor
ENV PATH=/opt/assistant-monitor/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/assistant-monitor assistant-monitor
USER 10001
VOLUME /var/lib/assistant-monitor
EXPOSE 9464 9465
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["assistant-monitor", "health"]
ENTRYPOINT ["assistant-monitor"]
CMD ["run", "--config", "/etc/assistant-monitor/monitor.yaml"]
