"""What `mmstats serve` bears: requests a second, also beside other servers, for long, and with clients that mean ill.

It writes a month of events, starts servers on loopback, each with a key where it takes one, and asks them. An answer
of another status than it must be makes it exit with 1; 503, which says that the server has enough to do, is counted
apart. Beside it roapi and datasette answer the same question from the same rows, if their programs are named.

    python benchmarks/serve_load.py [--rows 1000000] [--seconds 3] [--quick] [--json FILE]
        [--roapi PROGRAM] [--datasette PROGRAM] [--data FOLDER]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from serve_abuse import ABUSES, endure
from serve_client import OVERLOADED, Ask, Load, ask_all, load
from serve_data import write_events
from serve_report import Report, Row, show_machine, text
from serve_servers import Server, datasette, mmstats, roapi

CONNECTIONS = (1, 8, 64)
BESIDE = (1, 8)
ENDURING = 8
ABUSE_SECONDS = 4  # as many times as long as a measurement: ten seconds are what the server gives a silent client
MOST_GROWTH_MIB = 16.0
MOST_WORKERS = (os.cpu_count() or 1) + 1  # one starts beside the queries, of which as many run as there are cores


def main() -> int:
    """Measure everything; 1 when something was not as it must be."""
    given = _arguments()
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = given.data or folder / "events"
        _events(events, given.rows)
        show_machine(report, {"roapi": given.roapi, "datasette": given.datasette})
        with ExitStack() as servers:
            large = servers.enter_context(mmstats(folder, ["--data", str(events)], "mmstats"))
            sample = servers.enter_context(mmstats(folder, ["--sample"], "mmstats-sample"))
            throughput(report, {f"{given.rows:,} rows": large, "sample": sample}, given.seconds)
            compare(report, [large, *_others(servers, given, folder, events)], given)
            endurance(report, large, given.requests)
            abuse(report, large, given.seconds * ABUSE_SECONDS)
            for server in (large, sample):
                report.check(f"log of {server.name}", "\n".join(_bugs(server)))
    if given.json:
        given.json.write_text(json.dumps({"tables": report.tables, "faults": report.faults}, indent=2) + "\n")
    print("\n" + ("\n".join(["wrong:", *report.faults]) if report.faults else "nothing was wrong"))
    return min(len(report.faults), 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="events to write")
    parser.add_argument("--seconds", type=float, default=3, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each server in the comparison")
    parser.add_argument("--requests", type=int, default=100_000, help="requests of each kind of endurance")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers as JSON")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keep the events here, or use those that are")
    parser.add_argument("--roapi", metavar="PROGRAM", help="roapi to compare with")
    parser.add_argument("--datasette", metavar="PROGRAM", help="datasette to compare with")
    given = parser.parse_args()
    if given.quick:
        given.rows, given.requests = given.rows // 10, given.requests // 10
        given.seconds, given.rounds = min(given.seconds, 1), 2
    return given


def _events(folder: Path, rows: int) -> None:
    if not folder.exists():
        start = time.perf_counter()
        folder.mkdir(parents=True)
        write_events(folder, rows)
        print(f"{rows:,} events written in {time.perf_counter() - start:.1f} s")


def throughput(report: Report, servers: Mapping[str, Server], seconds: float) -> None:
    """Requests a second for a hot question, one that is known already, and another each time."""
    rows = []
    for data, server in servers.items():
        for ask in (server.hot, _known(server), server.different):
            server.reply(ask)
            for connections in CONNECTIONS:
                found = load(server.port, ask, connections, seconds)
                rows.append({"data": data, "question": ask.name, "connections": connections, **_figures(found)})
                report.check(f"{ask.name} of {data} on {connections}", dict(found.wrong))
    report.show("Requests a second", rows)


def _figures(found: Load) -> dict[str, object]:
    return {
        "answers": found.statuses.total(),
        "requests/s": found.per_second,
        "p50 ms": found.p50_ms,
        "p99 ms": found.p99_ms,
        "503": found.statuses[OVERLOADED],
        "wrong": found.wrong.total(),
    }


def _known(server: Server) -> Ask:
    """The hot question from a client that has its answer."""
    _, headers, _ = server.reply(server.hot)
    return replace(
        server.hot, name="known (304)", status=304, headers={**server.hot.headers, "If-None-Match": headers["etag"]}
    )


def _others(servers: ExitStack, given: argparse.Namespace, folder: Path, events: Path) -> list[Server]:
    others = []
    if given.roapi:
        others.append(servers.enter_context(roapi(given.roapi, folder, events)))
    if given.datasette:
        others.append(servers.enter_context(datasette(given.datasette, folder, events)))
    return others


def compare(report: Report, servers: Sequence[Server], given: argparse.Namespace) -> None:
    """The same question to every server in turn, several rounds, if all give the same counts."""
    if len(servers) == 1:
        print("\nno comparison: neither --roapi nor --datasette")
        return
    for server in servers[1:]:
        report.check(f"counts of {server.name}", "others" if server.counts() != servers[0].counts() else "")
    rows = []
    for connections in BESIDE:
        for kind in ("hot", "different"):
            found = _rounds(servers, kind, connections, given)
            rows += [_beside(server, kind, connections, found[server.name]) for server in servers]
            for name, loads in found.items():
                wrong = sum((one.wrong for one in loads), Counter[str]())
                report.check(f"{kind} on {connections} of {name}", dict(wrong))
    title = "The same question to others, medians of {} rounds (least to most), memory with that of worker processes"
    report.show(title.format(given.rounds), rows)


def _rounds(servers: Sequence[Server], kind: str, connections: int, given: argparse.Namespace) -> dict[str, list[Load]]:
    """All by the asyncio client, which waits for the last answers also of a slow server."""
    found: dict[str, list[Load]] = {server.name: [] for server in servers}
    for _ in range(given.rounds):
        for server in servers:
            ask = server.hot if kind == "hot" else server.different
            server.reply(ask)
            measured = asyncio.run(ask_all(server.port, [ask], connections, seconds=given.seconds))
            found[server.name].append(measured)
    return found


def _beside(server: Server, kind: str, connections: int, loads: Sequence[Load]) -> Row:
    rates = sorted(one.per_second for one in loads)
    return {
        "question": kind,
        "connections": connections,
        "server": server.name,
        "requests/s": statistics.median(rates),
        "spread/s": f"({text(rates[0])} to {text(rates[-1])})",
        "p50 ms": statistics.median(one.p50_ms for one in loads),
        "p99 ms": statistics.median(one.p99_ms for one in loads),
        "memory MiB": server.memory_mib(with_workers=True),
    }


def endurance(report: Report, server: Server, requests: int) -> None:
    """Very many requests: no error, and the memory of the process before and after."""
    rows = []
    mix = [server.hot, _known(server), *_refused(server)]
    for name, asks in {"hot": [server.hot], " ".join(str(ask.status) for ask in mix): mix}.items():
        asyncio.run(ask_all(server.port, asks, ENDURING, requests=requests // 20))  # what grows only once has grown
        before = server.memory_mib()
        found = asyncio.run(ask_all(server.port, asks, ENDURING, requests=requests))
        after = server.memory_mib()
        memory = {"before MiB": before, "after MiB": after, "growth MiB": after - before}
        rows.append({"asked": name, "connections": ENDURING, **_figures(found), **memory})
        report.check(f"endurance, {name}", dict(found.wrong))
        report.check(f"endurance, {name}", f"{after - before:.1f} MiB more" if after - before > MOST_GROWTH_MIB else "")
    report.show("Endurance", rows)


def _refused(server: Server) -> tuple[Ask, ...]:
    """Requests that are refused, each with another status."""
    hot = server.hot
    return (
        replace(hot, name="401", status=401, headers={}),
        replace(hot, name="404", status=404, path="/v1/nothing?{k}"),
        replace(hot, name="400", status=400, path="/v1/stats?limit={k}"),
    )


def abuse(report: Report, server: Server, seconds: float) -> None:
    """Each abuse, and what a well-behaved client that asks every 50 ms saw of it."""
    rows = []
    for one in ABUSES:
        row = endure(server, one, seconds)
        rows.append(row)
        name, workers = row["abuse"], server.children()
        report.check(f"the well-behaved client beside {name}", "" if row["wrong"] == "-" else row["wrong"])
        report.check(f"after {name}", f"{workers} worker processes left" if workers > MOST_WORKERS else "")
    report.show("Abuse, and what a client that asks the hot question every 50 ms saw of it", rows)


def _bugs(server: Server) -> list[str]:
    return [line for line in server.log.read_text().splitlines() if "level=error" in line or "Traceback" in line]


if __name__ == "__main__":
    sys.exit(main())
