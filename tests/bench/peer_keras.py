"""The benchmark's networks in Keras on TensorFlow, set up as a careful user would.

One network is built and compiled once; restart() gives it its initial weights and a fresh optimiser
again, so that nothing is traced twice. Channels last, as TensorFlow prefers on a CPU."""
import os

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")


class Keras:
    def __init__(self, network, threads, xla, steps):
        import tensorflow as tf

        # Before anything is computed: threads inside an operation, and operations at a time.
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        import keras

        keras.utils.set_random_seed(1)
        self.keras = keras
        self.versions = f"Keras {keras.__version__}, TensorFlow {tf.__version__}"
        self.model = self.build(network)
        # steps: mini-batches in one call of the compiled function; 1 is what Keras does unless told.
        self.model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", jit_compile=xla, steps_per_execution=steps)
        self.model.optimizer.build(self.model.trainable_variables)
        self.start = self.model.get_weights()
        self.moments = [np.array(v) for v in self.model.optimizer.variables]

    def build(self, network):
        layers = self.keras.layers

        def dense(units):
            return [layers.Dense(units), layers.BatchNormalization(momentum=0.9, epsilon=1e-5), layers.ReLU(),
                    layers.Dropout(0.2)]

        def conv(filters, kernel):
            return [layers.Conv1D(filters, kernel, padding="same"),
                    layers.BatchNormalization(momentum=0.9, epsilon=1e-5), layers.ReLU(), layers.MaxPooling1D(2)]

        body = {
            "R1": lambda: [layers.Conv1D(64, 15, padding="same", activation="relu"), layers.Flatten(),
                           *dense(128), *dense(64)],
            "R2": lambda: [*conv(32, 9), *conv(64, 7), *conv(128, 5), layers.Flatten(), *dense(256)],
            "R3": lambda: [layers.Conv1D(8, 11, padding="same", activation="relu"), layers.Flatten(),
                           *dense(36), *dense(18)],
        }[network]()
        shape = (175, 1) if network == "R3" else (210, 4)
        return self.keras.Sequential([self.keras.Input(shape), *body, layers.Dense(1)])

    def load(self, x, y):
        self.x, self.y = x, y

    def train(self, rows, batch, epochs):
        x, y = (self.x, self.y) if rows is None else (self.x[rows], self.y[rows])
        return self.model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=True, verbose=0).history["loss"][-1]

    def restart(self):
        self.model.set_weights(self.start)
        for variable, value in zip(self.model.optimizer.variables, self.moments):
            variable.assign(value)

    def predict(self, rows):
        return self.model.predict(self.x[rows], batch_size=1024, verbose=0)[:, 0]
