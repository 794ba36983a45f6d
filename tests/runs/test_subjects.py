"""What the command line can be asked about."""

from pathlib import Path

import pytest

from whence.errors import InvalidInput
from whence.runs import find_subjects


@pytest.mark.parametrize("item", ["sst", "sst:3"])
def test_a_data_set_of_texts_is_no_picture(item: str, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("(3 (2 A) (4 film))\n")

    with pytest.raises(InvalidInput, match=r'sst must be a data set of pictures.*--text "\.\.\."'):
        find_subjects(item, root=tmp_path)
