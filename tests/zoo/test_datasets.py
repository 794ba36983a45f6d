"""Data sets from a local folder: what is read, and what is said when it is absent."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput, NotAvailable
from whence.zoo._checksum import KNOWN


def idx(values: np.ndarray) -> bytes:
    """The bytes of an idx file: magic number, sizes, data."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)


@pytest.fixture
def downloaded(tmp_path: Path, pixels: np.ndarray) -> Path:
    """A folder as torchvision leaves it behind, with three images."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "t10k-images-idx3-ubyte").write_bytes(idx(pixels))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([7, 2, 1], dtype=np.uint8)))
    return tmp_path


def test_mnist_is_read_from_one_npz(data: Path) -> None:
    mnist = zoo.dataset("mnist", data)

    assert len(mnist) == 10_000
    assert mnist[0].image.shape == (1, 28, 28)
    assert (mnist[0].label, mnist[0].name) == (7, "mnist-test-0")


def test_fashion_mnist_is_read_from_one_npz(data: Path) -> None:
    fashion = zoo.dataset("fashion-mnist", data)

    assert len(fashion) == 5000
    assert fashion.classes[0] == "T-shirt/top"


def test_cifar10_is_read_from_pictures_in_class_folders(data: Path) -> None:
    cifar = zoo.dataset("cifar10", data)

    assert len(cifar) == 10_000
    assert cifar[3000].image.shape == (3, 32, 32)
    assert (cifar.classes[cifar[3000].label], cifar[3000].name) == ("cat", "cat-0000")


def test_imagenet_samples_keep_the_shapes_of_their_pictures(data: Path) -> None:
    samples = zoo.dataset("imagenet-samples", data)

    assert len(samples) == 72
    assert samples.classes[samples[0].label] == "tench"
    assert samples[0].image.shape == (3, 375, 500)


def test_the_environment_names_the_data_folder(
    downloaded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHENCE_DATA", str(downloaded))

    assert len(zoo.dataset("mnist")) == 3


def test_mnist_is_read_from_the_idx_files_of_torchvision(
    downloaded: Path, pixels: np.ndarray
) -> None:
    mnist = zoo.dataset("mnist", downloaded)

    assert mnist.labels.tolist() == [7, 2, 1]
    np.testing.assert_array_equal((mnist.images[:, 0] * 255).round().numpy(), pixels)


def test_a_gzipped_idx_file_with_another_checksum_is_refused(
    downloaded: Path, pixels: np.ndarray
) -> None:
    raw = downloaded / "MNIST" / "raw"
    (raw / "t10k-images-idx3-ubyte").unlink()
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))

    with pytest.raises(InvalidInput, match=r"must have the md5 9fb629c4.*fetch it again"):
        zoo.dataset("mnist", downloaded)


def test_a_gzipped_idx_file_is_unpacked(
    downloaded: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = downloaded / "MNIST" / "raw"
    (raw / "t10k-images-idx3-ubyte").unlink()
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pixels)))
    monkeypatch.delitem(KNOWN, "mnist/t10k-images-idx3-ubyte.gz")

    assert zoo.dataset("mnist", downloaded).images.shape == (3, 1, 28, 28)


def test_a_short_idx_file_is_refused(downloaded: Path, pixels: np.ndarray) -> None:
    path = downloaded / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(idx(pixels)[:-1])

    with pytest.raises(InvalidInput, match=r"must hold \(3, 28, 28\) bytes, got 2351"):
        zoo.dataset("mnist", downloaded)


def test_a_file_that_is_no_idx_file_is_refused(downloaded: Path) -> None:
    (downloaded / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(b"GIF89a")

    with pytest.raises(InvalidInput, match="must be an idx file of bytes, got b'GIF8'"):
        zoo.dataset("mnist", downloaded)


def test_images_and_labels_must_be_as_many(downloaded: Path, pixels: np.ndarray) -> None:
    (downloaded / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(idx(pixels[:2]))

    with pytest.raises(InvalidInput, match="as many labels"):
        zoo.dataset("mnist", downloaded)


def test_a_damaged_npz_is_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    np.savez(tmp_path / "mnist.npz", test_images=pixels, test_labels=np.zeros(3))

    with pytest.raises(InvalidInput, match="must have the sha256 39b9b1ff"):
        zoo.dataset("mnist", tmp_path)


def test_an_npz_without_the_arrays_is_refused(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "mnist.npz", x_test=pixels)
    monkeypatch.delitem(KNOWN, "mnist/mnist.npz")

    with pytest.raises(InvalidInput, match="arrays test_images, test_labels, got x_test"):
        zoo.dataset("mnist", tmp_path)


def test_absent_data_is_reported_with_names_place_and_help(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"mnist.npz or t10k-images.*not found in .*WHENCE_DATA"):
        zoo.dataset("mnist", tmp_path)


def test_a_missing_split_is_reported(data: Path) -> None:
    with pytest.raises(NotAvailable, match=r"fashion-mnist \(train"):
        zoo.dataset("fashion-mnist", data, split="train")


def test_an_unset_data_folder_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHENCE_DATA", raising=False)

    with pytest.raises(NotAvailable, match=r"no data folder is set.*WHENCE_DATA=FOLDER"):
        zoo.dataset("cifar10")


def test_a_data_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="which is not a folder"):
        zoo.dataset("cifar10", tmp_path / "nowhere")


@pytest.fixture
def batch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision's CIFAR-10 test batch would be, its checksum not asked for."""
    monkeypatch.delitem(KNOWN, "cifar10/test_batch")
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    path.parent.mkdir()
    return path


def test_cifar10_is_read_from_the_batches_of_torchvision(batch_file: Path) -> None:
    values = np.arange(2 * 3072, dtype=np.uint16).astype(np.uint8).reshape(2, 3072)
    batch_file.write_bytes(pickle.dumps({"data": values, "labels": [3, 8]}, protocol=4))
    cifar = zoo.dataset("cifar10", batch_file.parents[1])

    assert cifar.labels.tolist() == [3, 8]
    np.testing.assert_array_equal(
        (cifar.images * 255).round().numpy(), values.reshape(2, 3, 32, 32)
    )


def test_a_batch_that_would_run_code_is_refused(batch_file: Path) -> None:
    batch_file.write_bytes(pickle.dumps({"data": print, "labels": [0]}, protocol=4))

    with pytest.raises(InvalidInput, match=r"arrays only, got builtins.print"):
        zoo.dataset("cifar10", batch_file.parents[1])


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two classes of pictures, one of them with a folder inside, and things to pass over."""
    (tmp_path / "dog" / "old").mkdir(parents=True)
    (tmp_path / "cat").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "dog" / "album.png").mkdir()
    (tmp_path / "notes.txt").write_text("not a picture")
    Image.new("RGB", (6, 4), "red").save(tmp_path / "dog" / "rex.png")
    Image.new("RGB", (6, 4), "blue").save(tmp_path / "dog" / "old" / "rex.png")
    Image.new("L", (6, 4), 255).save(tmp_path / "cat" / "tom.png")
    for hidden in (tmp_path / ".cache", tmp_path / "cat" / ".thumbs"):
        hidden.mkdir()
        Image.new("L", (6, 4), 0).save(hidden / "small.png")
    return tmp_path


def test_sub_folders_are_classes(album: Path) -> None:
    pets = zoo.dataset(f"folder:{album}")

    assert pets.classes == ("cat", "dog")
    assert pets.labels.tolist() == [0, 1, 1]
    assert pets.names == ("cat-tom.png", "dog-old-rex.png", "dog-rex.png")
    assert [tuple(item.image.shape) for item in pets] == [(1, 4, 6), (3, 4, 6), (3, 4, 6)]


def test_a_path_is_a_name_too(album: Path) -> None:
    assert len(zoo.dataset(str(album))) == 3


def test_a_flat_folder_has_no_labels(album: Path) -> None:
    pets = zoo.dataset(f"folder:{album / 'cat'}")

    assert pets.classes == ()
    assert pets[0].label is None


def test_pictures_of_different_shapes_make_no_batch(album: Path) -> None:
    pets = zoo.dataset(f"folder:{album}")

    with pytest.raises(InvalidInput, match=r"one shape, got \[\(1, 4, 6\), \(3, 4, 6\)\]"):
        _ = pets.images


def test_some_items_make_a_batch(album: Path) -> None:
    images, labels = zoo.dataset(f"folder:{album}").batch([1, -1])

    assert torch.equal(images[1, :, 0, 0], torch.tensor([1.0, 0.0, 0.0]))
    assert labels.tolist() == [1, 1]


def test_an_item_beyond_the_end_is_an_error() -> None:
    digits = zoo.dataset("digits")

    with pytest.raises(IndexError, match=r"items 0..354, got 355"):
        _ = digits[355]


def test_a_folder_without_pictures_is_refused(album: Path) -> None:
    with pytest.raises(InvalidInput, match="must hold pictures"):
        zoo.dataset(f"folder:{album / 'empty'}")


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="there is no picture folder"):
        zoo.dataset(f"folder:{tmp_path / 'nowhere'}")


def test_an_unknown_data_set_is_refused_with_the_closest_name() -> None:
    with pytest.raises(InvalidInput, match=r"Did you mean 'fashion-mnist'.*folder:PATH"):
        zoo.dataset("fashion_mnist")
