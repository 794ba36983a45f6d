"""Data sets that cannot be fetched by name, read from tiny copies in their usual layouts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from whence import zoo
from whence.errors import InvalidInput, NotAvailable

# As trained nets number them (alphabetically by synset), and by the development kit's own numbers.
SYNSETS = {"n01440764": "tench, Tinca tinca", "n02084071": "dog", "n02389026": "sorrel"}
DEVKIT = {"n02389026": 1, "n01440764": 2, "n02084071": 3}


def draw(path: Path, grey: int = 0) -> None:
    """A small picture; lossless endings would not be the data sets' own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (grey, grey, grey)).save(path, format="JPEG")


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def flat(folder: Path) -> None:
    """Three pictures without class folders: a sorrel, a dog, a tench."""
    for number in (1, 2, 3):
        draw(folder / "val" / f"ILSVRC2012_val_{number:08d}.JPEG")


def words(folder: Path) -> None:
    write(folder / "synset_words.txt", *(f"{synset} {name}" for synset, name in SYNSETS.items()))


def caffe(root: Path) -> None:
    flat(root / "ilsvrc2012")
    words(root / "ilsvrc2012")
    lines = [f"ILSVRC2012_val_{k:08d}.JPEG {label}" for k, label in ((2, 1), (1, 2), (3, 0))]
    write(root / "ilsvrc2012" / "val.txt", *lines)


def kaggle(root: Path) -> None:
    flat(root / "ILSVRC" / "Data" / "CLS-LOC")
    lines = [f"{synset} {name}" for synset, name in SYNSETS.items()]
    write(root / "LOC_synset_mapping.txt", *lines)
    rows = [
        "ILSVRC2012_val_00000003,n01440764 1 1 4 4",
        "ILSVRC2012_val_00000001,n02389026 1 1 4 4 n02389026 2 2 3 3",
        "ILSVRC2012_val_00000002,n02084071 1 1 4 4",
    ]
    write(root / "LOC_val_solution.csv", "ImageId,PredictionString", *rows)


def devkit(root: Path) -> None:
    io = pytest.importorskip("scipy.io")
    flat(root / "imagenet")
    kit = root / "imagenet" / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(number, synset, SYNSETS[synset], 0) for synset, number in DEVKIT.items()]
    table = np.array([*rows, (4, "n00000001", "an inner node", 3)], dtype=kinds)
    io.savemat(kit / "meta.mat", {"synsets": table})
    write(kit / "ILSVRC2012_validation_ground_truth.txt", "1", "3", "2")


@pytest.mark.parametrize("lay_out", [caffe, kaggle, devkit])
def test_flat_pictures_of_ilsvrc_are_labelled_as_trained_nets_number_them(
    lay_out: Callable[[Path], None], tmp_path: Path
) -> None:
    lay_out(tmp_path)
    found = zoo.dataset("ilsvrc2012", tmp_path)

    assert found.labels.tolist() == [2, 1, 0]
    assert found.classes == ("tench", "dog", "sorrel")
    assert found.names[0] == "ILSVRC2012_val_00000001"
    assert found[0].image.shape == (3, 4, 6)


def test_class_folders_of_ilsvrc_follow_the_list_of_synsets(tmp_path: Path) -> None:
    draw(tmp_path / "ILSVRC2012" / "train" / "n02389026" / "n02389026_7.JPEG")
    draw(tmp_path / "ILSVRC2012" / "train" / "n01440764" / "n01440764_5.JPEG")
    index = {str(k): [synset, name] for k, (synset, name) in enumerate(SYNSETS.items())}
    write(tmp_path / "ILSVRC2012" / "imagenet_class_index.json", json.dumps(index))
    found = zoo.dataset("ilsvrc2012", tmp_path, "train")

    assert found.labels.tolist() == [0, 2]
    assert found.names == ("n01440764_5", "n02389026_7")


def test_a_thousand_class_folders_need_no_list(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / "val" / f"n{number:08d}").mkdir(parents=True)
    draw(tmp_path / "val" / "n00000700" / "ILSVRC2012_val_00000009.JPEG")

    assert zoo.dataset("ilsvrc2012", tmp_path).labels.tolist() == [700]


def test_ilsvrc_without_what_says_the_labels_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "val" / "n01440764" / "a.JPEG")
    with pytest.raises(NotAvailable, match="1 class folders and no list of synsets"):
        zoo.dataset("ilsvrc2012", tmp_path)

    write(tmp_path / "synsets.txt", "n02084071")
    with pytest.raises(InvalidInput, match="must hold every class, got none for n01440764"):
        zoo.dataset("ilsvrc2012", tmp_path)


def test_flat_ilsvrc_pictures_that_no_list_names_are_refused(tmp_path: Path) -> None:
    flat(tmp_path)
    words(tmp_path)
    with pytest.raises(NotAvailable, match="no list of labels"):
        zoo.dataset("ilsvrc2012", tmp_path)

    write(tmp_path / "val.txt", "ILSVRC2012_val_00000001.JPEG 2")
    with pytest.raises(InvalidInput, match=r"must list all pictures.*00000002"):
        zoo.dataset("ilsvrc2012", tmp_path)


SCENES = ("a/abbey", "a/apartment_building/outdoor", "b/bar")


@pytest.fixture
def sun(tmp_path: Path) -> Path:
    """Two pictures of each kind of scene."""
    for name in SCENES:
        draw(tmp_path / "SUN397" / name / "sun_aa.jpg")
        draw(tmp_path / "SUN397" / name / "sun_bb.jpg")
    return tmp_path


def test_sun397_reads_nested_class_folders_and_the_official_split(sun: Path) -> None:
    write(sun / "Partitions" / "ClassName.txt", *(f"/{name}" for name in SCENES))
    lines = ["/b/bar/sun_bb.jpg", "/a/apartment_building/outdoor/sun_aa.jpg"]
    write(sun / "Partitions" / "Testing_01.txt", *lines)
    found = zoo.dataset("sun397", sun)

    assert found.name == "sun397/test"
    assert found.labels.tolist() == [2, 1]
    assert found.classes == ("abbey", "apartment building, outdoor", "bar")
    assert found.names == ("b-bar-sun_bb", "a-apartment_building-outdoor-sun_aa")
    assert found[1].image.shape == (3, 4, 6)


def test_sun397_without_the_split_is_all_pictures_and_says_so(sun: Path) -> None:
    write(sun / "SUN397" / "ClassName.txt", *(f"/{name}" for name in SCENES))
    found = zoo.dataset("sun397", sun)

    assert found.name == "sun397/all"
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_sun397_with_an_unlisted_class_is_refused(sun: Path) -> None:
    write(sun / "SUN397" / "ClassName.txt", "/a/abbey")
    write(sun / "SUN397" / "Testing_01.txt", "/b/bar/sun_aa.jpg")

    with pytest.raises(InvalidInput, match=r"ClassName\.txt must list every class.*b/bar"):
        zoo.dataset("sun397", sun)


def test_places205_is_read_by_its_lists(tmp_path: Path) -> None:
    home = tmp_path / "places205"
    pictures = home / "data/vision/torralba/deeplearning/images256"
    draw(pictures / "a/abbey/gsun_1.jpg")
    draw(pictures / "b/bar/gsun_2.jpg")
    lists = home / "trainvalsplit_places205"
    write(lists / "val_places205.csv", "b/bar/gsun_2.jpg 2", "a/abbey/gsun_1.jpg 0")
    write(lists / "categoryIndex_places205.csv", "/a/abbey 0", "/a/airport_terminal 1", "/b/bar 2")
    found = zoo.dataset("places205", tmp_path)

    assert found.labels.tolist() == [2, 0]
    assert found.classes == ("abbey", "airport terminal", "bar")
    assert found.names == ("b-bar-gsun_2", "a-abbey-gsun_1")
    assert found[0].image.shape == (3, 4, 6)


def test_places205_names_classes_after_folders_where_no_list_does(tmp_path: Path) -> None:
    draw(tmp_path / "images256" / "b/bar/gsun_2.jpg")
    write(tmp_path / "val_places205.csv", "b/bar/gsun_2.jpg 2")

    assert zoo.dataset("places205", tmp_path).classes == ("class 0", "class 1", "bar")


VOC = """<annotation><object><name>person</name><difficult>1</difficult><bndbox><xmin>1</xmin>
<ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object><object><name>horse</name>
<difficult>0</difficult><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>6</xmax><ymax>4</ymax></bndbox>
</object></annotation>"""


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    home = tmp_path / "VOCdevkit" / "VOC2007"
    for name in ("000001", "000002"):
        draw(home / "JPEGImages" / f"{name}.jpg")
        write(home / "Annotations" / f"{name}.xml", VOC)
    return home


def test_voc_has_boxes_that_count_pixels_from_zero(voc: Path) -> None:
    found = zoo.dataset("voc2007", voc.parents[1])

    assert found.name == "voc2007/all"
    assert found[0].boxes == (
        zoo.Box("person", 0, 0, 2, 2, difficult=True),
        zoo.Box("horse", 1, 0, 6, 4),
    )
    assert [found.classes[label] for label in found.labels] == ["horse", "horse"]


def test_voc_keeps_to_its_split(voc: Path) -> None:
    write(voc / "ImageSets" / "Main" / "test.txt", "000002")
    found = zoo.dataset("voc2007", voc.parents[1])

    assert (found.name, found.names) == ("voc2007/test", ("000002",))


def test_a_damaged_annotation_is_named(voc: Path) -> None:
    write(voc / "Annotations" / "000001.xml", "<annotation>")

    with pytest.raises(InvalidInput, match=r"000001\.xml must be an annotation of VOC"):
        zoo.dataset("voc2007", voc.parents[1])


@pytest.mark.parametrize("name", ["ilsvrc2012", "sun397", "places205", "voc2007"])
def test_an_absent_copy_is_reported_with_where_it_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=f"{name}.* was not found.*looked for.*root="):
        zoo.dataset(name, tmp_path)


def test_the_voc_subset_is_read_with_its_boxes(data: Path) -> None:
    found = zoo.dataset("voc2007", data)
    horses = [item for item in found.boxes if any(box.name == "horse" for box in item)]

    assert (len(found), len(horses)) == (283, 101)
    assert found.boxes[0][0] == zoo.Box("horse", 67, 102, 368, 283)
    assert torch.is_tensor(found[0].image)
