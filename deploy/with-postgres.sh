#!/usr/bin/env bash
# Runs a command with DATABASE_URL leading to a PostgreSQL cluster of its own, which is gone afterwards:
#   deploy/with-postgres.sh [--schema] command [argument...]
# --schema: the database has all migrations, for sqlx to check statements against. Plain SQL by psql and not our own
# migrate command, because that one does not compile while the committed query data is stale.
set -euo pipefail
cd "$(dirname "$0")/.."

schema=
[ "${1:-}" = --schema ] && { schema=1; shift; }
[ $# -gt 0 ] || { echo "usage: $0 [--schema] command [argument...]" >&2; exit 2; }

newest() {
  local dir
  for dir in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
    [ ! -x "$dir/initdb" ] || echo "$dir"
  done | sort -V | tail -n 1
}
bin=${MILLRACE_PG_BIN:-$(newest)}
bin=${bin:-$(dirname "$(command -v initdb)")}

# Short, since the path of a socket is at most 107 bytes.
dir=$(mktemp -d /tmp/millrace-pg.XXXXXX)
run=()
if [ "$(id -u)" = 0 ]; then
  user=postgres
  id -u "$user" >/dev/null 2>&1 || user=nobody
  chown "$user" "$dir"
  run=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
fi
pg() { (cd "$dir" && ${run[@]+"${run[@]}"} "$bin/$@"); }

stop() {
  pg pg_ctl -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

pg initdb -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
  pg initdb -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --locale-provider=icu --icu-locale=und --no-sync >/dev/null
# What tests write need not survive a power cut.
settings="-c listen_addresses= -c unix_socket_directories=$dir -c max_connections=300 -c fsync=off -c full_page_writes=off"
pg pg_ctl -D "$dir/data" -w -t 60 -l "$dir/log" -o "$settings" start >/dev/null || { cat "$dir/log" >&2; exit 1; }

export DATABASE_URL="postgres://postgres@localhost/postgres?host=$dir"
if [ -n "$schema" ]; then
  for file in migrations/queue/*.sql migrations/app/*.sql; do
    "$bin/psql" -qX -v ON_ERROR_STOP=1 "$DATABASE_URL" -f "$file" >/dev/null
  done
fi
"$@"
