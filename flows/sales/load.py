"""load.py DAY USD: loads the hours of one day into the table `sales` of the warehouse, in euro cents.

USD is what 10,000 euros cost in dollars. A second run of the same day replaces what the first one loaded.
"""

import csv
import os
import sqlite3
import sys
from datetime import datetime
from pathlib import Path

day, usd = sys.argv[1], int(sys.argv[2])
workspace = Path(os.environ["FLOWCTL_WORKSPACE"])


def hours_of_period():
    """How many hours the day has: a day on which the clocks change has 23 or 25."""
    start, end = (
        datetime.fromisoformat(os.environ[name].replace("Z", "+00:00"))
        for name in ("FLOWCTL_PERIOD_START", "FLOWCTL_PERIOD_END")
    )
    return int((end - start).total_seconds()) // 3600


def euros(cents, currency):
    return cents if currency == "EUR" else cents * 10000 // usd


files = sorted((workspace / "clean" / "orders").glob(f"{day}T*.csv"))
if len(files) != hours_of_period():
    sys.exit(f"{day} has {hours_of_period()} hours, but {len(files)} of them were imported")

rows = []
for file in files:
    with file.open(newline="") as lines:
        for order in csv.DictReader(lines):
            cents = euros(int(order["cents"]), order["currency"])
            rows.append((order["order_id"], day, int(order["customer"]), order["region"], cents))

# Several days may load at once: wait for each other, and take the lock before reading.
warehouse = sqlite3.connect(workspace / "warehouse.db", timeout=60, isolation_level=None)
warehouse.execute("BEGIN IMMEDIATE")
warehouse.execute(
    "CREATE TABLE IF NOT EXISTS sales"
    " (order_id TEXT PRIMARY KEY, day TEXT, customer INTEGER, region TEXT, cents INTEGER)"
)
warehouse.execute("DELETE FROM sales WHERE day = ?", (day,))
warehouse.executemany("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", rows)
warehouse.execute("COMMIT")
warehouse.close()

with open(os.environ["FLOWCTL_OUTPUT"], "a") as output:
    output.write(f"orders={len(rows)}\ncents={sum(row[4] for row in rows)}\n")
print(f"loaded {len(rows)} orders of {day} from {len(files)} files")
