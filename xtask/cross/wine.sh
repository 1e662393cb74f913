#!/bin/sh
# Runs a program for Windows in Wine, and exits with the status that the program has for Windows.
#
# The status of Wine's own process may be another one: Wine's server kills a process that is still there a second after its program ended
# (`start_sigkill_timer` in server/process.c), which happens on a busy machine. So status.exe writes the status into a file.
#
# WINE is the wine64 to run, WINEPREFIX the folder that holds status.exe.
set -eu
status=$(mktemp)
trap 'rm -f "$status"' EXIT
STATUS="Z:$status" "$WINE" "$WINEPREFIX/status.exe" "$@" || true
code=$(cat "$status")
if [ -z "$code" ] || [ "$code" -gt 255 ]; then
  echo "$1 ended with status '$code' in Windows" >&2
  exit 255
fi
exit "$code"
