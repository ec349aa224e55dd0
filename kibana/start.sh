#!/bin/sh
# Start Kibana with its secrets, which it can't read from files: /bin/sh start.sh COMMAND…
# The names are none that the image turns into arguments, which other processes could read.
set -eu
SECRET_KIBANA_SYSTEM_PASSWORD=$(cat /secrets/kibana-system-password)
SECRET_ENCRYPTED_OBJECTS_KEY=$(cat /secrets/encrypted-objects-key)
SECRET_REPORTING_KEY=$(cat /secrets/reporting-key)
SECRET_SESSION_KEY=$(cat /secrets/session-key)
export KIBANA_PORT="${KIBANA_PORT:-5601}"
export SECRET_KIBANA_SYSTEM_PASSWORD SECRET_ENCRYPTED_OBJECTS_KEY SECRET_REPORTING_KEY SECRET_SESSION_KEY
exec "$@"
