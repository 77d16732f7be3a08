# One image; the command chooses web, jobs, emulator or any CLI verb:
#   docker build -t rollcall . && docker run --rm -p 8080:8080 --env-file env -v rollcall:/var/lib/rollcall rollcall serve
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/rollcall \
    && /opt/rollcall/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY service service
COPY jobs jobs
RUN /opt/rollcall/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/rollcall --create-home rollcall
COPY --from=build /opt/rollcall /opt/rollcall
COPY sample_rosters /usr/share/rollcall/sample_rosters
ENV PATH=/opt/rollcall/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ROLLCALL_DATA_DIR=/var/lib/rollcall
USER rollcall
WORKDIR /var/lib/rollcall
VOLUME /var/lib/rollcall
EXPOSE 8080
ENTRYPOINT ["rollcall"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
