#!/usr/bin/env bash
# Runs everything: makes the Python environment when it is needed, then the pipeline, the tests or JupyterLab.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
marker=.venv/.regulome-installed

usage() {
  cat <<'TEXT'
usage: bash run_all.sh [COMMAND] [ARGUMENTS]

  mini     every notebook on embedded data, in minutes (default); results in report/index.html
  paper    every notebook in the published sizes on real data; also writes RESULTS.md
  test     lint, unit tests, every notebook on mini data, the pipeline; ARGUMENTS go to pytest
  lab      JupyterLab in the notebooks folder; ARGUMENTS go to jupyter lab
  --help   this text

ARGUMENTS after mini or paper go to Snakemake:
  bash run_all.sh paper -n                              what would run, and why
  bash run_all.sh paper --until 35_gap_genes --cores 8  one notebook, and those it needs
  bash run_all.sh paper --profile params/cluster/slurm  on a cluster

A run that was stopped goes on with the same command. The Python environment is made in .venv on the first start,
unless an activated conda or venv environment has the packages of requirements.lock. PYTHON names another python3.
TEXT
}

say() { printf 'regulome: %s\n' "$*"; }
fail() { printf 'regulome: %s\n' "$*" >&2; exit 1; }

# Changes when the lock, the package's metadata, this folder or the Python of .venv changes.
fingerprint() {
  { cat requirements.lock pyproject.toml; printf '%s\n' "$PWD"; readlink .venv/bin/python || true; } | cksum
}

use_environment() { # folder of an environment
  export PATH="$1/bin:$PATH" VIRTUAL_ENV="$1" JUPYTER_PREFER_ENV_PATH=1
  unset PYTHONHOME
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "needs Python 3.11 or newer; found $("${PYTHON:-python3}" --version 2>&1 | head -n 1). Install it, or name one: PYTHON=/path/to/python3.11 bash run_all.sh"
}

# Says what is wrong with an environment and fails, or is silent.
suits() { "$1/bin/python" - "$PWD" <src/regulome/environment.py 2>&1; }

install() {
  local python log=.venv/install.log
  if [ -f "$marker" ]; then
    say "requirements.lock or pyproject.toml has changed: bringing .venv up to date, up to 10 minutes"
  else
    python=$(find_python)
    say "making the Python environment .venv with $("$python" --version): about 200 packages, 3 to 10 minutes, once"
    "$python" -m venv --clear .venv >/dev/null ||
      fail "$python cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)"
  fi
  rm -f "$marker"
  if ! { pip_install -r requirements.lock && pip_install --no-deps -e .; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "installing failed: see above or $PWD/$log; the same command tries again"
  fi
  fingerprint >"$marker" # last, so that an install that was stopped does not count
  say "environment ready"
}

pip_install() { .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$@"; }

# An activated environment that has the locked packages is used as it is; otherwise .venv, made when needed.
prepare() {
  local active=${VIRTUAL_ENV:-${CONDA_PREFIX:-}} reason
  if [ -n "$active" ] && [ -x "$active/bin/python" ] && [ "$active" != "$PWD/.venv" ]; then
    if reason=$(suits "$active"); then
      use_environment "$active"
      return
    fi
    say "not using the active environment $active: $(tail -n 1 <<<"$reason")"
  fi
  if [ ! -f "$marker" ] || [ "$(cat "$marker")" != "$(fingerprint)" ]; then
    if [ -x .venv/bin/python ] && suits .venv >/dev/null; then
      fingerprint >"$marker"
    else
      install
    fi
  fi
  use_environment "$PWD/.venv"
}

# Snakemake's lines that help nobody who only wants results; everything else, errors included, passes.
quieten() {
  trap '' INT
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      "Assuming unrestricted"* | "Building DAG"* | "Using shell"* | "Provided cores"* | "Rules claiming"*) ;;
      "Select jobs"* | "Execute "*" jobs..." | "Finished jobid"* | "Complete log"* | "Elapsed time"* | "") ;;
      "["???" "???" "*"]" | "Reason: Missing output files"* | "Reason: Input files updated by another job"*) ;;
      "Shutting down"* | "RuleException:" | "CalledProcessError in file"* | "Command 'set -euo"*) ;;
      "    message: None" | "    jobid: "* | "    input: "* | "    output: "*) ;;
      "Job "*" has been submitted with SLURM jobid "*) printf '%s\n' "${line%% (log: *}" ;;
      "Cleaning up SLURM log files"*) ;;
      "No SLURM account given"* | "No account was given"* | "Unable to guess SLURM account"*) ;;
      "Job "[0-9]*": "*) printf '%s\n' "${line#Job *: }" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
}

pipeline() { # profile, arguments of Snakemake
  local profile=$1 argument dry='' raw='' result=report/$1.html
  local -a cores=(--cores all)
  shift
  for argument in "$@"; do
    case $argument in
      -n | --dry-run | --dryrun) dry=1 ;;
      -l | --list* | --summary | --detailed-summary | --dag* | --rulegraph* | --filegraph | --lint* | -h | --help) raw=1 ;;
      --until | -U | --omit-from | -O) result=figures/$profile ;;
      build/* | figures/* | report/*) result=$argument ;;
      --cores* | -c* | --jobs* | -j* | --profile* | --executor* | -e | --workflow-profile*) cores=() ;;
    esac
  done
  # Snakemake's own lock outlives a kill; the Snakefile takes one that does not.
  local -a command=(snakemake --quiet host --config "profile=$profile" --nolock --rerun-incomplete)
  # With jobs waiting, Snakemake looks for free cores once in this time for every job that has ended, not once in all: at
  # its default of a second that takes a fifth of a core.
  command+=(--max-jobs-per-timespan 100/5s)
  command+=(--max-checksum-file-size 100MB ${cores[@]+"${cores[@]}"} "$@")
  if [ -n "$raw" ]; then
    "${command[@]}"
  elif "${command[@]}" 2>&1 | quieten; then
    [ -n "$dry" ] || say "done; results in $PWD/$result"
  else
    fail "stopped: the reason stands above. The same command goes on from here."
  fi
}

run_tests() {
  local argument targets="notebooks tests" # longest first
  local -a spread=(-n "${REGULOME_TEST_PROCESSES:-auto}" --no-loadscope-reorder)
  for argument in "$@"; do
    if [ -e "${argument%%::*}" ]; then targets='' spread=(); fi
  done
  export OMP_WAIT_POLICY=PASSIVE # threads of waiting processes leave the cores to the others
  # shellcheck disable=SC2086  # two words on purpose
  exec python -m pytest --nbmake --nbmake-timeout=900 ${spread[@]+"${spread[@]}"} $targets "$@"
}

export MPLBACKEND=Agg
case ${1:-mini} in
  mini | paper)
    profile=${1:-mini}
    [ $# -eq 0 ] || shift
    prepare
    pipeline "$profile" "$@"
    ;;
  test)
    shift
    prepare
    run_tests "$@"
    ;;
  lab)
    shift
    prepare
    unset MPLBACKEND
    exec jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks "$@"
    ;;
  -h | --help | help)
    usage
    ;;
  *)
    printf 'regulome: unknown command %s\n' "$1" >&2
    usage >&2
    exit 2
    ;;
esac
