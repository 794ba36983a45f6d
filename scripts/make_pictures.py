"""Makes the pictures of docs/tutorial.md, and docs/properties.md, by running the examples.

    python scripts/make_pictures.py --data FOLDER               # all; half an hour on two cores
    python scripts/make_pictures.py two-inputs shattering       # some, by name
    python scripts/make_pictures.py --list                      # names, and what makes each

What an example needs a folder of data for is left out without one. Pictures keep their pixels; what
would be larger than 150 KB gets fewer colours, and then fewer pixels.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
LARGEST = 150_000  # bytes


@dataclass(frozen=True)
class Made:
    """What an example writes that the documentation shows: its script, and file -> where it goes.

    data: whether it needs the folder. both: whether it does more with one than without.
    """

    script: str
    files: dict[str, str]
    data: bool = False
    both: bool = False


MADE = {
    "two-inputs": Made("two_inputs.py", {"two-inputs.png": "two-inputs.png"}),
    "shattering": Made("shattering.py", {"shattering.png": "shattering.png"}),
    "noisy-digits": Made(
        "noisy_digits.py",
        {"noisy-digits.png": "noisy-digits.png", "noisy-mnist.png": "noisy-mnist.png"},
        both=True,
    ),
    "alpha-beta": Made(
        "alpha_beta.py",
        {
            "alpha-beta-digits-cnn.png": "alpha-beta.png",
            "alpha-beta-squeezenet-imagenet.png": "alpha-beta-photographs.png",
        },
        both=True,
    ),
    "comparison": Made("natural_comparison.py", {"comparison.png": "comparison.png"}, data=True),
    "properties": Made("properties.py", {"properties.md": "../properties.md"}),
    "prototypes-digits": Made(
        "digit_prototypes.py",
        {
            "digits.png": "prototypes-digits.png",
            "digits-draws.png": "prototypes-draws.png",
            "mnist.png": "prototypes-mnist.png",
        },
        both=True,
    ),
    "prototypes-natural": Made(
        "natural_prototypes.py", {"natural-small.png": "prototypes-natural.png"}, data=True
    ),
    "diverse": Made("diverse_class.py", {"diverse.png": "diverse.png"}),
    "real-examples": Made(
        "real_examples.py",
        {"digits.png": "real-examples.png", "squeezenet-filters.png": "filters.png"},
        both=True,
    ),
    "ethanol": Made("ethanol.py", {"ethanol.png": "ethanol.png"}, data=True),
    "patterns": Made(
        "patterns.py",
        {
            "patterns-digits-mlp-filters.png": "patterns-digits-mlp-filters.png",
            "patterns-lenet5-mnist-maps.png": "patterns-lenet5-mnist-maps.png",
        },
        both=True,
    ),
    "moving-digit": Made("moving_digit.py", {"moving-digit.png": "moving-digit.png"}),
    "roots": Made("roots.py", {"roots-cnn.png": "roots.png"}),
    "deep-taylor": Made(
        "deep_taylor.py",
        {
            name: name
            for name in (
                "deep-taylor-roots.png",
                "deep-taylor-steps.png",
                "deep-taylor-min-max.png",
            )
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the pictures of the documentation.")
    parser.add_argument("names", nargs="*", help="which; default: all")
    parser.add_argument("--data", default=os.environ.get("WHENCE_DATA"))
    parser.add_argument("--list", action="store_true", help="show the names")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(MADE))
    if unknown:
        raise SystemExit(f"There is no {unknown[0]}. The names are: {', '.join(MADE)}.")
    for name in options.names or MADE:
        made = MADE[name]
        if options.list:
            print(f"{name:20} examples/{made.script} -> {', '.join(made.files.values())}")
        elif made.data and not options.data:
            print(f"{name}: left out, it needs --data FOLDER")
        else:
            make(name, made, options.data if made.data or made.both else None)


def make(name: str, made: Made, data: str | None) -> None:
    """Run one example and copy what the documentation shows."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "examples" / made.script), "--out", folder]
        subprocess.run([*command, *(["--data", data] if data else [])], check=True)
        for written, kept in made.files.items():
            source, place = Path(folder, written), PICTURES / kept
            if not source.is_file():
                print(f"{name}: {written} was not written")
            elif source.suffix == ".png":
                place.write_bytes(small(Image.open(source)))
                print(f"{name}: {place.relative_to(ROOT)}, {place.stat().st_size // 1000} KB")
            else:
                shutil.copyfile(source, place)


def small(picture: Image.Image) -> bytes:
    """A PNG of at most 150 KB."""
    picture = picture.convert("RGB")
    content = _png(picture)
    if len(content) > LARGEST:
        content = _png(_fewer(picture))
    while len(content) > LARGEST:
        size = (picture.width * 9 // 10, picture.height * 9 // 10)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
        content = _png(_fewer(picture))
    return content


def _fewer(picture: Image.Image) -> Image.Image:
    return picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


if __name__ == "__main__":
    main()
