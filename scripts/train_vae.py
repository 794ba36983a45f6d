"""Trains the autoencoder that ships with Whence on the training split of the digits.

    python scripts/train_vae.py                        # writes src/whence/zoo/weights/digits-vae
    python scripts/train_vae.py --mnist FOLDER --out mnist-vae.safetensors   # the same for MNIST

A quarter of a minute on one core, for MNIST some minutes. Seeded and on one thread; another version
of torch or another processor may round otherwise and give slightly different weights. The bound of
the log-likelihood and the error of reconstruction on the test split are printed at the end, and
nothing was tuned on it.
"""

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from whence import zoo
from whence.zoo._digits import DIGITS_INPUT, WEIGHTS

EPOCHS, MNIST_EPOCHS = 100, 15
# Each pixel of an 8 x 8 digit became nine: their errors are one. Chosen on a fifth of the training
# split, by how near draws and validation digits lie to each other, out of learned, 0.1, 0.15, 0.2.
SIGMA = 0.2
MNIST_INPUT = zoo.ImageInput(channels=1, resize=(28, 28), pad=2, mean=(0.5,), std=(0.5,))


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the autoencoder that ships with Whence.")
    parser.add_argument("--mnist", metavar="FOLDER", help="train on the MNIST in this folder")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "digits-vae.safetensors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    train, test = read(options.mnist)
    epochs, batch, sigma = (MNIST_EPOCHS, 128, None) if options.mnist else (EPOCHS, 64, SIGMA)
    net = zoo.train_vae(train, sigma=sigma, epochs=epochs, batch=batch, progress=True)
    weights = {name: value.half() for name, value in net.state_dict().items()}
    save_file(weights, options.out)
    net.load_state_dict({name: value.float() for name, value in weights.items()})
    print(f"{options.out.name}: {options.out.stat().st_size / 1e3:.0f} kB")
    for name, inputs in (("training", train), ("test", test)):
        bound, error = judge(net, inputs)
        print(f"{name} split: bound {bound:.0f} nats, reconstruction error {error:.4f} (RMS)")
    print(f"{time.perf_counter() - start:.0f} s")


def read(mnist: str | None) -> tuple[Tensor, Tensor]:
    """The training and the test split, as the nets see them."""
    if mnist:
        sets = [zoo.dataset("mnist", mnist, split) for split in ("train", "test")]
        train, test = (MNIST_INPUT(each.images) for each in sets)
    else:
        sets = [zoo.dataset("digits", split=split) for split in ("train", "test")]
        train, test = (DIGITS_INPUT(each.images) for each in sets)
    return train, test


@torch.no_grad()
def judge(net: zoo.VAE, inputs: Tensor) -> tuple[float, float]:
    """The mean bound and the root mean square error of reconstruction."""
    noise = torch.randn(len(inputs), net.code, generator=torch.Generator().manual_seed(0))
    error = (net(inputs) - inputs).square().mean().sqrt()
    return float(net.bound(inputs, noise).mean()), float(error)


if __name__ == "__main__":
    main()
