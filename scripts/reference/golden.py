"""Golden outputs of Keras for trainer/convert/convert.test.ts: networks whose weights follow from a formula, so that the
repository holds shapes and ten numbers instead of megabytes. golden.py OUTPUT.json"""
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

SIZE = 96


def value(role, shape, tensor):
    """trainer/testing/formula.ts computes the same."""
    i = np.arange(np.prod(shape), dtype=np.float64)
    noise = np.sin(i * 12.9898 + tensor * 78.233) * 43758.5453
    uniform = 2 * (noise - np.floor(noise)) - 1
    if role in ("gamma", "moving_variance"):
        return 1 + 0.3 * uniform
    if role in ("beta", "moving_mean", "bias"):
        return 0.1 * uniform
    fan_in = np.prod(shape[:-1]) if shape[-1] > 1 else shape[0] * shape[1]
    return uniform * np.sqrt(6 / fan_in)


golden = {}
for name, build in {
    "mobilenet_v3_small": lambda: tf.keras.applications.MobileNetV3Small(input_shape=(SIZE, SIZE, 3), weights=None, classes=10, classifier_activation=None, include_preprocessing=False),
    "mobilenet_v3_large": lambda: tf.keras.applications.MobileNetV3Large(input_shape=(SIZE, SIZE, 3), weights=None, classes=10, classifier_activation=None, include_preprocessing=False),
    "mobilenet_v3_small_minimalistic": lambda: tf.keras.applications.MobileNetV3Small(input_shape=(SIZE, SIZE, 3), minimalistic=True, weights=None, classes=10, classifier_activation=None, include_preprocessing=False),
    "mobilenet_v3_small_width_0.75": lambda: tf.keras.applications.MobileNetV3Small(input_shape=(SIZE, SIZE, 3), alpha=0.75, weights=None, classes=10, classifier_activation=None, include_preprocessing=False),
}.items():
    model = build()
    tensors, index = [], 0
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            role, shape = weight.name.split("/")[-1].split(":")[0], [int(n) for n in weight.shape]
            tensors.append([f"{layer.name}/{role}", shape])
            values.append(value(role, shape, index).reshape(shape))
            index += 1
        if values:
            layer.set_weights(values)
    i = np.arange(SIZE * SIZE * 3, dtype=np.float64)
    image = (np.sin(i * 0.013) * np.cos(i * 0.0007)).reshape(1, SIZE, SIZE, 3).astype(np.float32)
    output = model.predict(image, verbose=0).reshape(-1)
    golden[name] = {"parameters": int(model.count_params()), "tensors": tensors, "output": [float(f"{v:.7g}") for v in output]}
    print(name, output)
text = ",\n".join(f'"{name}": {json.dumps(entry, separators=(",", ":"))}' for name, entry in golden.items())
open(sys.argv[1], "w").write(f'{{\n"madeBy": "scripts/reference/golden.py, TensorFlow {tf.__version__}",\n{text}\n}}\n')
