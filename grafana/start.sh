#!/bin/sh
# Start Grafana: /bin/sh start.sh /run.sh
#
# A placeholder such as <admin-password> counts as unset, and so does an empty value. A password that nobody set is made once
# and kept beside Grafana's database. Grafana reads its administrator's password only when it makes that database, so a
# password that changes later is handed to it here.
#
# The settings of grafana/.env come as a file, for variables of a container can be read by everybody who may inspect it. What
# docker-compose.yml sets counts for more.
set -eu
umask 077

data=${GF_PATHS_DATA:-/var/lib/grafana}
made=$data/admin-password
applied=$data/admin-password.sha256

settings() { # FILE: exports each NAME=value of it that isn't set yet; quotes around a value are left out, and so is a comment behind it
  while IFS= read -r line || [ -n "$line" ]; do
    line=$(printf %s "$line" | sed -E 's/^[[:space:]]*(export[[:space:]]+)?//; s/[[:space:]]+$//; s/^([A-Za-z0-9_]+)[[:space:]]*=[[:space:]]*/\1=/')
    name=${line%%=*} value=${line#*=}
    case $line in *=*) ;; *) continue ;; esac
    case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) continue ;; esac
    case $value in
      "'"*"'") value=${value#?} value=${value%?} ;;
      '"'*'"') value=${value#?} value=${value%?} ;;
      "'"*"' #"*) value=${value#?} value=${value%%"' #"*} ;;
      '"'*'" #'*) value=${value#?} value=${value%%'" #'*} ;;
      *) value=$(printf %s "$value" | sed -E 's/(^|[[:space:]]+)#.*//') ;;
    esac
    if eval "[ -z \"\${$name+set}\" ]"; then export "$name=$value"; fi
  done <"$1"
}
if [ -r "${GRAFANA_ENV_FILE:-}" ]; then settings "$GRAFANA_ENV_FILE"; fi

given() { # print a value unless it is empty or a placeholder
  case $1 in '<'*'>') ;; *) printf %s "$1" ;; esac
}

GF_SECURITY_ADMIN_USER=$(given "${GF_SECURITY_ADMIN_USER:-}")
GF_SECURITY_ADMIN_USER=${GF_SECURITY_ADMIN_USER:-admin}
GF_SECURITY_ADMIN_PASSWORD=$(given "${GF_SECURITY_ADMIN_PASSWORD:-}")
if [ -n "$GF_SECURITY_ADMIN_PASSWORD" ]; then
  rm -f "$made"
  echo "grafana: sign in as $GF_SECURITY_ADMIN_USER with the password of grafana/.env"
else
  [ -s "$made" ] || head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$made"
  GF_SECURITY_ADMIN_PASSWORD=$(cat "$made")
  echo "grafana: sign in as $GF_SECURITY_ADMIN_USER; to read the password: docker exec grafana cat $made"
fi
export GF_SECURITY_ADMIN_USER GF_SECURITY_ADMIN_PASSWORD

digest=$(printf %s "$GF_SECURITY_ADMIN_PASSWORD" | sha256sum | cut -d' ' -f1)
changed() {
  printf '%s\n' "$GF_SECURITY_ADMIN_PASSWORD" |
    grafana cli --homepath "${GF_PATHS_HOME:-/usr/share/grafana}" admin reset-admin-password --password-from-stdin
}
if [ ! -e "$data/grafana.db" ] || [ "$digest" = "$(cat "$applied" 2>/dev/null || true)" ] || changed; then
  printf %s "$digest" >"$applied"
else
  echo "grafana: the administrator keeps the old password: the new one could not be set" >&2
fi

ELASTICSEARCH_USER=${ELASTICSEARCH_USER:-grafana_reader}
if [ -r "${ELASTICSEARCH_PASSWORD_FILE:-}" ]; then
  ELASTICSEARCH_PASSWORD=$(cat "$ELASTICSEARCH_PASSWORD_FILE")
elif [ -z "${ELASTICSEARCH_PASSWORD:-}" ]; then
  ELASTICSEARCH_PASSWORD=
  echo "grafana: no password for Elasticsearch, so the panels of the log stay empty" >&2
fi
KIBANA_URL=$(given "${KIBANA_URL:-}")
KIBANA_URL=${KIBANA_URL:-http://127.0.0.1:${KIBANA_PORT:-5601}}
GF_SERVER_ROOT_URL=${GF_SERVER_ROOT_URL:-http://127.0.0.1:${GRAFANA_PORT:-3000}/}
export ELASTICSEARCH_USER ELASTICSEARCH_PASSWORD KIBANA_URL GF_SERVER_ROOT_URL

exec "$@"
