#!/bin/sh
# publish.sh DAY: checks that the regions add up to the day, then marks the day as complete.
set -eu
day=$1
mart=${FLOWCTL_WORKSPACE:?}/mart/$day

found=$(cat "$mart/eu.csv" "$mart/us.csv" "$mart/asia.csv" |
  awk -F, '$1 != "customer" { orders += $2; cents += $3 } END { printf "%d orders, %d cents", orders, cents }')
if [ "$found" != "$ORDERS orders, $CENTS cents" ]; then
  echo "the regions of $day hold $found, but $ORDERS orders, $CENTS cents were loaded" >&2
  exit 1
fi
: > "$mart/_SUCCESS"
echo "published $day: $found"
