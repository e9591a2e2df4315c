"""What a step of ``tune --workers`` waits for: one ring all-reduce of float32 numbers. ``python -m benchmarks.ring``."""

from __future__ import annotations

import statistics
import time
from typing import Any

from graphscope.cluster.hosts import Address, Cluster, Task
from graphscope.cluster.private_network import private_network
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.reach import free_ports, wait_for_tasks
from graphscope.runtime.tasks.server import start_server
from graphscope.runtime.tensorflow import tensorflow

NUMBERS = (1_000, 1_000_000, 5_800_000)
STEPS = 20
WAIT_S = 60.0


def reduced(cluster: Cluster, rank: int) -> dict[int, float]:
    """In one process: how many numbers -> the median time of a reduction in seconds."""
    import numpy as np
    from tensorflow.python.ops import collective_ops

    tf = tensorflow()
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=2)
    config.device_filters.append(f"/job:worker/task:{rank}")
    config.experimental.collective_group_leader = "/job:worker/replica:0/task:0"
    server = start_server(cluster, Task("worker", rank), config)
    wait_for_tasks(cluster, cluster.addresses, WAIT_S)
    times: dict[int, float] = {}
    with tf.Graph().as_default() as graph, tf.device(f"/job:worker/task:{rank}/device:CPU:0"):
        size, group = tf.constant(len(cluster.workers)), tf.constant(1)
        sums = {}
        for key, count in enumerate(NUMBERS):
            numbers = tf.constant(np.ones(count, np.float32))
            total = collective_ops.all_reduce_v2(numbers, size, group, tf.constant(key), "Add", "Id", "ring")
            sums[count] = total[0]
        with tf.compat.v1.Session(server.target, graph=graph, config=config) as session:
            for count, total in sums.items():
                times[count] = statistics.median(timed(session, total) for _ in range(STEPS))
    return times


def timed(session: Any, tensor: Any) -> float:
    start = time.perf_counter()
    session.run(tensor)
    return time.perf_counter() - start


def measure(count: int) -> dict[int, float]:
    """The times of ``count`` processes, as worker 0 sees them."""
    cluster = Cluster("ring", tuple(Address("127.0.0.1", port) for port in free_ports(count)))

    def work(rank: int, _: Launcher) -> dict[int, float]:
        times = reduced(cluster, rank)
        time.sleep(1)  # others may still wait for this one's last message
        return times

    with Processes(count, work, network=private_network()) as processes:
        return {e.number: e.result for e in processes.endings(lambda *_: None)}[0]


def main() -> None:
    tensorflow()
    for count in (2, 4):
        for numbers, seconds in measure(count).items():
            print(f"{count} processes  {numbers:>9,} numbers  {1e3 * seconds:7.2f} ms")


if __name__ == "__main__":
    main()
