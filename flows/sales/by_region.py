"""by_region.py DAY REGION: writes the sales of one region, by customer, to mart/DAY/REGION.csv."""

import csv
import os
import sqlite3
import sys
from pathlib import Path

day, region = sys.argv[1:]
workspace = Path(os.environ["FLOWCTL_WORKSPACE"])
target = workspace / "mart" / day / f"{region}.csv"
target.parent.mkdir(parents=True, exist_ok=True)

warehouse = sqlite3.connect(workspace / "warehouse.db", timeout=60)
rows = warehouse.execute(
    "SELECT customer, count(*), sum(cents) FROM sales WHERE day = ? AND region = ? GROUP BY customer ORDER BY customer",
    (day, region),
).fetchall()
warehouse.close()

temp = target.with_name(f".{target.name}.{os.getpid()}")
with temp.open("w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["customer", "orders", "cents"])
    out.writerows(rows)
temp.rename(target)
print(f"{region}: {len(rows)} customers on {day}")
