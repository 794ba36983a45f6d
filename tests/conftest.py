"""What all tests share: seeds, the folder with larger data sets, and a word about the machine."""

import os
import random
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

SEED = 0


class TorchRandom:
    """Lets hypothesis reset torch's generator between examples, so failures can be replayed."""

    seed = staticmethod(torch.manual_seed)
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


TORCH_RANDOM = TorchRandom()  # hypothesis keeps a weak reference only
hypothesis.register_random(TORCH_RANDOM)

# No deadline: how long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True)
# For a search through new examples: pytest --hypothesis-profile=explore
hypothesis.settings.register_profile("explore", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("default")


def pytest_report_header() -> list[str]:
    # ./scripts/test runs two processes with one thread each. A plain `pytest` leaves torch its own
    # choice; sums of many floats may then differ in the last digit, which no test may depend on.
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    found = _data_folder() if _data_folder().is_dir() else f"{_data_folder()} (absent)"
    return [
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, gpu: {gpu}",
        f"data: {found}",
    ]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and torch sees none")


@pytest.fixture(autouse=True)
def seed() -> int:
    """The one seed; every test starts from it."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)  # seeds the CUDA devices as well
    return SEED


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the larger data sets and trained models; without it the test is skipped."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"needs the data folder, and {folder} is absent; set WHENCE_DATA to yours")
    return folder


def _data_folder() -> Path:
    beside_repository = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("WHENCE_DATA", beside_repository)).expanduser().resolve()
