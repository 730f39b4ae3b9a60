#!/bin/sh
# fetch.sh DAY: learns the rate of the day and passes it on as the output `usd`: dollars for 10,000 euros.
set -eu
day=$1
folder=${FLOWCTL_WORKSPACE:?}/raw/rates
mkdir -p "$folder"

# Stands for a source that is down at first. The mark is made once for each day, so a rerun finds the source up.
if ! [ -e "$folder/$day.called" ]; then
  : > "$folder/$day.called"
  echo "the exchange does not answer (attempt ${FLOWCTL_ATTEMPT:-1})" >&2
  exit 1
fi

number=$(echo "$day" | tr -d -)
usd=$((10500 + number * 7 % 600))
echo "usd=$usd" >> "${FLOWCTL_OUTPUT:?}"
echo "10,000 EUR cost $usd USD on $day"
