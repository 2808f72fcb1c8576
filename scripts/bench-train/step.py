"""Full fine-tuning steps of EfficientNet-Lite0 in Keras: every layer is trained, batch normalizations stay as they are.

step.py BATCH STEPS: one line of JSON with the seconds of each step; the first, which builds the graph, is left out"""
import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

from lite0 import L, lite0_features, stored_weights

batch, steps = int(sys.argv[1]), int(sys.argv[2])
SIZE = 224
tf.keras.utils.set_random_seed(1)
given, features = lite0_features(stored_weights(), SIZE)
model = tf.keras.Model(given, L.Dense(2, activation="softmax")(features))
for layer in model.layers:
    if isinstance(layer, L.BatchNormalization):
        layer.trainable = False
model.compile(tf.keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
random = np.random.default_rng(1)
pictures = random.uniform(-1, 1, (batch, SIZE, SIZE, 3)).astype(np.float32)
truth = random.integers(0, 2, batch)
seconds = []
for step in range(steps + 1):
    started = time.perf_counter()
    model.train_on_batch(pictures, truth)
    seconds.append(time.perf_counter() - started)
    print(f"  Keras: step {step} {seconds[-1]:.2f} s", file=sys.stderr)
print(json.dumps({"seconds": seconds[1:]}))
