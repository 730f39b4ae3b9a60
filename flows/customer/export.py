"""export.py CUSTOMER TITLE: writes all orders of one customer to exports/customer-CUSTOMER.csv."""

import csv
import os
import sqlite3
import sys
from pathlib import Path

customer, title = sys.argv[1:]
if not customer.isdigit():
    sys.exit(f"customer must be a number, not {customer!r}")
workspace = Path(os.environ["FLOWCTL_WORKSPACE"])
target = workspace / "exports" / f"customer-{customer}.csv"
target.parent.mkdir(parents=True, exist_ok=True)

warehouse = sqlite3.connect(workspace / "warehouse.db", timeout=60)
rows = warehouse.execute(
    "SELECT order_id, day, region, cents FROM sales WHERE customer = ? ORDER BY order_id", (int(customer),)
).fetchall()
warehouse.close()

temp = target.with_name(f".{target.name}.{os.getpid()}")
with temp.open("w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["order_id", "day", "region", "cents"])
    out.writerows(rows)
temp.rename(target)
print(f"{title} of customer {customer}: {len(rows)} orders, {sum(row[3] for row in rows) / 100:.2f} EUR")
