"""Google's LiteRT interpreter, driven by tools/bench/runtime/runtime.ts: latency.py MODEL THREADS; for each line N on stdin it
runs the model N times and prints the milliseconds as JSON."""
import json
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(sys.argv[1], num_threads=int(sys.argv[2]))
interpreter.allocate_tensors()
given = interpreter.get_input_details()[0]
wanted = interpreter.get_output_details()[0]
pixels = (np.arange(np.prod(given["shape"])) * 7 % 256 - 128).astype(np.int8).reshape(given["shape"])
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        # As our runtime does: the input is copied in and the output out.
        started = time.perf_counter()
        interpreter.set_tensor(given["index"], pixels)
        interpreter.invoke()
        interpreter.get_tensor(wanted["index"])
        times.append((time.perf_counter() - started) * 1e3)
    print(json.dumps(times), flush=True)
