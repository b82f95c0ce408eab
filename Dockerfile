# The pipeline in a container, CPU only:
#   docker build -t regulome .
#   docker run --rm -v "$PWD/results:/results" regulome            # mini profile; results/report/index.html
#   docker run --rm -v "$PWD/results:/results" regulome test
# The environment is made while the image is built; a run needs no network in mini.
FROM python:3.11-slim
WORKDIR /regulome
COPY requirements.lock ./
RUN python -m venv .venv && .venv/bin/python -m pip install --no-cache-dir -r requirements.lock
COPY . .
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps -e .
ENV REGULOME_OUTPUT=/results/figures REGULOME_BUILD=/results/build REGULOME_REPORT=/results/report
ENTRYPOINT ["bash", "run_all.sh"]
CMD ["mini"]
