"""Preprocessing, and the way back to the picture's pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput, NotAvailable

CAFFE = zoo.ImageInput(channels=3, resize=8, crop=6, mean=(0.1, 0.2, 0.3), std=(0.5,), bgr=True)


def test_normalising_subtracts_the_mean_and_divides() -> None:
    see = zoo.ImageInput(channels=3, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))

    assert see(torch.ones(1, 3, 1, 1)).flatten().tolist() == [1, 1, 0]
    assert (see.low.flatten().tolist(), see.high.flatten().tolist()) == ([0, -1, -4], [1, 1, 0])


def test_blue_comes_first_where_the_net_wants_it() -> None:
    see = zoo.ImageInput(channels=3, bgr=True)
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]

    assert see(red).flatten().tolist() == [0, 0, 1]


def test_colour_becomes_grey_by_luminance() -> None:
    picture = Image.new("RGB", (4, 4), (255, 0, 0))

    assert zoo.ImageInput(channels=1)(picture)[0, 0, 0, 0].item() == pytest.approx(0.299)


def test_grey_becomes_colour_by_repetition() -> None:
    image = torch.rand(2, 1, 4, 4)

    assert torch.equal(zoo.ImageInput(channels=3)(image), image.expand(2, 3, 4, 4))


def test_a_picture_and_its_pixels_are_seen_alike() -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    pixels = torch.from_numpy(array).permute(2, 0, 1) / 255

    assert torch.equal(CAFFE(Image.fromarray(array)), CAFFE(pixels))


def test_the_shorter_side_is_resized_and_the_centre_cropped() -> None:
    see = zoo.ImageInput(channels=1, resize=4, crop=4)
    image = torch.zeros(1, 1, 4, 8)
    image[..., 2:6] = 1

    assert torch.equal(see(image), torch.ones(1, 1, 4, 4))


def test_bicubic_interpolation_does_not_leave_the_box() -> None:
    see = zoo.ImageInput(channels=1, resize=(24, 24), interpolation="bicubic")
    seen = see((torch.rand(4, 1, 8, 8) > 0.5).float())

    assert (seen.min().item(), seen.max().item()) == (0, 1)


def test_a_relevance_map_goes_back_to_the_pixels_with_its_sum() -> None:
    relevance = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    spread = CAFFE.to_picture(relevance, 20, 30)

    assert spread.shape == (2, 3, 20, 30)
    torch.testing.assert_close(spread.sum((1, 2, 3)), relevance.sum((1, 2, 3)))


def test_a_map_without_resizing_goes_back_pixel_by_pixel() -> None:
    see = zoo.ImageInput(channels=3, crop=2, bgr=True)
    relevance = torch.arange(12.0).reshape(1, 3, 2, 2)
    spread = see.to_picture(relevance, 4, 4)

    assert torch.equal(spread[:, :, 1:3, 1:3], relevance.flip(1))
    assert spread.sum() == relevance.sum()


def test_a_map_of_one_channel_goes_back_too() -> None:
    assert CAFFE.to_picture(torch.ones(1, 1, 6, 6), 8, 8).sum().item() == pytest.approx(36)


def test_relevance_on_the_frame_is_left_out() -> None:
    see = zoo.ImageInput(channels=1, pad=1)

    assert torch.equal(see.to_picture(torch.ones(1, 1, 4, 4), 2, 2), torch.ones(1, 1, 2, 2))


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"seen as \(6, 6\) pixels, got relevance of \(5, 5\)"):
        CAFFE.to_picture(torch.ones(1, 3, 5, 5), 8, 8)


def test_bytes_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"floats in 0..1, got torch.uint8 in 7..7"):
        CAFFE(torch.full((1, 3, 8, 8), 7, dtype=torch.uint8))


def test_values_beyond_one_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"got torch.float32 in 0..255. Divide bytes by 255"):
        CAFFE(torch.tensor([0.0, 255.0]).expand(1, 3, 8, 2))


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8, 3), (0, 3, 8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput, match="Put the channels before"):
        CAFFE(torch.zeros(shape))


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(InvalidInput, match="central 6 x 6 pixels, got 4 x 9"):
        zoo.ImageInput(channels=3, crop=6)(torch.zeros(1, 3, 4, 9))


def test_a_picture_file_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by a quarter
    Image.new("RGB", (4, 2)).save(path, exif=exif)

    assert zoo.load_image(path).size == (2, 4)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(path)

    assert zoo.load_image(path).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 65535]], dtype=np.uint16)).save(path)

    assert list(zoo.load_image(path).tobytes()) == [0, 255]


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")

    with pytest.raises(InvalidInput, match="must be a picture that Pillow reads"):
        zoo.load_image(path)


def test_half_a_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(InvalidInput, match="must be a picture that Pillow reads"):
        zoo.load_image(path)


def test_a_picture_of_too_many_pixels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    Image.new("L", (40, 40)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)

    with pytest.raises(InvalidInput, match=r"bomb\.png must be a picture.*1600 pixels"):
        zoo.load_image(path)


def test_a_missing_picture_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="there is no picture"):
        zoo.load_image(tmp_path / "none.png")


def test_what_the_net_sees_becomes_a_picture_again() -> None:
    caffe = zoo.ImageInput(channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 1, 2), pad=1, bgr=True)
    picture = torch.rand(2, 3, 4, 5)
    found = caffe.pixels(caffe(picture))

    assert torch.allclose(found[:, :, 1:-1, 1:-1], picture, atol=1e-6)
    assert found[:, :, 0].abs().max() < 1e-6


def test_what_no_picture_can_show_is_clipped() -> None:
    grey = zoo.ImageInput(channels=1, mean=(0.5,), std=(0.5,))
    found = grey.pixels(torch.tensor([-3.0, -1, 0, 1, 3]).view(1, 1, 1, 5))

    assert found.flatten().tolist() == [0, 0, 0.5, 1, 1]
