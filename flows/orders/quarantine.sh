#!/bin/sh
# quarantine.sh HOUR COUNT: keeps a note for the people who will ask the shop for the missing amounts.
set -eu
hour=$1 count=$2
folder=${FLOWCTL_WORKSPACE:?}/quarantine
mkdir -p "$folder"
temp=$(mktemp "$folder/.$hour.XXXXXX")
{
  echo "$count orders of $hour have no amount:"
  cut -d, -f1 "$FLOWCTL_WORKSPACE/rejected/orders/$hour.csv"
} > "$temp"
mv "$temp" "$folder/$hour.txt"
cat "$folder/$hour.txt"
