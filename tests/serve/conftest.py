"""One server for all tests of a process."""

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="needs the extra: pip install whence[web]")

from serving import Client, server
from whence.serve import Settings


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server answers that most tests share; it has what ships, and no data of others."""
    with server(Settings(port=0, root=tmp_path_factory.mktemp("data"))) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    """A user of that server."""
    made = Client(address)
    yield made
    made.close()
