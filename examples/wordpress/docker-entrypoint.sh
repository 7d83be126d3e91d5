#!/bin/bash
# Fills the site's folder at the first start, waits for the database, then becomes the web server.
set -eo pipefail

SOURCE=/usr/share/wordpress
SHARE=/usr/local/share/wordpress
SITE=$PWD

note() { printf '%s [%s] %s\n' "$(date -u +%FT%TZ)" "${0##*/}" "$*" >&2; }
fail() {
  note "error: $*"
  exit 1
}

# given NAME: is the variable set, or the one that names a file?
given() {
  local file=${1}_FILE
  [[ -v $1 && -v $file ]] && fail "$1 and $file are both set: give one of them"
  if [[ -v $file && ! -r ${!file} ]]; then fail "$file names ${!file}, which cannot be read"; fi
  [[ -v $1 || -v $file ]]
}

check_settings() {
  local name
  for name in HOST USER PASSWORD NAME CHARSET COLLATE; do given "WORDPRESS_DB_$name" || true; done
  given WORDPRESS_TABLE_PREFIX || true
  if ! given WORDPRESS_DB_HOST && [[ -z $MYSQL_PORT_3306_TCP ]] && ! getent hosts mysql >/dev/null; then
    fail "there is no database: link one (--link some-mysql:mysql) or set WORDPRESS_DB_HOST"
  fi
  if ! given WORDPRESS_DB_PASSWORD && [[ -z ${!MYSQL_ENV_MYSQL_*} ]]; then
    fail "the database's password is missing: set WORDPRESS_DB_PASSWORD, and WORDPRESS_DB_USER where it is not root"
  fi
}

# Files that are there already are kept, unless an earlier start was interrupted; index.php comes last and says that all is there.
copy_site() {
  local keep=--skip-old-files
  [[ -e $SITE/.copying ]] && keep=--overwrite
  [[ -z $(ls -A "$SITE") ]] || note "$SITE is not empty: what is there stays"
  touch "$SITE/.copying"
  note "copying WordPress to $SITE"
  # Debian keeps parts of it elsewhere and links to them: the copy stands alone.
  tar -C "$SOURCE" -cf - --dereference --exclude=./index.php --owner=www-data --group=www-data . |
    tar -C "$SITE" -xf - "$keep"
  install -o www-data -g www-data -m 0644 "$SOURCE/index.php" "$SITE/"
  rm -f "$SITE/.copying"
}

make_config() {
  local name salts=
  for name in AUTH_KEY SECURE_AUTH_KEY LOGGED_IN_KEY NONCE_KEY AUTH_SALT SECURE_AUTH_SALT LOGGED_IN_SALT NONCE_SALT; do
    salts+="        '$name' => '$(head -c 48 /dev/urandom | base64 -w 0)',"$'\n'
  done
  install -o www-data -g www-data -m 0640 /dev/null "$SITE/.wp-config.new"
  awk -v salts="${salts%$'\n'}" '/^ +\/\/ salts$/ { print salts; next } { print }' "$SHARE/wp-config.php" >"$SITE/.wp-config.new"
  mv "$SITE/.wp-config.new" "$SITE/wp-config.php"
}

# Process 1 ends on a signal only where it says so.
trap 'exit 143' INT TERM WINCH

if [[ $1 == -* ]]; then set -- apache2-foreground "$@"; fi
if [[ $1 != apache2* ]]; then exec "$@"; fi

# A configuration of one's own knows its database.
ours=yes
if [[ -e $SITE/wp-config.php ]] && ! grep -q CONTAINER_SETTINGS_ONLY "$SITE/wp-config.php"; then ours=; fi
if [[ $ours ]]; then check_settings; fi
[[ -e $SITE/index.php && -e $SITE/wp-includes/version.php ]] || copy_site
[[ -e $SITE/wp-config.php ]] || make_config
if [[ $ours ]]; then
  setpriv --reuid=www-data --regid=www-data --init-groups php "$SHARE/wait-for-database.php" &
  wait $!
fi
exec "$@"
