"""balance.py DAY: the balance at the end of a day is that of the day before, plus the sales, minus the day's costs."""

import os
import sqlite3
import sys
from datetime import date, timedelta
from pathlib import Path

DAILY_COSTS = 2_500_00  # cents

day = date.fromisoformat(sys.argv[1])
workspace = Path(os.environ["FLOWCTL_WORKSPACE"])

warehouse = sqlite3.connect(workspace / "warehouse.db", timeout=60, isolation_level=None)
warehouse.execute("BEGIN IMMEDIATE")
warehouse.execute("CREATE TABLE IF NOT EXISTS balance (day TEXT PRIMARY KEY, opening INTEGER, closing INTEGER)")

opening = 0
if day.isoformat() != os.environ["FIRST_DAY"]:
    previous = (day - timedelta(days=1)).isoformat()
    row = warehouse.execute("SELECT closing FROM balance WHERE day = ?", (previous,)).fetchone()
    if row is None:
        sys.exit(f"there is no balance for {previous}")
    opening = row[0]

(sales,) = warehouse.execute("SELECT coalesce(sum(cents), 0) FROM sales WHERE day = ?", (day.isoformat(),)).fetchone()
closing = opening + sales - DAILY_COSTS
warehouse.execute("INSERT OR REPLACE INTO balance VALUES (?, ?, ?)", (day.isoformat(), opening, closing))
warehouse.execute("COMMIT")
warehouse.close()

with open(os.environ["FLOWCTL_OUTPUT"], "a") as output:
    output.write(f"closing={closing}\n")
print(f"{day}: {opening / 100:.2f} + {sales / 100:.2f} - {DAILY_COSTS / 100:.2f} = {closing / 100:.2f} EUR")
