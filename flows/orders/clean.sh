#!/bin/sh
# clean.sh HOUR: drops repeated orders and sets those without an amount apart.
# Tells later tasks how many rows it kept and rejected.
set -eu
hour=$1
raw=${FLOWCTL_WORKSPACE:?}/raw/orders/$hour.csv
folder=$FLOWCTL_WORKSPACE/clean/orders
mkdir -p "$folder" "$FLOWCTL_WORKSPACE/rejected/orders"

temp=$(mktemp -d "$folder/.$hour.XXXXXX")
trap 'rm -rf "$temp"' EXIT
: > "$temp/rejected"

# Lines of key=value in the file $FLOWCTL_OUTPUT become the task's outputs.
awk -F, -v rejected="$temp/rejected" -v outputs="${FLOWCTL_OUTPUT:?}" '
NR == 1        { print; next }
seen[$1]++     { next }
$6 !~ /^[0-9]+$/ { print > rejected; bad++; next }
               { print; good++ }
END            { printf "rows=%d\nrejected=%d\n", good, bad >> outputs }
' "$raw" > "$temp/clean"

mv "$temp/rejected" "$FLOWCTL_WORKSPACE/rejected/orders/$hour.csv"
mv "$temp/clean" "$folder/$hour.csv"
echo "cleaned $hour"
