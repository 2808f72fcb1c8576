"""The work of `adbreak train` as one does it in Keras: a frozen EfficientNet-Lite0, its features once, a dense head, Google's
INT8 converter, metrics of the INT8 file on the test split. The data set is one that `adbreak dataset prepare` makes.

frozen.py DATA OUTPUT EPOCHS LEARNING_RATE L2 THREADS CALIBRATION: one line of JSON, with the seconds of each part"""
import json
import os
import sys
import time

began = time.perf_counter()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from lite0 import L, lite0_features, stored_weights

data, output = sys.argv[1:3]
epochs, learning_rate, l2, threads, calibration = int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6]), int(sys.argv[7])
SIZE, BATCH, DROPOUT = 224, 32, 0.2
parts, last = {}, began


def part(name):
    """Says how long it took since the part before."""
    global last
    now = time.perf_counter()
    parts[name] = round(now - last, 3)
    last = now
    print(f"  Keras: {name} {parts[name]:.1f} s", file=sys.stderr)


with open(f"{data}/dataset.json") as file:
    listed = json.load(file)["pictures"]
split = lambda name: [picture for picture in listed if picture["split"] == name]
labels = lambda name: np.array([picture["label"] == "ad" for picture in split(name)], np.int64)


def pictures(name, count=None):
    """Of a split, as the network sees them."""

    def see(path):
        pixels = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), (SIZE, SIZE))
        return (tf.cast(pixels, tf.float32) - 127) / 128

    paths = [f"{data}/{picture['path']}" for picture in split(name)[:count]]
    return tf.data.Dataset.from_tensor_slices(paths).map(see, num_parallel_calls=tf.data.AUTOTUNE)


tf.keras.utils.set_random_seed(1)
part("start")

given, features = lite0_features(stored_weights(), SIZE)
backbone = tf.keras.Model(given, features)
backbone.trainable = False
see = lambda name: backbone.predict(pictures(name).batch(BATCH).prefetch(2), verbose=0)
train, val = see("train"), see("val")
part("features")

truth = labels("train")
head = tf.keras.Sequential([L.Dropout(DROPOUT), L.Dense(2, activation="softmax", kernel_regularizer=tf.keras.regularizers.L2(l2))])
head.compile(tf.keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
fitted = head.fit(
    train,
    truth,
    batch_size=BATCH,
    epochs=epochs,
    validation_data=(val, labels("val")),
    class_weight={label: len(truth) / (2 * np.sum(truth == label)) for label in (0, 1)},
    callbacks=[tf.keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)],
    verbose=0,
)
part("head")

# An open batch makes the converter compute shapes at run time, which XNNPACK does not take.
one = L.Input((SIZE, SIZE, 3), batch_size=1)
converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(one, head(backbone(one))))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([picture] for picture in pictures("calibration", calibration).batch(1))
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
converter.inference_input_type = converter.inference_output_type = tf.int8
os.makedirs(output, exist_ok=True)
with open(f"{output}/model.tflite", "wb") as file:
    file.write(converter.convert())
part("conversion")

interpreter = Interpreter(f"{output}/model.tflite", num_threads=threads)
interpreter.allocate_tensors()
into, out = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
(in_scale, in_zero), (out_scale, out_zero) = into["quantization"], out["quantization"]
said = []
for picture in pictures("test").batch(1).prefetch(8).as_numpy_iterator():
    interpreter.set_tensor(into["index"], np.clip(np.round(picture / in_scale + in_zero), -128, 127).astype(np.int8))
    interpreter.invoke()
    said.append((interpreter.get_tensor(out["index"])[0, 1].astype(np.float64) - out_zero) * out_scale)
part("test")

said, truth = np.array(said), labels("test")
called = said > 0.5
right, true_ads = np.mean(called == truth), np.sum(called & (truth == 1))
above = np.mean([np.mean(said[truth == 1][:, None] > said[truth == 0]), np.mean(said[truth == 1][:, None] >= said[truth == 0])])
print(
    json.dumps(
        {
            "epochs": len(fitted.epoch),
            "accuracy": float(right),
            "f1": float(2 * true_ads / max(1, np.sum(called) + np.sum(truth))),
            "roc_auc": float(above),
            "seconds": round(time.perf_counter() - began, 3),
            "parts": parts,
        }
    )
)
