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

from lite0 import lite0, stored_weights

folder, architecture = sys.argv[1], sys.argv[2]
SIZE = 224
frames = lambda name: np.fromfile(f"{folder}/{name}.rgb", np.uint8).reshape(-1, SIZE, SIZE, 3)
L = tf.keras.layers


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
    model, see = lite0(stored_weights(), SIZE), lambda x: (x.astype(np.float32) - 127) / 128
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
