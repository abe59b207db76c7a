"""Answers kept in memory while the dataset stays as it is, the least recently used dropped first."""

from cachetools import LRUCache

from mmstats.serve.worker import Answer

MOST_BYTES = 64 << 20
_OVERHEAD = 512  # of an entry, beside its body


def _size(answer: Answer) -> int:
    return len(answer.body) + _OVERHEAD


class KeptAnswers:
    """The answers to questions asked of one state of the dataset; those of any other are dropped."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._answers: LRUCache[str, Answer] = LRUCache(most_bytes, getsizeof=_size)
        self._digest = ""

    @property
    def bytes(self) -> int:
        """How much memory they take."""
        return int(self._answers.currsize)

    def find(self, digest: str, key: str) -> Answer | None:
        """The answer kept under a key; `digest` is the dataset's now, and answers of another are dropped."""
        if digest != self._digest:
            self._answers.clear()
            self._digest = digest
        return self._answers.get(key)

    def keep(self, digest: str, key: str, answer: Answer) -> None:
        """Keep an answer, unless it is of another state or alone would drive out most of the others."""
        if digest == self._digest and _size(answer) <= self._answers.maxsize / 8:
            self._answers[key] = answer
