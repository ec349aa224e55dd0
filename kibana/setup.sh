#!/bin/sh
# Give Kibana its data view, searches and dashboard, so that log lines are there without a click. Through its public APIs.
# Run by kibana-setup of docker-compose.yml once Kibana is healthy, and at every start: what is changed in these objects in Kibana is
# put back then, so save changes under another name. Needs sh and curl.
set -eu
umask 077

url=${KIBANA_URL:-http://kibana:5601}
secrets=${SECRETS:-/secrets}
tries=${TRIES:-60}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  printf 'user = "elastic:%s"\n' "$(sed 's/["\\]/\\&/g' "$secrets/elastic-password")" >"$work/user"
  wait_for_kibana
  ask POST /api/data_views/data_view --header 'Content-Type: application/json' --data-binary "@$here/data-view.json"
  ask POST /api/data_views/default --header 'Content-Type: application/json' --data-binary '{"data_view_id": "twitterapi"}'
  ask POST '/api/saved_objects/_import?overwrite=true' --form "file=@$here/objects.ndjson"
  grep -Eq '"success": ?true' "$work/answer" || refused '/api/saved_objects/_import' "$status"
  echo "kibana: ready: http://127.0.0.1:5601 opens with all requests"
}

wait_for_kibana() {
  until status=$(request GET /api/status) && [ "$status" = 200 ] && grep -Eq '"overall": ?\{"level": ?"available"' "$work/answer"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || refused /api/status "$status"
    sleep 2
  done
}

ask() { # METHOD PATH ARGUMENTS…: prints nothing, and ends the script with Kibana's own words where it refuses
  status=$(request "$@") || status=nothing
  [ "$status" = 200 ] || refused "$2" "$status"
}

refused() { # PATH STATUS
  echo "kibana: $1: $2" >&2
  cat "$work/answer" >&2
  exit 1
}

request() { # METHOD PATH ARGUMENTS…: prints the status. The password is no argument, which other processes could read
  method=$1 path=$2
  shift 2
  printf '' >"$work/answer"
  curl --silent --show-error --max-time 60 --config "$work/user" --request "$method" --header 'kbn-xsrf: true' "$@" \
    --output "$work/answer" --write-out '%{http_code}' "$url$path"
}

main
