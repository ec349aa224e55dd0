#!/bin/sh
# Writes Alertmanager's configuration from the environment and becomes Alertmanager, which itself expands no variables.
# A POSIX shell, sed, grep, tr, cat, id and dirname are all it needs: the busybox of the image. What it reads: docs/observability.md, "Alerts".
set -eu
umask 077
LC_ALL=C
export LC_ALL

NAME='[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]'
ADDRESS="[A-Za-z0-9.!#\$%&'*+/=?^_|~-]+@[A-Za-z0-9.-]+"
URL="^https?://([A-Za-z0-9._~!\$&'()*+,;=:%-]+@)?($NAME)(:[0-9]{1,5})?([/?][A-Za-z0-9._~!\$&'()*+,;=:@/?%-]*)?\$"

refuse() {
  printf '%s: %s\n' "$1" "$2" >&2
  exit 2
}

# given VALUE: prints it, or nothing for a placeholder such as <webhook-url>, which counts as unset.
given() {
  case $1 in
    '<'*'>') ;;
    *) printf '%s' "$1" ;;
  esac
}

# matches VALUE PATTERN: whether all of it does, on one line.
matches() {
  case $1 in
    *[!\ -~]*) return 1 ;;
  esac
  printf '%s\n' "$1" | grep -Eq -- "$2"
}

# Webhooks carry secrets in their path, so no message shows one.
check_url() {
  [ -z "$2" ] || { matches "$2" "$URL" && ! matches "$2" '%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)'; } ||
    refuse "$1" 'its value is not accepted, expected an http:// or https:// URL without spaces, quotes and braces'
}

check() {
  matches "$2" "$3" || refuse "$1" "'$(printf '%s' "$2" | tr -c ' -~' '?')' is not accepted, expected $4"
}

# quoted VALUE: the value as a YAML string.
quoted() {
  printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"
}

webhook=$(given "${ALERT_WEBHOOK_URL:-}")
watchdog=$(given "${ALERT_WATCHDOG_URL:-}")
to=$(given "${ALERT_EMAIL_TO:-}")
host=$(given "${ALERT_SMTP_HOST:-}")
from=$(given "${ALERT_SMTP_FROM:-}")
user=$(given "${ALERT_SMTP_USER:-}")
password=$(given "${ALERT_SMTP_PASSWORD_FILE:-}")
tls=${ALERT_SMTP_TLS:-1}

check_url ALERT_WEBHOOK_URL "$webhook"
check_url ALERT_WATCHDOG_URL "$watchdog"

if [ -n "$to" ]; then
  check ALERT_EMAIL_TO "$to" "^$ADDRESS(, *$ADDRESS)*\$" 'addresses such as ops@example.org, separated by commas'
  [ -n "$host" ] || refuse ALERT_EMAIL_TO 'is set without ALERT_SMTP_HOST'
  [ -n "$from" ] || refuse ALERT_EMAIL_TO 'is set without ALERT_SMTP_FROM'
  check ALERT_SMTP_HOST "$host" "^($NAME):[0-9]{1,5}\$" 'a host and a port, such as smtp.example.org:587'
  check ALERT_SMTP_FROM "$from" "^$ADDRESS\$" 'an address such as monitor@example.org'
  check ALERT_SMTP_TLS "$tls" '^[01]$' '1 or 0'
  if [ -n "$user" ]; then
    check ALERT_SMTP_USER "$user" . 'visible ASCII characters'
    [ -n "$password" ] || refuse ALERT_SMTP_USER 'is set without ALERT_SMTP_PASSWORD_FILE'
    check ALERT_SMTP_PASSWORD_FILE "$password" ^/ 'the absolute path of a file'
    { [ -r "$password" ] && [ -s "$password" ]; } ||
      refuse ALERT_SMTP_PASSWORD_FILE "'$password' can't be read or is empty, expected a file that this user ($(id -u)) may read"
  elif [ -n "$password" ] && [ -s "$password" ]; then
    refuse ALERT_SMTP_PASSWORD_FILE 'is set without ALERT_SMTP_USER'
  fi
elif [ -n "$host$from$user" ]; then
  refuse ALERT_EMAIL_TO 'is not set, but some of ALERT_SMTP_HOST, _FROM and _USER are'
fi

[ -n "$webhook$to" ] ||
  echo 'ALERT_WEBHOOK_URL, ALERT_EMAIL_TO: neither is set, so alerts reach nobody; they are shown on port 9093 only' >&2

folder=${TMPDIR:-/tmp}
written=$folder/alertmanager.yml
# Alertmanager would send the line break at a file's end as part of the password.
if [ -n "$user" ]; then printf '%s' "$(cat "$password")" >"$folder/smtp-password"; fi
{
  sed '/^receivers:/,$d' "$(dirname "$0")/alertmanager.yml"
  printf '%s\n' 'receivers:' '  - name: people'
  if [ -n "$webhook" ]; then
    printf '%s\n' '    webhook_configs:' "      - url: $(quoted "$webhook")"
  fi
  if [ -n "$to" ]; then
    printf '%s\n' '    email_configs:' "      - to: $(quoted "$to")"
    printf '        %s\n' "from: $(quoted "$from")" "smarthost: $(quoted "$host")" 'send_resolved: true'
    if [ "$tls" = 0 ]; then printf '        %s\n' 'require_tls: false'; fi
    if [ -n "$user" ]; then
      printf '        %s\n' "auth_username: $(quoted "$user")" "auth_password_file: $(quoted "$folder/smtp-password")"
    fi
  fi
  printf '%s\n' '  - name: watchdog'
  if [ -n "$watchdog" ]; then
    printf '%s\n' '    webhook_configs:' "      - url: $(quoted "$watchdog")" '        send_resolved: false'
  fi
} >"$written"

exec alertmanager --config.file="$written" "$@"
