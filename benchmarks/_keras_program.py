"""The article's program in Keras, as a program of its own: the project does not contain TensorFlow.

    python benchmarks/_keras_program.py DATA.npz '{"seed": 0, "epochs": 5, "batch_size": 32}'

prints one line of JSON. `DATA.npz` holds images (n, 28, 28) uint8 and labels (n,) int64. Without
"max_lr" the optimiser is the article's, Adam with its defaults; with it, Muon and a schedule.
"""

import json
import os
import sys
import time

WARM_UP = 0.1  # share of the steps in which the rate rises


def factor(step, steps: int, minimum=min):
    """The factor on the peak rate: in a straight line up, then in one down to nearly zero."""
    rise = max(1, WARM_UP * steps)
    return minimum((step + 1) / rise, (steps - step) / (steps - rise))


def article_network():
    """The article's list of layers, as it stands there."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax", name="output"),
        ]
    )


def optimizer(steps: int, max_lr: float | None):
    """Adam as the article names it, or Muon for the one large matrix and Adam for the rest."""
    from keras import ops, optimizers

    if max_lr is None:
        return "adam"

    class Triangle(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return max_lr * factor(ops.cast(step, "float32"), steps, ops.minimum)

    # It scales Muon's step by 0.2 · sqrt(longer side), as "match_rms_adamw" does in PyTorch.
    plain = {"weight_decay": None, "adam_weight_decay": None}
    return optimizers.Muon(Triangle(), exclude_layers=["output"], **plain)


def validator(images, labels):
    """A callback that scores after each epoch, and counts the seconds that this takes."""
    from keras import callbacks

    class Validator(callbacks.Callback):
        seconds, accuracies = 0.0, ()

        def on_epoch_end(self, epoch, logs=None):
            start = time.perf_counter()
            self.accuracies = (*self.accuracies, score(self.model, images, labels))
            self.seconds += time.perf_counter() - start

    return Validator()


def score(model, images, labels) -> float:
    """The share of images whose most probable class is the labelled one."""
    probabilities = model.predict(images, batch_size=1000, verbose=0)
    return float((probabilities.argmax(axis=1) == labels).mean())


def main(path: str, seed: int, epochs: int, batch_size: int, max_lr: float | None = None) -> None:
    """Train once, and print seconds of `fit`, accuracies after each epoch, and on the test part."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np

    with np.load(path) as file:
        parts = {name: file[name] for name in file.files}
    pixels = {k: v[..., None] / np.float32(255) for k, v in parts.items() if k.endswith("images")}
    keras.utils.set_random_seed(seed)
    model = article_network()
    steps = epochs * -(-len(parts["train_labels"]) // batch_size)
    model.compile(
        optimizer=optimizer(steps, max_lr),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    validation = validator(pixels["validation_images"], parts["validation_labels"])
    settings = {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    start = time.perf_counter()
    model.fit(pixels["train_images"], parts["train_labels"], **settings, callbacks=[validation])
    seconds = time.perf_counter() - start - validation.seconds
    result = {
        "seconds": seconds,
        "validation_accuracies": validation.accuracies,
        "test_accuracy": score(model, pixels["test_images"], parts["test_labels"]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2]))
