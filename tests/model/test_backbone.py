"""The backbone, against the network of its weights written out in torch's own modules."""

import pytest
import torch
from gather_backbone import gather
from torch import nn

from layerctl_model.backbone import CHANNELS, STAGES, STEM, Backbone


def norm(channels):
    layer = nn.BatchNorm2d(channels, eps=1e-3)
    nn.init.uniform_(layer.weight, 0.5, 1.5)
    nn.init.normal_(layer.bias, 0, 0.3)
    layer.running_mean.normal_(0, 0.2)
    layer.running_var.uniform_(0.5, 1.5)
    return layer


def conv(inputs, outputs, kernel=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, groups=groups, bias=False)


class PublishedBlock(nn.Module):
    def __init__(self, inputs, stage, *, first):
        super().__init__()
        inner = inputs * stage.expansion
        if stage.expansion > 1:
            self._expand_conv, self._bn0 = conv(inputs, inner), norm(inner)
        self._depthwise_conv = conv(inner, inner, stage.kernel, inner)
        self._depthwise_conv.stride = (stage.stride if first else 1,) * 2
        self._bn1, self._bn2 = norm(inner), norm(stage.channels)
        self._project_conv = conv(inner, stage.channels)


class Published(nn.Module):
    """The names and sizes of the published conversion, batch normalisation on its own."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = conv(3, STEM, 3), norm(STEM)
        self._conv_stem.stride = (2, 2)
        self._blocks = nn.ModuleList()
        width = STEM
        for stage in STAGES:
            for number in range(stage.blocks):
                self._blocks.append(PublishedBlock(width, stage, first=number == 0))
                width = stage.channels


def padded_as_in_tensorflow(layer, x):
    """Of a side that a stride of two divides, k - 2 are missing; otherwise k - 1."""
    kernel, stride = layer.kernel_size[0], layer.stride[0]
    pads = []
    for side in (x.shape[3], x.shape[2]):
        total = kernel - (stride if side % stride == 0 else 1)
        pads += [total // 2, total - total // 2]
    return layer(nn.functional.pad(x, pads))


def relu6(x):
    return x.clamp(0, 6)


def outputs_of_blocks(published, x):
    x = relu6(published._bn0(padded_as_in_tensorflow(published._conv_stem, x)))
    outputs = []
    for block in published._blocks:
        wide = relu6(block._bn0(block._expand_conv(x))) if hasattr(block, "_bn0") else x
        y = relu6(block._bn1(padded_as_in_tensorflow(block._depthwise_conv, wide)))
        y = block._bn2(block._project_conv(y))
        x = y + x if y.shape == x.shape else y
        outputs.append(x)
    return outputs


@pytest.mark.parametrize("size", [(64, 96), (48, 80), (66, 34)])
def test_the_backbone_is_the_published_network_with_its_normalisation_folded_in(size):
    torch.manual_seed(0)
    published, backbone = Published().eval(), Backbone().eval()
    backbone.load_state_dict(gather(published.state_dict()))
    picture = 2 * torch.rand(1, 3, *size) - 1
    with torch.no_grad():
        outputs, features = outputs_of_blocks(published, picture), backbone(picture)
    scales = [tuple(-(-side // n) for side in size) for n in (4, 8, 16, 32)]
    assert [tuple(feature.shape[2:]) for feature in features] == scales
    ends = [2, 4, 10, 13]
    assert tuple(feature.shape[1] for feature in features) == CHANNELS
    for end, feature in zip(ends, features, strict=True):
        torch.testing.assert_close(6 * feature, outputs[end], atol=1e-4, rtol=1e-4)


def test_published_weights_that_lack_one_are_refused():
    weights = Published().state_dict()
    del weights["_blocks.3._bn1.running_var"]
    with pytest.raises(KeyError, match="running_var"):
        gather(weights)
