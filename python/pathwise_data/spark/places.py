"""Where traces lie: in a folder that all workers see, or on one machine of the cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import CommandError

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

# Spark sends a task elsewhere when the machine that it prefers is busy for that long; 3 s by default.
PATIENCE = ("spark.locality.wait", "1h")


@dataclass(frozen=True)
class Place:
    """A trace: its path, and the machine that has it, or an empty text."""

    path: str
    host: str = ""


def parse_place(text: str) -> Place:
    """Reads `PATH`, or `HOST:PATH` with an absolute path.

    :param text: what a user typed.
    """
    match = re.fullmatch(r"([\w.-]+):(/.*)", text, re.DOTALL)
    return Place(match[2], match[1]) if match else Place(text)


def distribute(context: SparkContext, places: list[Place]) -> RDD[str]:
    """Makes a partition for each trace, which Spark prefers to run on the machine that has it.

    :param context: the cluster.
    :param places: the traces.
    :raises CommandError: if traces name machines, and Spark would soon try others.
    """
    if not any(place.host for place in places):
        return context.parallelize([place.path for place in places], len(places))
    if context.getConf().get(PATIENCE[0]) is None:
        raise CommandError(
            f"traces that lie on one machine need Spark's setting {PATIENCE[0]}, such as {PATIENCE[1]}"
        )
    # PySpark has no call for preferred places; Spark's own takes pairs of a value and hosts.
    from pyspark import RDD
    from pyspark.serializers import UTF8Deserializer

    machine = context._jvm
    assert machine is not None
    pairs = machine.java.util.ArrayList()
    for place in places:
        hosts = machine.java.util.ArrayList()
        if place.host:
            hosts.add(place.host)
        to_seq = machine.org.apache.spark.api.python.PythonUtils.toSeq
        pairs.add(machine.scala.Tuple2(place.path, to_seq(hosts)))
    tag = machine.scala.reflect.ClassTag.apply(machine.java.lang.Class.forName("java.lang.String"))
    scala = context._jsc.sc().makeRDD(
        machine.org.apache.spark.api.python.PythonUtils.toSeq(pairs), tag
    )
    java = machine.org.apache.spark.api.java.JavaRDD.fromRDD(scala, tag)
    return RDD(java, context, UTF8Deserializer())
