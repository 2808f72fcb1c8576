"""Runs our files and Google's in Google's LiteRT interpreter on the test pictures, against Keras's float outputs.
judge.py FOLDER ARCHITECTURE: one line of JSON."""
import json
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

folder, architecture = sys.argv[1], sys.argv[2]
pictures = np.fromfile(f"{folder}/test.rgb", np.uint8).reshape(-1, 224, 224, 3)
keras = np.load(f"{folder}/{architecture}.keras.npy").reshape(len(pictures), -1)
lite0 = architecture == "efficientnet_lite0"


def see(pixels, ours):
    """What the float input of the model is fed with: Keras's MobileNetV3 normalises inside."""
    x = pixels.astype(np.float32)
    if lite0:
        return (x - 127) / 128
    return (x - 127.5) / 127.5 if ours else x


def run(whose, kind):
    interpreter = Interpreter(f"{folder}/{architecture}.{whose}.{kind}.tflite", num_threads=1)
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs, times = [], []
    for pixels in pictures:
        x = see(pixels, whose == "ours")
        if given["dtype"] == np.int8:
            scale, zero = given["quantization"]
            # Ours takes the pixel minus 128: its half step is in the first bias.
            x = pixels.astype(np.int16) - 128 if whose == "ours" else np.clip(np.round(x / scale + zero), -128, 127)
        interpreter.set_tensor(given["index"], x.astype(given["dtype"])[None])
        started = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - started)
        y = interpreter.get_tensor(wanted["index"])[0].reshape(-1)
        if wanted["dtype"] == np.int8:
            scale, zero = wanted["quantization"]
            y = (y.astype(np.float32) - zero) * scale
        outputs.append(y)
    return np.stack(outputs), float(np.median(times) * 1e3)


row = {"architecture": architecture, "images": len(pictures)}
for whose in ("ours", "google"):
    outputs, milliseconds = run(whose, "float")
    row[f"{whose}_float_difference"] = float(np.abs(outputs - keras).max())
    row[f"{whose}_float_ms"] = milliseconds
    outputs, milliseconds = run(whose, "int8")
    row[f"{whose}_agreement"] = float((outputs.argmax(1) == keras.argmax(1)).mean())
    row[f"{whose}_decibels"] = float(10 * np.log10((keras**2).sum() / ((outputs - keras) ** 2).sum()))
    row[f"{whose}_rmse"] = float(np.sqrt(((outputs - keras) ** 2).mean()))
    row[f"{whose}_int8_ms"] = milliseconds
print(json.dumps(row))
