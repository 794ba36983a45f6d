"""Is a data or weights file the one that was tested? Known digests, and the check."""

import hashlib
from pathlib import Path

from whence.errors import InvalidInput

# Key: data set or model family, then the file's name. The md5 sums are those published with the
# data sets, and guard against damage, not against malice.
KNOWN = {
    "mnist/mnist.npz": "sha256:39b9b1ffaa0ba4d8995a616551f0966941fe02a3fe79ba4a9db7373db16d53ad",
    "mnist/train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "mnist/train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "mnist/t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "mnist/t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    "fashion-mnist/fashion_val.npz": (
        "sha256:ba80226fe3a8359d7be6038b5540a51f02621b6834976313cc0bbade6bb1352b"
    ),
    "fashion-mnist/train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "fashion-mnist/train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "fashion-mnist/t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
    "fashion-mnist/t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    "cifar10/cifar10_test_10000_jpg.zip": (
        "sha256:493d2093be1b94759b78f4c75879f79697a9a1576c842f059511d032ef04d34f"
    ),
    "cifar10/cifar10_train_10000_jpg.zip": (
        "sha256:886a99db3d1645cdc896e5cadb36d0cced41e74d39d267971000e284d45804be"
    ),
    "cifar10/data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
    "cifar10/data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
    "cifar10/data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
    "cifar10/data_batch_4": "md5:634d18415352ddfa80567beed471001a",
    "cifar10/data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar10/test_batch": "md5:40351d587109b95175f43aff81a1287e",
    "fashion-cnn/fashion_cnn_weights.npz": (
        "sha256:f27667cb7fb369341148736a82d89e61d9d83680eb9a12742a17551a0b6339f7"
    ),
    "resnet/resnet20_weights.npz": (
        "sha256:7db2ed048755c815689e055b0e68e2d53db7f9f6e0f9b3bc9b6f837ab168774e"
    ),
    "resnet/resnet56_weights.npz": (
        "sha256:abef877fda074a20ba288b4e7ec4fe11bd385b585c4d25e01c7fb580b0dae725"
    ),
    "squeezenet/squeezenet_v1_0_deepcompressed.npz": (
        "sha256:a22e7b5a7c8bf0365d681e31b24bcbdd72e6548765567d7f19941773be8cf196"
    ),
    "squeezenet/squeezenet_v1_1_fp16.npz": (
        "sha256:5e256e7be52e5dafc0981b07cfef3c19236163303dcb3f76c6b42d36184dfcde"
    ),
    "painn/painn_rmd17_ethanol_weights.npz": (
        "sha256:7737a4b42f36da1ba61566b2ed8a97c753912142b4e9ccb3b2854c3b633abc2a"
    ),
    "sst/train.txt.gz": "sha256:2c391415d7734f939fbdbb22f18bc9bb491982be9e1f3c7d6a15b8e58f74f1f8",
    "sst/dev.txt.gz": "sha256:5bc268ce52864f8ecdfffd84088155274b76d7676361db9261c5b52077cb61c6",
    "sst/test.txt.gz": "sha256:edd2fad2aa60af8a0ee5ce61cfc53538cc9de9c999d5d3ab1c014c43bfa6ffc1",
    "newsgroups20/20news-bydate.jsonl.xz": (
        "sha256:6d25aa84fe39c367ce2b771afeeb275edb6a2ec0f5a4e59c7f24ac46ee097cff"
    ),
    "toolbox/LeNet-5.txt": (
        "sha256:589e20ff6a0e9f089119c453211f86fa904fa5e2aec39985a5533db28869a94f"
    ),
    "toolbox/xor_net_small.txt": (
        "sha256:67c4ccc83f3a0550383f046550e0f183d2d2817069565777dabec1482dbb2967"
    ),
}


def verify(path: Path, family: str) -> Path:
    """`path` itself, once its digest matches; files without a known digest pass.

    `family` is the data set or model family in `KNOWN`. Raises `InvalidInput` on a mismatch.
    """
    known = KNOWN.get(f"{family}/{path.name}")
    if known is None:
        return path
    algorithm, wanted = known.split(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != wanted:
        raise InvalidInput(
            f"{path} must have the {algorithm} {wanted}, got {found}. "
            "The file is damaged or another version: fetch it again."
        )
    return path
