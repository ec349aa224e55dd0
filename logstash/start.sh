#!/bin/sh
# Start Logstash with the password of its user, which it can't read from a file: /bin/sh start.sh COMMAND…
set -eu
LOGSTASH_WRITER_PASSWORD=$(cat /secrets/logstash-writer-password)
export LOGSTASH_WRITER_PASSWORD
exec "$@"
