#!/bin/sh
# Make Elasticsearch ready for the log records: index template and data stream, and the users of Kibana, Logstash and Grafana with
# the passwords of the service `secrets`. Run by elasticsearch-setup of docker-compose.yml, which ends with success before Kibana and
# Logstash start. It can run any number of times, and only what has changed is changed. Needs sh and curl.
#
# An Elasticsearch that is away or busy (no answer, 429, 5xx) is asked again every two seconds, for WAIT_S seconds in all.
set -eu
umask 077

url=${ELASTICSEARCH_URL:-http://elasticsearch:9200}
secrets=${SECRETS:-/secrets}
retention=${LOGS_RETENTION:-30d}
deadline=$(($(date +%s) + ${WAIT_S:-300}))
stream=logs-twitterapi-default
composed_of='logs@mappings logs@settings ecs@mappings' # as in index-template.json
here=$(dirname "$0")
state=${STATE:-/state}/elasticsearch # is there until this has succeeded, for the service's page Health
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  : >"$state"
  sign_in
  take_over_password
  echo "elasticsearch: users of Kibana, Logstash and Grafana"
  ask POST /_security/user/kibana_system/_password "$(password kibana/kibana-system-password)"
  role logstash_writer logstash-writer.json logstash/logstash-writer-password
  role grafana_reader grafana-reader.json grafana/grafana-reader-password
  echo "elasticsearch: index template and data stream"
  for part in $composed_of; do wait_for "/_component_template/$part"; done
  install_template
  ask PUT "/_data_stream/$stream/_lifecycle" "{\"data_retention\": \"$retention\"}"
  rm -f "$state"
  echo "elasticsearch: ready; log records are kept for $retention"
}

# The password in force, or else the one that a run before this one changed it to without getting further.
sign_in() {
  until use elastic-password || { [ -s "$secrets/elasticsearch/elastic-password.next" ] && use elastic-password.next; }; do
    pause && continue
    echo "elasticsearch: $url answers $status to user elastic." >&2
    [ "$status" != 401 ] || echo "Its data and these secrets are not of the same age. docs/operations.md, \"Passwords\", says what to do." >&2
    exit 1
  done
}

pause() { # fails once the time is over
  [ "$(date +%s)" -lt "$deadline" ] && sleep 2
}

# Elasticsearch installs its own templates some time after it has started, and refuses a template that names one which isn't there.
wait_for() { # PATH
  until send GET "$1" && [ "$status" = 200 ]; do pause || refused GET "$1"; done
}

use() { # FILE: whether Elasticsearch takes the password in it
  printf 'user = "elastic:%s"\n' "$(quoted "$secrets/elasticsearch/$1")" >"$work/user"
  used=$1
  send GET /_security/_authenticate && [ "$status" = 200 ]
}

# The user's own password takes effect here.
take_over_password() {
  [ -s "$secrets/elasticsearch/elastic-password.next" ] || return 0
  if [ "$used" = elastic-password ]; then
    ask POST /_security/user/elastic/_password "$(password elasticsearch/elastic-password.next)"
  fi
  mv -f "$secrets/elasticsearch/elastic-password.next" "$secrets/elasticsearch/elastic-password"
  use elastic-password
  echo "elasticsearch: user elastic has the password of .env now"
}

role() { # NAME FILE PASSWORD-FILE: a role, and a user of the same name who has this one only
  ask PUT "/_security/role/$1" "@$here/$2"
  ask PUT "/_security/user/$1" "$(printf '{"password": "%s", "roles": ["%s"]}' "$(quoted "$secrets/$3")" "$1")"
}

# A template counts for indices that are made after it, so a new version of it begins a new one.
install_template() {
  before=$(installed)
  ask PUT /_index_template/twitterapi "@$here/index-template.json"
  insist GET "/_data_stream/$stream"
  case $status in
    404) make_stream ;;
    200) [ "$before" = "$(installed)" ] || ask POST "/$stream/_rollover" ;;
    *) refused GET "/_data_stream/$stream" ;;
  esac
}

make_stream() { # one that is there by now was made by a request whose answer got lost
  insist PUT "/_data_stream/$stream"
  case $status in 2??) return ;; esac
  grep -q resource_already_exists_exception "$work/answer" || refused PUT "/_data_stream/$stream"
}

installed() { # prints the version of the template that is installed
  insist GET '/_index_template/twitterapi?filter_path=index_templates.index_template.version'
  tr -dc '0-9' <"$work/answer"
}

password() { # FILE: as a JSON object
  printf '{"password": "%s"}' "$(quoted "$secrets/$1")"
}

quoted() { # FILE: its text, for a place between double quotes, in JSON as well as for curl
  sed 's/["\\]/\\&/g' "$1"
}

ask() { # METHOD PATH [BODY]: prints nothing, and ends the script where it is refused
  insist "$@"
  case $status in 2??) ;; *) refused "$1" "$2" ;; esac
}

insist() { # METHOD PATH [BODY]: sends it until there is an answer other than that Elasticsearch is busy
  until send "$@"; do pause || refused "$1" "$2"; done
}

send() { # METHOD PATH [BODY]: sets the status; fails where Elasticsearch is away or busy
  status=$(request "$@") || status=nothing
  case $status in nothing | 429 | 5??) return 1 ;; esac
}

refused() { # METHOD PATH: ends the script with Elasticsearch's own words
  echo "elasticsearch: $1 $2: $status" >&2
  cat "$work/answer" >&2
  exit 1
}

request() { # METHOD PATH [BODY | @FILE]: prints the status. No password is ever an argument, which other processes could read
  method=$1 path=$2 body=${3:-}
  shift "$#"
  case $body in
    '') ;;
    @*) set -- --header 'Content-Type: application/json' --data-binary "$body" ;;
    *)
      printf %s "$body" >"$work/body"
      set -- --header 'Content-Type: application/json' --data-binary "@$work/body"
      ;;
  esac
  printf '' >"$work/answer"
  curl --silent --show-error --noproxy '*' --max-time 60 --config "$work/user" --request "$method" "$@" \
    --output "$work/answer" --write-out '%{http_code}' "$url$path"
}

main
