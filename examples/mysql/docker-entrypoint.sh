#!/bin/bash
# Makes the database at the first start, then becomes the server.
set -eo pipefail
shopt -s nullglob

NAME=${0##*/}
SOCKET=/run/mysqld/mysqld.sock

note() { printf '%s [%s] %s\n' "$(date -u +%FT%TZ)" "$NAME" "$*"; }
warn() { note "warning: $*" >&2; }
fail() {
  note "error: $*" >&2
  exit 1
}

# setting NAME: the variable, or the text of the file that NAME_FILE names. It is exported under its plain name.
setting() {
  local name=$1 file=${1}_FILE
  if [[ ${!name} && ${!file} ]]; then fail "$name and $file are both set: give one of them"; fi
  if [[ ${!file} ]]; then
    [[ -r ${!file} ]] || fail "$file names ${!file}, which cannot be read"
    export "$name=$(<"${!file}")"
  fi
  unset "$file"
}

# Does the command ask for something that needs no data?
only_asks() {
  local word
  for word in "$@"; do
    case $word in -'?' | --help | --print-defaults | -V | --version) return 0 ;; esac
  done
  return 1
}

# The folder of the data as the server itself understands its files and its arguments.
data_folder() {
  local said
  said=$("$@" --verbose --help --log-bin-index=/nonexistent/index 2>&1) ||
    fail "the server does not understand its settings: $(grep -m 3 -F '[ERROR]' <<<"$said" || tail -n 3 <<<"$said")"
  awk '$1 == "datadir" { sub(/^datadir +/, ""); sub(/\/$/, ""); print; exit }' <<<"$said"
}

check_settings() {
  local name
  for name in MYSQL_ROOT_PASSWORD MYSQL_ROOT_HOST MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD; do setting "$name"; done
  if [[ -z $MYSQL_ROOT_PASSWORD && -z $MYSQL_ALLOW_EMPTY_PASSWORD && -z $MYSQL_RANDOM_ROOT_PASSWORD ]]; then
    fail "there is no database in $data yet, and nothing says what root's password is to be
    Set one of these:
    - MYSQL_ROOT_PASSWORD
    - MYSQL_ALLOW_EMPTY_PASSWORD
    - MYSQL_RANDOM_ROOT_PASSWORD"
  fi
  if [[ $MYSQL_USER == root ]]; then
    fail "MYSQL_USER makes an account besides root: leave it out, and set MYSQL_ROOT_PASSWORD alone"
  fi
  if [[ $MYSQL_USER && -z $MYSQL_PASSWORD ]]; then
    warn "MYSQL_USER without MYSQL_PASSWORD: no account is made"
  elif [[ $MYSQL_PASSWORD && -z $MYSQL_USER ]]; then
    warn "MYSQL_PASSWORD without MYSQL_USER: no account is made"
  fi
}

# text VALUE: a string of SQL in the mode NO_BACKSLASH_ESCAPES.
text() { printf "'%s'" "${1//\'/\'\'}"; }
# identifier VALUE: a name in SQL.
identifier() { printf '`%s`' "${1//\`/\`\`}"; }

# docker_process_sql [ARGUMENT…]: the client on the server of the first start, for the scripts of initdb.d too.
docker_process_sql() {
  MYSQL_PWD=$root_password mariadb --no-defaults --protocol=socket --socket="$SOCKET" -uroot \
    --default-character-set=utf8mb4 --comments "$@"
}

start_server() {
  "$@" --datadir="$new" --skip-networking --socket="$SOCKET" &
  server=$!
  until docker_process_sql -e 'DO 1' >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail 'the server of the first start ended before it could be used'
    sleep 0.1
  done
}

stop_server() {
  kill "$server"
  wait "$server" || fail 'the server of the first start did not end well'
  server=
}

make_accounts() {
  local host=${MYSQL_ROOT_HOST-%} password=$MYSQL_ROOT_PASSWORD
  if [[ $MYSQL_RANDOM_ROOT_PASSWORD ]]; then
    password=$(head -c 24 /dev/urandom | base64)
    note "GENERATED ROOT PASSWORD: $password"
  fi
  {
    printf '%s;\n' \
      "SET @@SESSION.SQL_LOG_BIN = 0" \
      "SET @@SESSION.SQL_MODE = 'NO_BACKSLASH_ESCAPES'" \
      "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys' AND NOT (User = 'root' AND Host = 'localhost')" \
      "DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost'" \
      "FLUSH PRIVILEGES" \
      "ALTER USER root@localhost IDENTIFIED BY $(text "$password")"
    if [[ $host && $host != localhost ]]; then
      printf '%s;\n' \
        "CREATE USER root@$(text "$host") IDENTIFIED BY $(text "$password")" \
        "GRANT ALL ON *.* TO root@$(text "$host") WITH GRANT OPTION"
    fi
    if [[ $MYSQL_DATABASE ]]; then printf 'CREATE DATABASE IF NOT EXISTS %s;\n' "$(identifier "$MYSQL_DATABASE")"; fi
    if [[ $MYSQL_USER && $MYSQL_PASSWORD ]]; then
      printf "CREATE USER %s@'%%' IDENTIFIED BY %s;\n" "$(text "$MYSQL_USER")" "$(text "$MYSQL_PASSWORD")"
      # In a grant _ and % stand for other characters.
      if [[ $MYSQL_DATABASE ]]; then
        local pattern=${MYSQL_DATABASE//_/\\_}
        printf "GRANT ALL ON %s.* TO %s@'%%';\n" "$(identifier "${pattern//%/\\%}")" "$(text "$MYSQL_USER")"
      fi
    fi
  } | docker_process_sql
  root_password=$password
}

run_scripts() {
  local file
  local -a into=()
  if [[ $MYSQL_DATABASE ]]; then into=("--database=$MYSQL_DATABASE"); fi
  for file in /docker-entrypoint-initdb.d/*; do
    note "running $file"
    case $file in
      *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
      *.sql) docker_process_sql "${into[@]}" <"$file" ;;
      *.sql.gz) gzip -dc "$file" | docker_process_sql "${into[@]}" ;;
      *.sql.xz) xz -dc "$file" | docker_process_sql "${into[@]}" ;;
      *) note "left alone: $file is none of .sh, .sql, .sql.gz, .sql.xz" ;;
    esac
  done
}

# The database is made beside its place and moved there when it is whole: a container that is killed meanwhile starts afresh.
initialise() {
  trap 'if [[ $server ]]; then kill "$server"; wait "$server"; fi; exit 143' INT TERM
  new=$data/.new
  rm -rf "$new"
  mkdir -m 0700 "$new"
  note "making the database in $data"
  mariadb-install-db "${@:2}" --datadir="$new" --auth-root-authentication-method=normal --skip-test-db \
    --skip-name-resolve >/dev/null
  root_password=
  start_server "$@"
  make_accounts
  run_scripts
  if [[ $MYSQL_ONETIME_PASSWORD ]]; then
    docker_process_sql -e "ALTER USER IF EXISTS root@$(text "${MYSQL_ROOT_HOST-%}") PASSWORD EXPIRE;
      ALTER USER root@localhost PASSWORD EXPIRE"
  fi
  stop_server
  local entry
  for entry in "$new"/* "$new"/.[!.]*; do
    if [[ $entry != "$new/mysql" ]]; then mv "$entry" "$data/"; fi
  done
  mv "$new/mysql" "$data/"
  rmdir "$new"
  note 'the database is ready'
}

# Process 1 ends on a signal only where it says so.
trap 'exit 143' INT TERM

if [[ $1 == -* ]]; then set -- mysqld "$@"; fi

if [[ $1 != mysqld && $1 != mariadbd ]] || only_asks "$@"; then exec "$@"; fi

if [[ $(id -u) == 0 ]]; then
  data=$(data_folder "$@" --user=mysql)
  install -d -o mysql -g mysql -m 0750 "$data"
  find "$data" \! -user mysql -exec chown mysql:mysql '{}' +
  export HOME=/var/lib/mysql
  exec setpriv --reuid=mysql --regid=mysql --init-groups "$0" "$@"
fi

data=$(data_folder "$@")
if [[ ! -d $data/mysql ]]; then
  check_settings
  initialise "$@"
fi
unset MYSQL_ROOT_PASSWORD MYSQL_PASSWORD
exec "$@"
