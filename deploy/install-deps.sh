#!/usr/bin/env bash
# Installs what Millrace needs from the system and is missing: PostgreSQL 15 or newer (the programs only, no cluster, no
# service), ffmpeg, and a C compiler for two of the Rust libraries. With --tests also Chromium and a Chinese font, which
# the browser tests need, libfaketime for clocks that are wrong, PgBouncer to stand between, and Python with a parser of
# playlists, in an environment of its own in the cache folder. With --schemathesis also that, in another one, for
# `make check-api`. Says nothing when nothing is missing; may be run any number of times, as root or with sudo.
set -euo pipefail

oldest_postgres=15
oldest_node=20
tests=
schemathesis=
[ "${1:-}" = --tests ] && tests=1
[ "${1:-}" = --schemathesis ] && schemathesis=1

fail() { printf 'millrace: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# The major version of the PostgreSQL programs in a directory.
postgres_version() { "$1/postgres" --version 2>/dev/null | sed -E 's/[^0-9]*([0-9]+).*/\1/'; }

has_postgres() {
  local dir dirs
  if [ -n "${MILLRACE_PG_BIN:-}" ]; then
    dirs=("$MILLRACE_PG_BIN")
  else
    dirs=(/usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin)
    has postgres && dirs+=("$(dirname "$(command -v postgres)")")
  fi
  for dir in "${dirs[@]}"; do
    if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] && [ "$(postgres_version "$dir")" -ge "$oldest_postgres" ]; then
      return 0
    fi
  done
  return 1
}

# Not `grep -q`: it hangs up on the first match, and under pipefail the broken pipe of ffmpeg counts as a no.
has_ffmpeg() { has ffmpeg && has ffprobe && ffmpeg -hide_banner -encoders 2>/dev/null | grep ' libx264 ' >/dev/null; }
has_browser() { [ -n "${CHROMIUM:-}" ] || has chromium || [ -d '/Applications/Chromium.app' ]; }
has_faketime() { compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null; }
has_pgbouncer() { [ -x /usr/sbin/pgbouncer ] || [ -x /usr/bin/pgbouncer ]; }
has_chinese() { has fc-list && [ -n "$(fc-list :lang=zh-tw 2>/dev/null | head -n 1)" ]; }

python_home="${XDG_CACHE_HOME:-$HOME/.cache}/millrace/python"
has_python() { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; }
has_m3u8() { "$python_home/bin/python" -c 'import m3u8' 2>/dev/null; }

install_m3u8() {
  python3 -m venv --clear "$python_home" &&
    "$python_home/bin/python" -m pip install --quiet --disable-pip-version-check 'm3u8==6.0.0' ||
    fail "PyPI's m3u8 could not be installed in $python_home"
}

schemathesis_home="${XDG_CACHE_HOME:-$HOME/.cache}/millrace/schemathesis"
schemathesis_version=4.32.5
has_schemathesis() { "$schemathesis_home/bin/schemathesis" --version 2>/dev/null | grep -F "$schemathesis_version" >/dev/null; }

install_schemathesis() {
  python3 -m venv --clear "$schemathesis_home" &&
    "$schemathesis_home/bin/python" -m pip install --quiet --disable-pip-version-check "schemathesis==$schemathesis_version" ||
    fail "PyPI's schemathesis could not be installed in $schemathesis_home"
}

# What is missing, by name.
missing() {
  has cc || echo compiler
  has_postgres || echo postgresql
  has_ffmpeg || echo ffmpeg
  [ -z "$tests" ] || has_browser || echo chromium
  [ -z "$tests" ] || [ "$(uname)" = Darwin ] || has_chinese || echo font
  [ -z "$tests" ] || [ "$(uname)" = Darwin ] || has_faketime || echo faketime
  [ -z "$tests" ] || [ "$(uname)" = Darwin ] || has_pgbouncer || echo pgbouncer
  [ -z "$tests" ] || has_m3u8 || has_python || echo python
  [ -z "$schemathesis" ] || has_schemathesis || has_python || echo python
}

by_hand() {
  local needed="PostgreSQL $oldest_postgres or newer (MILLRACE_PG_BIN may name its directory), ffmpeg with libx264, a C compiler"
  [ -z "$tests" ] || needed="$needed, Chromium (CHROMIUM may name it), a font for Chinese, libfaketime, PgBouncer, Python 3 with venv"
  fail "please install by hand: $(missing | tr '\n' ' ')($1). Needed: $needed"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    by_hand "neither root nor sudo"
  fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold "$@" >/dev/null
}

# Debian's package makes and starts a cluster on port 5432 unless it is told not to, and only while it is installed.
install_postgres_by_apt() {
  apt install --no-install-recommends postgresql-common
  local conf=/etc/postgresql-common/createcluster.conf
  as_root cp "$conf" "$conf.millrace"
  printf 'create_main_cluster = false\n' | as_root tee -a "$conf" >/dev/null
  local installed=0
  apt install --no-install-recommends postgresql || installed=$?
  as_root mv "$conf.millrace" "$conf"
  return "$installed"
}

# Debian's package starts a server with its example settings, which nobody asked for.
install_pgbouncer_by_apt() {
  apt install --no-install-recommends pgbouncer || return
  if [ -d /run/systemd/system ]; then
    as_root systemctl --quiet disable --now pgbouncer
  else
    as_root /etc/init.d/pgbouncer stop >/dev/null
  fi
}

install_by_apt() {
  local wanted=$1 packages=()
  echo "Installing: $(tr '\n' ' ' <<<"$wanted")"
  apt update || by_hand "apt-get update failed"
  grep -q compiler <<<"$wanted" && packages+=(gcc libc6-dev)
  grep -q ffmpeg <<<"$wanted" && packages+=(ffmpeg)
  grep -q chromium <<<"$wanted" && packages+=(chromium)
  grep -q faketime <<<"$wanted" && packages+=(faketime)
  grep -q font <<<"$wanted" && packages+=(fonts-noto-cjk fontconfig)
  grep -q python <<<"$wanted" && packages+=(python3 python3-venv)
  if [ ${#packages[@]} -gt 0 ]; then
    apt install --no-install-recommends "${packages[@]}" || by_hand "apt-get install failed"
  fi
  if grep -q pgbouncer <<<"$wanted"; then
    install_pgbouncer_by_apt || by_hand "apt-get install failed"
  fi
  if grep -q postgresql <<<"$wanted"; then
    install_postgres_by_apt || by_hand "apt-get install failed"
    has_postgres || by_hand "this system's PostgreSQL is older; apt.postgresql.org has newer ones"
  fi
}

install_by_brew() {
  local wanted=$1
  echo "Installing: $(tr '\n' ' ' <<<"$wanted")"
  grep -q postgresql <<<"$wanted" && brew install --quiet postgresql@17
  grep -q ffmpeg <<<"$wanted" && brew install --quiet ffmpeg
  grep -q chromium <<<"$wanted" && brew install --quiet --cask chromium
  grep -q python <<<"$wanted" && brew install --quiet python
  grep -q compiler <<<"$wanted" && by_hand "run xcode-select --install for a C compiler"
  return 0
}

check_toolchains() {
  has cargo || fail 'Rust is not installed: see https://rustup.rs (the version in rust-toolchain.toml follows by itself)'
  has node && has npm || fail "Node.js $oldest_node or newer is not installed: see https://nodejs.org"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge "$oldest_node" ] ||
    fail "Node.js $(node --version) is too old: $oldest_node or newer is needed"
}

check_toolchains
wanted=$(missing)
if [ -n "$wanted" ]; then
  if has apt-get; then
    install_by_apt "$wanted"
  elif has brew; then
    install_by_brew "$wanted"
  else
    by_hand "neither apt-get nor brew"
  fi
  left=$(missing)
  [ -z "$left" ] || by_hand "the packages do not bring it"
fi
[ -z "$tests" ] || has_m3u8 || install_m3u8
[ -z "$schemathesis" ] || has_schemathesis || install_schemathesis
