# The image of compose.yaml: server and workers. The same steps as on a bare Debian 12, where `make setup-base` installs
# the rest: the base set of Python packages, Chromium, fonts, KaTeX and Tailwind.
FROM debian:12-slim

RUN apt-get -qq update \
    && apt-get -qq install -y --no-install-recommends ca-certificates git make python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/markupmill
COPY . .
RUN make setup-base && rm -rf /var/lib/apt/lists/* ~/.cache

# Not root: Chromium keeps its own sandbox where the container's rules allow one.
RUN useradd --create-home mill && install -d -o mill /data
USER mill
WORKDIR /data
ENV PATH=/opt/markupmill/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=1
CMD ["markupmill", "--help"]
