#!/bin/sh
# Give Kibana its data view, searches and dashboard, so that log lines are there without a click. Through its public APIs.
# Run by kibana-setup of docker-compose.yml once Kibana is healthy, and at every start: what is changed in these objects in Kibana is
# put back then, so save changes under another name. Needs sh and curl.
#
# A Kibana that is away or busy (no answer, 429, 5xx) is asked again every two seconds, for WAIT_S seconds in all.
set -eu
umask 077

url=${KIBANA_URL:-http://kibana:5601}
secrets=${SECRETS:-/secrets}
deadline=$(($(date +%s) + ${WAIT_S:-300}))
here=$(dirname "$0")
state=${STATE:-/state}/kibana # is there until this has succeeded, for the service's page Health
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

main() {
  : >"$state"
  printf 'user = "elastic:%s"\n' "$(sed 's/["\\]/\\&/g' "$secrets/elastic-password")" >"$work/user"
  wait_for_kibana
  ask POST /api/data_views/data_view --header 'Content-Type: application/json' --data-binary "@$here/data-view.json"
  ask POST /api/data_views/default --header 'Content-Type: application/json' --data-binary '{"data_view_id": "twitterapi"}'
  ask POST '/api/saved_objects/_import?overwrite=true' --form "file=@$here/objects.ndjson"
  grep -Eq '"success": ?true' "$work/answer" || refused '/api/saved_objects/_import' "$status"
  rm -f "$state"
  echo "kibana: ready: http://127.0.0.1:${KIBANA_PORT:-5601} opens with all requests"
}

# Whatever the answer says of single plugins: one that is degraded doesn't make Kibana unavailable.
wait_for_kibana() {
  until send GET /api/status && [ "$status" = 200 ]; do pause || refused /api/status "$status"; done
}

ask() { # METHOD PATH ARGUMENTS…: prints nothing, and ends the script with Kibana's own words where it refuses
  until send "$@"; do pause || refused "$2" "$status"; done
  [ "$status" = 200 ] || refused "$2" "$status"
}

pause() { # fails once the time is over
  [ "$(date +%s)" -lt "$deadline" ] && sleep 2
}

send() { # METHOD PATH ARGUMENTS…: sets the status; fails where Kibana is away or busy
  status=$(request "$@") || status=nothing
  case $status in nothing | 429 | 5??) return 1 ;; esac
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
  curl --silent --show-error --noproxy '*' --max-time 60 --config "$work/user" --request "$method" --header 'kbn-xsrf: true' "$@" \
    --output "$work/answer" --write-out '%{http_code}' "$url$path"
}

main
