#!/usr/bin/env bash
# Bring a Debian 12 machine to where `make demo` (or `make test`) can run. Does nothing twice: each part is left alone
# when what it was made from has not changed. Usage: deploy/setup.sh demo|test
set -euo pipefail
cd "$(dirname "$0")/.."
exec 1>&2 # what set-up says is no command's answer
stage=${1:?usage: deploy/setup.sh demo|test}

fail() {
  printf '\nsetup: %s\n' "$1" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    fail "'$1' needs root: run this as root, or install sudo"
  fi
}

names_in() { grep -hv '^#' "$@"; }

python=$(command -v python3.11 || command -v python3 || true)
[ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  [ -n "$python" ] && fail "Python 3.11 or newer is needed, $("$python" --version) is here. Debian 12 has it: apt-get install python3"
  python=/usr/bin/python3
}

wanted=$(names_in deploy/debian-packages.txt)
[ "$stage" = test ] && wanted="$wanted $(names_in deploy/debian-packages-test.txt)"
[ -x "$python" ] || wanted="$wanted python3 python3-venv python3-dev"
if [ -x "$python" ]; then
  "$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    wanted="$wanted python3-dev"
fi
command -v npm >/dev/null || wanted="$wanted npm"

missing=""
for package in $wanted; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "setup: installing Debian packages:$missing"
  log=$(mktemp)
  as_root apt-get update -qq >"$log" 2>&1 || { cat "$log" >&2; fail "apt-get update failed: check the machine's network and /etc/apt/sources.list"; }
  # shellcheck disable=SC2086
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1; then
    for package in $missing; do
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        fail "Debian package '$package' could not be installed: the lines above say why; try 'apt-get install $package' by hand, then run this again"
      }
    done
  fi
  rm -f "$log"
fi

requirements="requirements/build.txt requirements/runtime.txt"
[ "$stage" = test ] && requirements="$requirements requirements/dev.txt"
stamp=.venv/stamp-$stage
# shellcheck disable=SC2086
made_from=$({ "$python" --version; pwd; cat $requirements; sed '/^\[tool.ruff/,$d' pyproject.toml; } | sha256sum) # the project's part alone
if [ "$(cat "$stamp" 2>/dev/null)" != "$made_from" ]; then
  echo "setup: making the virtual environment for '$stage' (about a minute)"
  [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; "$python" -m venv .venv; }
  pip() {
    .venv/bin/python -m pip --disable-pip-version-check install -q "$@" ||
      fail "a Python package could not be installed: pip's lines above name it. Check the network; if a build failed, see that gcc, swig, libcups2-dev and libpcsclite-dev are there; then run this again"
  }
  pip --require-hashes -r requirements/build.txt
  for list in $requirements; do pip --no-build-isolation --require-hashes -r "$list"; done
  PYTHONWARNINGS=ignore pip --no-build-isolation --no-deps -e . # of setuptools: that editable folders can be shadowed
  echo "$made_from" >"$stamp"
fi

if [ -f package-lock.json ]; then
  made_from=$(sha256sum <package-lock.json)
  if [ "$(cat node_modules/.stamp 2>/dev/null)" != "$made_from" ]; then
    echo "setup: fetching the front-end files"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error ||
      fail "the front-end files could not be fetched: npm's lines above name the package. Check the network, then run this again"
    echo "$made_from" >node_modules/.stamp
  fi
fi
