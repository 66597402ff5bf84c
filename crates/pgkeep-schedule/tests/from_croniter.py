#!/usr/bin/env python3
"""Writes croniter.txt: what croniter (PyPI, an independent implementation of crontab(5)) says of some cron lines."""
import datetime
from croniter import croniter

LINES = [
    "0 2 * * *", "*/15 * * * *", "5,35 8-18/2 * * 1-5", "0 0 1,15 * 5", "30 4 1-7 * 1", "0 12 * 2 *", "0 0 29 2 *",
    "0 0 31 * *", "59 23 31 12 *", "0 6 * jan,jul sun", "0 6 * * 7", "0 6 * * 0", "10-50/20 3 * * mon-wed",
    "*/7 */5 * * *", "0 0 */10 * *", "23 0-20/2 * * *", "0 22 * * 1-5", "15 14 1 * *", "0 0 13 * 5",
]
STARTS = ["2024-02-27T23:59", "2026-11-24T12:00", "2027-12-31T23:58"]
for line in LINES:
    for start in STARTS:
        t = datetime.datetime.fromisoformat(start)
        it = croniter(line, t)
        back = croniter(line, t)
        next_ = [it.get_next(datetime.datetime).strftime("%Y-%m-%dT%H:%M") for _ in range(6)]
        print(line, start, back.get_prev(datetime.datetime).strftime("%Y-%m-%dT%H:%M"), " ".join(next_), sep="|")
