"""TensorFlow's ParameterServerStrategy, real processes over gRPC, the tutorial's ClusterCoordinator form with a training loop of
its own: asynchronous, each worker draws its own shuffled stream, Adam is applied to each worker's batch.
tensorflow_task.py mlp|cnn EPOCHS     The role comes from TF_CONFIG. CALL=k: k steps in one scheduled function (1)."""
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

import pictures
from marks import mark

model, epochs = sys.argv[1], int(sys.argv[2])
CALL = int(os.environ.get("CALL", "1"))
WORKERS, BATCH = 2, pictures.BATCH
THREADS = dict(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
tf.config.threading.set_intra_op_parallelism_threads(THREADS["intra_op_parallelism_threads"])
tf.config.threading.set_inter_op_parallelism_threads(THREADS["inter_op_parallelism_threads"])

resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
if resolver.task_type in ("worker", "ps"):
    server = tf.distribute.Server(
        resolver.cluster_spec(),
        job_name=resolver.task_type,
        task_index=resolver.task_id,
        protocol="grpc",
        config=tf.compat.v1.ConfigProto(**THREADS),
        start=True,
    )
    server.join()

mark("imported")
strategy = tf.distribute.ParameterServerStrategy(resolver)
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
mark("cluster_up")


def glorot(shape, seed):
    window = np.prod(shape[:-2]) if len(shape) > 2 else 1
    limit = np.sqrt(6.0 / (np.prod(shape[:-1]) + shape[-1] * window))
    return tf.constant((np.random.RandomState(seed).uniform(-1, 1, shape) * limit).astype(np.float32))


SHAPES = {
    "mlp": [(784, 256), (256, 128), (128, 10)],
    "cnn": [(3, 3, 1, 32), (3, 3, 32, 64), (9216, 128), (128, 10)],
}
with strategy.scope():
    weights = []
    for seed, shape in enumerate(SHAPES[model]):
        weights += [tf.Variable(glorot(shape, seed)), tf.Variable(tf.zeros([shape[-1]]))]
    means = [tf.Variable(tf.zeros_like(w), trainable=False) for w in weights]
    squares = [tf.Variable(tf.zeros_like(w), trainable=False) for w in weights]
    power_1 = tf.Variable(1.0, trainable=False)
    power_2 = tf.Variable(1.0, trainable=False)


def forward(x):
    w = weights
    if model == "mlp":
        h = tf.reshape(x, [-1, 784])
        h = tf.nn.relu(h @ w[0] + w[1])
        h = tf.nn.relu(h @ w[2] + w[3])
        return h @ w[4] + w[5]
    h = tf.nn.relu(tf.nn.conv2d(x[..., None], w[0], 1, "VALID") + w[1])
    h = tf.nn.relu(tf.nn.conv2d(h, w[2], 1, "VALID") + w[3])
    h = tf.reshape(tf.nn.max_pool2d(h, 2, 2, "VALID"), [-1, 9216])
    h = tf.nn.relu(h @ w[4] + w[5])
    return h @ w[6] + w[7]


def one_step(records):
    x, y = next(records)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=forward(x)))
    p1, p2 = power_1.assign(power_1 * 0.9), power_2.assign(power_2 * 0.999)
    # The kernel that runs on the server, as Keras' optimizer uses it.
    for w, mean, square, gradient in zip(weights, means, squares, tape.gradient(loss, weights)):
        tf.raw_ops.ResourceApplyAdam(
            var=w.handle, m=mean.handle, v=square.handle, beta1_power=p1, beta2_power=p2,
            lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-7, grad=gradient,
        )
    return loss


@tf.function
def steps(records):
    for _ in range(CALL):
        loss = one_step(records)
    return loss


def records():
    # Read on the worker by TensorFlow's own operations: as arrays the pictures would travel inside the graph.
    def raw(name, header):
        content = tf.io.decode_compressed(tf.io.read_file(os.path.join(pictures.FOLDER, name)), "GZIP")
        return tf.io.decode_raw(tf.strings.substr(content, header, -1), tf.uint8)

    x = tf.reshape(raw("train-images-idx3-ubyte.gz", 16), [60000, 28, 28])
    y = tf.cast(raw("train-labels-idx1-ubyte.gz", 8), tf.int64)
    ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(60000).repeat().batch(BATCH, drop_remainder=True)
    return ds.map(lambda a, b: (tf.cast(a, tf.float32) / 255.0, b)).prefetch(4)


iterator = iter(coordinator.create_per_worker_dataset(records))


def run(calls):
    for _ in range(calls):
        coordinator.schedule(steps, args=(iterator,))
    coordinator.join()


run(1)
mark("first_step")
# The rest of the first epoch, then the others: every record as often as elsewhere.
calls, paces = 60000 // BATCH // CALL, []
for epoch in range(epochs):
    begun = time.time()
    now = calls - 1 if epoch == 0 else calls
    run(now)
    mark("epoch")
    paces.append(now * CALL * BATCH / (time.time() - begun))
mark("steady", records_per_s=round(max(paces)))

images, labels = pictures.pictures("t10k")
predict = tf.function(lambda x: tf.argmax(forward(x), 1))
right = pictures.accuracy(lambda x: predict(x).numpy(), images, labels)
np.savez(os.environ["MODEL_OUT"], *[w.numpy() for w in weights])
mark("done", accuracy=right)
