#!/bin/sh
# One of the stack's three PostgreSQL servers. At its first start, with an empty volume, the one that PRIMARY names makes the
# cluster, the roles and the database; the others copy it. Later starts only start what is there.
#
#   start.sh NODE    run by docker-compose.postgres.yml
#
# Whatever is copied or made comes into its place as a whole, so that a start that was cut short begins anew.
set -eu
umask 077

node=$1
volume=${VOLUME:-/var/lib/postgresql/data}
config=${CONFIG:-/etc/stack-postgres}
secrets=${SECRETS:-/secrets}
sockets=${SOCKETS:-/var/run/postgresql}
port=${PORT:-5432}
ports=${PORTS:-5432}
tries=${TRIES:-300}
data=$volume/pgdata

main() {
  rm -rf "$volume/new"
  if [ ! -d "$data" ]; then
    if [ "$node" = "$PRIMARY" ]; then make; else copy; fi
    mv "$volume/new" "$data"
  elif [ "$node" != "$PRIMARY" ] && [ ! -f "$data/standby.signal" ]; then
    refuse "it was the primary once and the primary is $PRIMARY now; remove its volume, and it copies $PRIMARY"
  fi
  exec postgres -D "$data" -p "$port" -c config_file="$config/postgresql.conf" -c hba_file="$config/pg_hba.conf" \
    -c ident_file="$data/pg_ident.conf" -c unix_socket_directories="$sockets" -c cluster_name="$node"
}

make() {
  if pg_isready -q -t 3 -d "$(members) connect_timeout=3"; then
    refuse "its volume is empty, but another server answers: name the one that is the primary in POSTGRES_PRIMARY"
  fi
  initdb -D "$volume/new" --username=postgres --auth=peer --encoding=UTF8 --locale=C.UTF-8 --data-checksums >/dev/null
  # Nobody but this script gets to it yet, and no standby could confirm anything.
  pg_ctl -D "$volume/new" -s -w -o "-c listen_addresses='' -c unix_socket_directories='$sockets' -p $port" start
  # psql reads the passwords itself, so that they are in no list of processes.
  SECRETS=$secrets psql -q -v ON_ERROR_STOP=1 -h "$sockets" -p "$port" -U postgres -d postgres <<'END'
\set app `cat "$SECRETS/app-password"`
\set replicator `cut -d : -f 5 "$SECRETS/pgpass"`
CREATE ROLE app LOGIN PASSWORD :'app';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replicator';
CREATE DATABASE tweets OWNER app ENCODING 'UTF8' TEMPLATE template0;
END
  pg_ctl -D "$volume/new" -s -w -m fast stop
  echo "made: a cluster, the roles app and replicator, the database tweets"
}

copy() { # without the node's name, which a standby has from cluster_name: who copies must not count as one
  until pg_basebackup -D "$volume/new" -d "$(members) user=replicator passfile=$secrets/pgpass" \
    --write-recovery-conf --wal-method=stream --checkpoint=fast 2>"$volume/reason"; do
    rm -rf "$volume/new"
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then refuse "no primary can be copied: $(tail -n 1 "$volume/reason")"; fi
    sleep 1
  done
  rm -f "$volume/reason"
  echo "copied the primary"
}

members() { # whichever of them is the primary: a standby follows another one after a failover by itself
  echo "host=$HOSTS port=$ports target_session_attrs=read-write"
}

refuse() { # REASON
  echo "$node: $1" >&2
  exit 1
}

main
