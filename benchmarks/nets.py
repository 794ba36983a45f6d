"""Plain nets of the usual shapes, randomly initialised, for budgets and benchmarks.

The transformers are those of Hugging Face, where it is installed; all read embedded tokens.
"""

import torch
from torch import Tensor, library, nn

_VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)


def vgg16(classes: int = 1000) -> nn.Module:
    """VGG16 as published: 13 convolutions, 3 dense layers; input (N, 3, 224, 224)."""
    layers: list[nn.Module] = []
    channels = 3
    for width in _VGG16:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
        channels = width
    layers.append(nn.AdaptiveAvgPool2d(7))
    head = [nn.Linear(512 * 49, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096)]
    head += [nn.ReLU(True), nn.Dropout(), nn.Linear(4096, classes)]
    return initialised(nn.Sequential(*layers, nn.Flatten(), *head))


class _Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != out:
            conv = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.shortcut is None else self.shortcut(x)
        return self.relu(out)


def resnet50(classes: int = 1000) -> nn.Module:
    """ResNet50 as published (stride in the 3x3 convolution); input (N, 3, 224, 224)."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
    ]
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(blocks):
            layers.append(_Bottleneck(channels, width, 2 if block == 0 and stage else 1))
            channels = 4 * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return initialised(nn.Sequential(*layers))


def lenet(classes: int = 10) -> nn.Module:
    """A LeNet-sized net; input (N, 1, 28, 28)."""
    return initialised(
        nn.Sequential(
            nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, classes),
        )
    )  # fmt: skip


class _States(nn.Module):
    """A bidirectional recurrent layer, read at its last states."""

    def __init__(self, layer: nn.RNNBase, classes: int = 5) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(2 * layer.hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        states = self.layer(x)[1]
        last = states[0] if isinstance(states, tuple) else states
        return self.head(torch.cat([last[0], last[1]], -1))


def lstm() -> nn.Module:
    """The net of Arras et al. 2017: 60 features, 60 hidden, both directions; (N, tokens, 60)."""
    return _States(nn.LSTM(60, 60, batch_first=True, bidirectional=True)).eval()


def gru() -> nn.Module:
    """The same with a GRU."""
    return _States(nn.GRU(60, 60, batch_first=True, bidirectional=True)).eval()


class _Logits(nn.Module):
    """A transformer of Hugging Face from embedded tokens (or pixels) to the scores of a text."""

    def __init__(self, model: nn.Module, name: str, *, last: bool = False) -> None:
        super().__init__()
        self.model, self.name, self.last = model, name, last

    def forward(self, x: Tensor) -> Tensor:
        logits = self.model(**{self.name: x}).logits
        return logits[:, -1] if self.last else logits


def bert() -> nn.Module:
    """BERT-base with a head of two classes; input (N, tokens, 768)."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(num_labels=5)
    return _Logits(BertForSequenceClassification(config), "inputs_embeds").eval()


def llama() -> nn.Module:
    """A decoder of 110 million parameters, 12 layers, 4 key heads; input (N, tokens, 768)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=8000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
        num_attention_heads=12, num_key_value_heads=4, use_cache=False,
    )  # fmt: skip
    return _Logits(LlamaForCausalLM(config), "inputs_embeds", last=True).eval()


def vit() -> nn.Module:
    """ViT-B/16; input (N, 3, 224, 224)."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(num_labels=1000)
    return _Logits(ViTForImageClassification(config), "pixel_values").eval()


def initialised(model: nn.Module, seed: int = 0) -> nn.Module:
    """He weights, small biases, plausible batch-norm statistics, evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight[0].numel()
            module.weight.data.normal_(0, (2 / fan) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.05, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.0),
                (module.bias, -0.1, 0.1),
                (module.running_mean, -0.1, 0.1),
                (module.running_var, 0.5, 1.5),
            ):
                assert tensor is not None
                tensor.data.uniform_(low, high, generator=generator)
    return model.eval()


def _shim() -> library.Library:
    """Declare two operators that a CPU build of torch lacks, so that torchvision imports: without
    them its mere presence breaks what looks for it."""
    fragment = library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        fragment.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return fragment


_library = _shim() if not torch.cuda.is_available() else None
