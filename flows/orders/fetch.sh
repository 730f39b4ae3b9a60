#!/bin/sh
# fetch.sh HOUR: writes the orders of one hour, e.g. of 2026-11-09T13, to raw/orders/HOUR.csv.
#
# The orders are invented, but always the same for the same hour: they come from a generator of random numbers (Lehmer's:
# x = 16807 x mod 2^31-1) that starts from the hour's digits. Like any real source it sends some orders twice, and some
# without an amount.
set -eu
hour=$1
folder=${FLOWCTL_WORKSPACE:?}/raw/orders
mkdir -p "$folder"

# Readers must never see half a file: write beside it, then rename.
temp=$(mktemp "$folder/.$hour.XXXXXX")
trap 'rm -f "$temp"' EXIT

awk -v hour="$hour" '
function roll(n) { x = (16807 * x) % 2147483647; return x % n }
BEGIN {
  digits = hour; gsub(/[^0-9]/, "", digits)
  x = digits % 2147483647
  for (i = 0; i < 5; i++) roll(1) # neighbouring hours start close to each other: let them part
  split("eu us asia", regions, " ")
  print "order_id,ordered_at,customer,region,currency,cents"
  count = 10 + roll(15)
  for (i = 1; i <= count; i++) {
    region = regions[1 + roll(3)]
    customer = 1 + roll(40)
    cents = 100 + roll(20000)
    minute = roll(60)
    broken = roll(40) == 0
    twice = roll(50) == 0
    line = sprintf("%s%03d,%s:%02d,%d,%s,%s,%s", digits, i, substr(hour, 1, 13), minute, customer, region,
                   region == "us" ? "USD" : "EUR", broken ? "" : cents)
    print line
    if (twice) print line
  }
}' > "$temp"
mv "$temp" "$folder/$hour.csv"
echo "wrote $folder/$hour.csv"
