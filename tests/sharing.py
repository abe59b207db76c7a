"""How processes that run the tests together share them: `pytest -n 2`."""

from xdist.scheduler import LoadScopeScheduling

# Of the files that need a large server one process runs all, so that one of each starts.
_SERVERS = {"test_cluster": "clusters", "test_engines": "clusters", "test_object_store": "stores"}


class Sharing(LoadScopeScheduling):
    """Hands out files, those that share a server at once; the largest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((server for start, server in _SERVERS.items() if f"/{start}" in file), file)
