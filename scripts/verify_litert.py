"""Runs the models that golden-models wrote in Google's LiteRT interpreter and compares with our runtime's outputs."""
import glob
import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

folder = sys.argv[1]
failed = False
print(f"{'model':<16}{'bytes':>10}  {'largest difference':>20}")
for path in sorted(glob.glob(os.path.join(folder, "*.tflite"))):
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    largest = 0.0
    for source in sorted(glob.glob(path.replace(".tflite", ".*.in"))):
        interpreter.set_tensor(given["index"], np.fromfile(source, given["dtype"]).reshape(given["shape"]))
        interpreter.invoke()
        ours = np.fromfile(source.replace(".in", ".out"), wanted["dtype"])
        theirs = interpreter.get_tensor(wanted["index"]).ravel()
        largest = max(largest, float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max()))
    # Kernels of the two versions round differently by a step here and there; a softmax adds those up.
    allowed = 8 if wanted["dtype"] == np.int8 else 1e-3
    verdict = "ok" if largest <= allowed else "TOO FAR"
    failed |= largest > allowed
    print(f"{os.path.basename(path):<16}{os.path.getsize(path):>10}  {largest:>20.6g}  {verdict} ({'steps' if wanted['dtype'] == np.int8 else 'real'})")
sys.exit(1 if failed else 0)
