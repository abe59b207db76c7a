"""Whether `mmstats serve` answers right for long while its data changes: two servers, clients, writers and an oracle.

One server answers of a folder of files of every format, which are added, replaced, appended to and removed; the other
of a store, into which is imported. Every answer must be, to the byte, that of a state that the data was in shortly
before the request or while it ran, as plain Python computes it. Prints what came back, and exits with 1 when an answer
is wrong, an error is a bug's, or a state is seen for longer than it may be.

    python -m benchmarks.soak [--minutes 20] [--seed 1]
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.soak_oracle import Answer, Slot, draw_question, judge, path_of
from benchmarks.soak_writers import FolderWriter, StoreWriter, keep_changing
from mmstats.question.query import StatsQuery
from tests.serving import Serving, serving

CLIENTS = 4  # of each server
HOT = 20  # questions that are asked again and again
PAUSES = (0.0, 0.0, 0.1, 0.3, 1.0, 4.0)
_TIMEOUT = 120


@dataclass
class Outcome:
    """What came back from one server."""

    statuses: Counter[int] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)
    reconnections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def failed(self) -> bool:
        """Whether something came that must not come."""
        return bool(self.verdicts["wrong"] or self.statuses[500] or self.bugs or not self.verdicts["right"])

    def lines(self) -> list[str]:
        """The outcome for people."""
        times = statistics.quantiles(self.milliseconds, n=100, method="inclusive")
        shown = ", ".join(f"p{share} {times[share - 1]:,.0f}" for share in (50, 90, 95, 99))
        return [
            f"answers {self.verdicts.total():,}: {_counted(self.verdicts)}",
            f"statuses: {_counted(self.statuses)}",
            f"milliseconds: {shown}, most {max(self.milliseconds):,.0f}",
            f"changes: {_counted(self.changes)}; reconnections: {self.reconnections}",
            *(f"{count:,} times {error}" for error, count in self.errors.most_common(10)),
            *self.bugs[:5],
            *self.examples[:5],
        ]


def _counted(counts: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items(), key=str)) or "none"


class Client:
    """A client on a connection that it keeps, and on which it asks for what it has only if that has changed."""

    def __init__(self, server: Serving, slots: Sequence[Slot], outcome: Outcome, rng: Random) -> None:
        self._server, self._slots, self._outcome, self._rng = server, slots, outcome, rng
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_TIMEOUT)
        self._known: dict[StatsQuery, tuple[str, Answer]] = {}

    def ask_on(self, hot: Sequence[StatsQuery], more: Callable[[], bool]) -> None:
        """Ask drawn questions as long as there are more to ask."""
        with closing(self._connection):
            while more():
                drawn = self._rng.choice(hot) if self._rng.random() < 0.7 else draw_question(self._rng)
                try:
                    self.ask(drawn)
                except (OSError, http.client.HTTPException) as error:
                    with self._outcome.lock:
                        self._outcome.bugs.append(f"no answer: {error!r}")
                    return
                time.sleep(self._rng.choice((0.0, 0.02, 0.1)))

    def _send(self, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        """The reply; asked once more where the connection has been closed, as the server does after 10 idle seconds."""
        try:
            self._connection.request("GET", path, headers=headers)
            return self._connection.getresponse()
        except ConnectionError:
            with self._outcome.lock:
                self._outcome.reconnections += 1
            self._connection.close()
            self._connection.request("GET", path, headers=headers)
            return self._connection.getresponse()

    def ask(self, query: StatsQuery) -> None:
        """Ask a question and judge its answer."""
        headers = dict(self._server.headers)
        if query in self._known:
            headers["If-None-Match"] = self._known[query][0]
        start = time.monotonic()
        reply = self._send(path_of(query), headers)
        body = reply.read().decode()
        end = time.monotonic()
        outcome = self._outcome
        with outcome.lock:
            outcome.statuses[reply.status] += 1
            outcome.milliseconds.append((end - start) * 1000)
            if reply.status not in (200, 304):
                outcome.errors[f"{reply.status} {body[:300]}"] += 1
                return
        got = (body, reply.headers["Mmstats-Truncated"] == "true") if reply.status == 200 else self._known[query][1]
        if tag := reply.headers["ETag"]:
            self._known[query] = tag, got
        verdict = judge(self._slots, query, got, start, end)
        with outcome.lock:
            outcome.verdicts[verdict] += 1
            if verdict == "wrong":
                outcome.examples.append(f"wrong: {reply.status} {path_of(query)} {got[0][:500]}")


def soak(folder: Path, seed: int, more: Callable[[], bool], pauses: tuple[float, ...] = PAUSES) -> dict[str, Outcome]:
    """Ask both servers while there is more to ask, and what came back from each, by its name."""
    rng = Random(seed)
    files = FolderWriter(folder / "folder", Random(rng.random()))
    store = StoreWriter(folder / "imported", Random(rng.random()))
    outcomes = {"folder": Outcome(), "store": Outcome()}
    end = threading.Event()
    with (
        serving("--data", str(folder / "folder"), "--extensions") as of_files,
        serving("--data", str(store.store), "--extensions") as of_store,
        ThreadPoolExecutor(2 * CLIENTS + 2) as pool,
    ):
        asking, changing = [], []
        for name, server, writer in (("folder", of_files, files), ("store", of_store, store)):
            hot = [draw_question(rng) for _ in range(HOT)]
            for _ in range(CLIENTS):
                client = Client(server, writer.slots, outcomes[name], Random(rng.random()))
                asking.append(pool.submit(client.ask_on, hot, more))
            changing.append(pool.submit(keep_changing, writer, Random(rng.random()), pauses, end))
        try:
            for client_done in asking:
                client_done.result()
        finally:
            end.set()
        for writer_done in changing:
            writer_done.result()
        for name, server, writer in (("folder", of_files, files), ("store", of_store, store)):
            outcomes[name].changes = writer.changes
            outcomes[name].bugs += [line for line in server.log().splitlines() if "level=error" in line]
    return outcomes


def main() -> int:
    """Run for so many minutes, print what came back, and return 1 when something must not be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20, help="how long clients ask")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn; when it happens, no seed says")
    given = parser.parse_args()
    deadline = time.monotonic() + given.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        outcomes = soak(Path(folder), given.seed, lambda: time.monotonic() < deadline)
    for name, outcome in outcomes.items():
        print(f"{name}:", *outcome.lines(), sep="\n  ")
    failed = [name for name, outcome in outcomes.items() if outcome.failed]
    print(json.dumps({"minutes": given.minutes, "seed": given.seed, "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
