#!/usr/bin/env bash
# Bring a Debian 12 machine to where `make demo` (or `make test`) can run. Does nothing twice: each part is left alone
# when what it was made from has not changed. Usage: deploy/setup.sh demo|test|bench
set -euo pipefail
cd "$(dirname "$0")/.."
exec 1>&2 # what set-up says is no command's answer
stage=${1-}

fail() {
  printf '\nsetup: %s\n' "$1" >&2
  exit 1
}
case $stage in demo | test | bench) ;; *) fail "usage: deploy/setup.sh demo|test|bench" ;; esac

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; } # others may be at it

names_in() { grep -hv '^#' "$@"; }

# Debian's own first: it is built with profile and link-time optimisation, and one that was built by hand is often a
# third slower. Where there is another version only, that one.
python=$(ls /usr/bin/python3.11 2>/dev/null || command -v python3.11 || command -v python3 || echo /usr/bin/python3)
refuse_old_python() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, $python is $("$python" --version). Debian 12 has 3.11: apt-get install python3"
}

wanted=$(names_in deploy/debian-packages.txt)
[ "$stage" = demo ] || wanted="$wanted $(names_in deploy/debian-packages-test.txt)"
if [ -x "$python" ]; then
  refuse_old_python
  "$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
    wanted="$wanted python3-dev"
else
  wanted="$wanted python3 python3-venv python3-dev"
fi
command -v npm >/dev/null || wanted="$wanted npm"

missing=""
for package in $wanted; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  echo "setup: installing Debian packages (a minute or two):$missing"
  as_root true || fail "Debian packages need root: run this as root, or as somebody whom sudo lets"
  log=$(mktemp)
  # The tests bring up clusters of their own: while this file stands, installing PostgreSQL makes and starts none.
  no_cluster=/etc/postgresql-common/createcluster.d/madoguchi.conf
  trap 'rm -f "$log"; as_root rm -f "$no_cluster"' EXIT
  case " $missing " in *" postgresql "*)
    as_root install -d "${no_cluster%/*}"
    echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
    ;;
  esac
  apt update >"$log" 2>&1 || true # a source of somebody else's that is down is no reason to stop; the next line tells
  # shellcheck disable=SC2086
  if ! apt install -y --no-install-recommends $missing >>"$log" 2>&1; then
    for package in $missing; do # one by one, to say which
      apt install -y --no-install-recommends "$package" >>"$log" 2>&1 || {
        grep -E '^(E|W|Err):' "$log" | sort -u | tail -n 8 || tail -n 8 "$log"
        fail "Debian package '$package' could not be installed: the lines above say why. Check the network and the Debian sources in /etc/apt, try 'apt-get update' and 'apt-get install $package' by hand, then run this again"
      }
    done
  fi
  refuse_old_python
fi

if [ ! -d /run/pcscd ]; then # pcscd will not start without it; where systemd runs, systemd makes it
  as_root install -d -m 755 /run/pcscd || fail "/run/pcscd could not be made: run this as root, or as somebody whom sudo lets"
fi

lists_of() { # a stage's Python packages
  echo requirements/build.txt requirements/runtime.txt
  [ "$1" = demo ] || echo requirements/dev.txt
  [ "$1" != bench ] || echo requirements/bench.txt
}
base_of() { "$1" -c 'import sys; print(sys.base_prefix)' 2>/dev/null; }
# shellcheck disable=SC2046
made_from() { # what a stage's virtual environment is made from: of pyproject.toml the project's own part alone
  { "$python" --version; base_of "$python"; pwd; cat $(lists_of "$1"); sed '/^\[tool.ruff/,$d' pyproject.toml; } | sha256sum
}

if [ "$(cat ".venv/stamp-$stage" 2>/dev/null)" != "$(made_from "$stage")" ]; then
  echo "setup: making the virtual environment for '$stage' (about a minute)"
  if [ "$(base_of .venv/bin/python)" != "$(base_of "$python")" ]; then
    rm -rf .venv
    "$python" -m venv .venv || fail "the virtual environment could not be made: the lines above say why"
  fi
  pip() {
    .venv/bin/python -m pip --disable-pip-version-check install -q "$@" ||
      fail "a Python package could not be installed: pip's lines above name it. Check the network; if a build failed, see that gcc, swig, libcups2-dev and libpcsclite-dev are there; then run this again"
  }
  pip --require-hashes -r requirements/build.txt
  for list in $(lists_of "$stage"); do pip --no-build-isolation --require-hashes -r "$list"; done
  PYTHONWARNINGS=ignore pip --no-build-isolation --no-deps -e . # of setuptools: that editable folders can be shadowed
  made_from demo >.venv/stamp-demo # what the tests need includes what the demo needs, and the benches what the tests need
  [ "$stage" != bench ] || made_from test >.venv/stamp-test
  made_from "$stage" >".venv/stamp-$stage"
fi

if [ -f package-lock.json ]; then
  locked=$(sha256sum <package-lock.json)
  if [ "$(cat node_modules/.stamp 2>/dev/null)" != "$locked" ]; then
    echo "setup: fetching the front-end files"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
      fail "the front-end files could not be fetched: npm's lines above name the package. Check the network, then run this again"
    echo "$locked" >node_modules/.stamp
  fi
fi
