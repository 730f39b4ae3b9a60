#!/bin/sh
# render.sh WEEK: turns the collected days into the report that people read.
set -eu
week=$1
reports=${FLOWCTL_WORKSPACE:?}/reports
temp=$(mktemp "$reports/.$week.XXXXXX")

awk -F, -v week="$week" -v best="${BEST_DAY:?}" '
BEGIN { printf "Sales of %s\n\n%-12s%8s%14s%14s\n", week, "day", "orders", "sales EUR", "in hand EUR" }
      { printf "%-12s%8d%14.2f%14.2f%s\n", $1, $2, $3 / 100, $4 / 100, $1 == best ? "  best day" : ""
        orders += $2; cents += $3; closing = $4 }
END   { printf "%-12s%8d%14.2f%14.2f\n", "total", orders, cents / 100, closing / 100 }
' "$reports/work/$week/days.csv" > "$temp"
mv "$temp" "$reports/$week.txt"
cat "$reports/$week.txt"
