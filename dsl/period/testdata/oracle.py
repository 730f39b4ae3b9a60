"""What the local clocks of every zone of a zoneinfo.zip show around each change of 2000 to 2029, in Python's words.

usage: oracle.py ZONEINFO.ZIP [PART OF PARTS]

It knows datetime and zoneinfo, and nothing of flowctl: every answer is found by looking at the clock, instant by instant. Each line of
the output is JSON: {zone, same: [names with the same data], changes: [{at, hours, days, weeks, months, clocks, quarters, daily}]}, where
instants are Unix seconds.
"""
import io
import json
import sys
import zipfile
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

HOUR, DAY, QUARTER = 3600, 86400, 900
EPOCH = datetime(1970, 1, 1)
BEGIN = int((datetime(2000, 1, 1) - EPOCH).total_seconds())
END = int((datetime(2030, 1, 1) - EPOCH).total_seconds())


def local(zone, at):
    """The aware local time at an instant."""
    return datetime.fromtimestamp(at, zone)


def offset(zone, at):
    return int(datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def changes(zone):
    """The instants at which the offset changes, to the second."""
    found = []
    before = local(zone, BEGIN).utcoffset()
    for at in range(BEGIN + DAY, END + 1, DAY):
        after = datetime.fromtimestamp(at, zone).utcoffset()
        if after != before:
            lo, hi = at - DAY, at
            while hi - lo > 1:
                mid = (lo + hi) // 2
                lo, hi = (mid, hi) if local(zone, mid).utcoffset() == before else (lo, mid)
            found.append(hi)
        before = after
    return found


def instant(wall, zone):
    """The instant that a clock time means. PEP 495: with fold=0 the first of two, and the offset before the change for one that was skipped."""
    return int((wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc).replace(tzinfo=None) - EPOCH).total_seconds())


def iso(seconds):
    sign = "-" if seconds < 0 else "+"
    return "%s%02d:%02d" % (sign, abs(seconds) // HOUR, abs(seconds) // 60 % 60)


def looks(zone, at, reach):
    """The clock at every instant around a change where it can begin something: each quarter of an hour, and changes of the offset."""
    found, last = [], None
    for i in range((at - reach) // QUARTER * QUARTER, at + reach, QUARTER):
        t = datetime.fromtimestamp(i, zone)
        shown = t.utcoffset()
        if last is not None and shown != last:
            found += [(m, local(zone, m)) for m in range(i - QUARTER + 60, i, 60)]
        last = shown
        found.append((i, t))
    return found


def hours(clock, at):
    """[begin, label] of the hours around a change. A label stands with its offset when the clock shows it with two."""
    offsets, begins, last = {}, [], None
    for i, t in clock:
        if abs(i - at) > 5 * HOUR:
            continue
        name = t.strftime("%Y-%m-%dT%H")
        shown = int(t.utcoffset().total_seconds())
        offsets.setdefault(name, set()).add(shown)
        if (name, shown) != last:
            begins.append((i, name, shown))
        last = (name, shown)
    near = [b for b in begins[1:] if abs(b[0] - at) <= 3 * HOUR]
    return [[i, name + (iso(shown) if len(offsets[name]) > 1 else "")] for i, name, shown in near]


def days(clock):
    """[begin, date] of the days: the first instant at which the clock shows the date, or a later one."""
    begins, latest = [], None
    for i, t in clock:
        if latest is None or t.date() > latest:
            begins.append([i, t.date()])
            latest = t.date()
    return begins[1:]


def look(zone, at):
    clock = looks(zone, at, 36 * HOUR)
    before, after = offset(zone, at - 1), offset(zone, at)
    shown = EPOCH + timedelta(seconds=at + min(before, after))
    length = abs(after - before)
    walls = [shown + timedelta(seconds=s // 60 * 60) for s in (-120, -60, 0, 60, length // 2, length - 60, length, length + 60)]
    begins = days(clock)
    result = {
        "at": at,
        "hours": hours(clock, at),
        "days": [[i, d.isoformat()] for i, d in begins],
        "weeks": [[i, d.strftime("%G-W%V")] for i, d in begins if d.weekday() == 0],
        "months": [[i, d.strftime("%Y-%m")] for i, d in begins if d.day == 1],
        "clocks": [[instant(w, zone), w.strftime("%Y-%m-%dT%H:%M")] for w in walls],
        "quarters": [i for i, t in clock if abs(i - at) <= 3 * HOUR and t.minute % 15 == 0 and t.second == 0],
    }
    daily = {instant(datetime(d.year, d.month, d.day) + timedelta(days=n, hours=shown.hour, minutes=shown.minute), zone) for _, d in begins for n in (-1, 0)}
    result["daily"] = [shown.strftime("%-M %-H * * *"), sorted(i for i in daily if abs(i - at) <= 30 * HOUR)]
    return result


def main():
    part, parts = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 2 else (0, 1)
    with zipfile.ZipFile(sys.argv[1]) as zones:
        names = {}
        for name in sorted(zones.namelist()):
            names.setdefault(zones.read(name), []).append(name)
        for n, (data, same) in enumerate(names.items()):
            if n % parts != part:
                continue
            zone = ZoneInfo.from_file(io.BytesIO(data), key=same[0])
            print(json.dumps({"zone": same[0], "same": same[1:], "changes": [look(zone, at) for at in changes(zone)]}, separators=(",", ":")))


main()
