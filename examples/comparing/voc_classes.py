"""Which of the 1,000 ImageNet classes are kinds of the things that VOC draws boxes around."""

# VOC's "person" is none of ImageNet's classes.
IMAGENET: dict[str, tuple[int, ...]] = {
    "aeroplane": (404, 895),
    "bicycle": (444, 671),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "boat": (472, 484, 510, 554, 576, 625, 628, 780, 814, 871, 914),
    "bottle": (440, 720, 737, 898, 907),
    "bus": (654, 779, 874),
    "car": (407, 436, 468, 511, 609, 627, 656, 661, 717, 751, 817),
    "cat": tuple(range(281, 286)),
    "chair": (423, 559, 765, 857),
    "cow": (345,),
    "diningtable": (532,),
    "dog": tuple(range(151, 269)),
    "horse": (339,),
    "motorbike": (665, 670),
    "pottedplant": (738,),
    "sheep": (348, 349),
    "sofa": (831,),
    "train": (466, 547, 705, 820, 829),
    "tvmonitor": (664, 782, 851),
}


def kind_of(number: int) -> str | None:
    """The kind of thing an ImageNet class is, if VOC has it."""
    return next((name for name, numbers in IMAGENET.items() if number in numbers), None)
