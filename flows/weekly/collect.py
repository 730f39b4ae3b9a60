"""collect.py WEEK MONDAY: gathers the seven days of a week into reports/work/WEEK/days.csv."""

import csv
import os
import sqlite3
import sys
from datetime import date, timedelta
from pathlib import Path

week, monday = sys.argv[1], date.fromisoformat(sys.argv[2])
workspace = Path(os.environ["FLOWCTL_WORKSPACE"])
days = [(monday + timedelta(days=n)).isoformat() for n in range(7)]

warehouse = sqlite3.connect(workspace / "warehouse.db", timeout=60)
rows = warehouse.execute(
    "SELECT b.day, (SELECT count(*) FROM sales s WHERE s.day = b.day),"
    " (SELECT coalesce(sum(cents), 0) FROM sales s WHERE s.day = b.day), b.closing"
    " FROM balance b WHERE b.day BETWEEN ? AND ? ORDER BY b.day",
    (days[0], days[-1]),
).fetchall()
warehouse.close()
if [row[0] for row in rows] != days:
    sys.exit(f"{week} has the days {days}, but the warehouse only {[row[0] for row in rows]}")

folder = workspace / "reports" / "work" / week
folder.mkdir(parents=True, exist_ok=True)
temp = folder / f".days.{os.getpid()}"
with temp.open("w", newline="") as file:
    csv.writer(file, lineterminator="\n").writerows(rows)
temp.rename(folder / "days.csv")

best = max(rows, key=lambda row: row[2])
with open(os.environ["FLOWCTL_OUTPUT"], "a") as output:
    output.write(f"best_day={best[0]}\n")
print(f"collected {len(rows)} days of {week}")
