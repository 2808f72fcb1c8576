"""Varied pictures out of the photographs that scikit-image and scikit-learn carry: seeded crops, mirrored, lighter and
darker, warmer and colder. Written as raw RGB frames: calibration.rgb and test.rgb."""
import sys

import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

SIZE = 224
folder, calibration, test = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
names = ["astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "immunohistochemistry", "retina", "colorwheel", "cat"]
photographs = [getattr(data, name)() for name in names if hasattr(data, name)]
photographs += [data.stereo_motorcycle()[0], load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
for grey in ["camera", "coins", "moon", "page", "brick", "grass", "gravel", "text"]:
    photographs.append(np.stack([getattr(data, grey)()] * 3, axis=-1))
photographs = [np.asarray(Image.fromarray(p[..., :3].astype(np.uint8)).convert("RGB")) for p in photographs]
random = np.random.default_rng(7)


def picture(index):
    photograph = photographs[index % len(photographs)]
    height, width, _ = photograph.shape
    side = int(min(height, width) * random.uniform(0.4, 1))
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    crop = Image.fromarray(photograph[top : top + side, left : left + side]).resize((SIZE, SIZE), Image.BICUBIC)
    pixels = np.asarray(crop, np.float32)
    if random.random() < 0.5:
        pixels = pixels[:, ::-1]
    gain = random.uniform(0.7, 1.3) * random.uniform(0.9, 1.1, 3)
    return np.clip(np.round((pixels - 128) * random.uniform(0.7, 1.2) + 128 * gain), 0, 255).astype(np.uint8)


for name, count in [("calibration", calibration), ("test", test)]:
    np.stack([picture(i) for i in range(count)]).tofile(f"{folder}/{name}.rgb")
print(f"{calibration} + {test} pictures out of {len(photographs)} photographs")
