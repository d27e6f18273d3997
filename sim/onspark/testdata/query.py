"""Processes what is in the log with the source "speedlayer", from Python.

Usage: query.py JAR BINARY KAFKA STORE CHECKPOINT
"""

import os
import sys

from pyspark.sql import SparkSession

jar, binary, kafka, store, checkpoint = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[4]")
    .config("spark.jars", jar)
    .config("spark.files", binary)
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .getOrCreate()
)
rows = []
(
    spark.readStream.format("speedlayer")
    .option("kafka", kafka)
    .option("store", store)
    .option("binary", os.path.basename(binary))
    .option("maxOffsetsPerTrigger", 1000)
    .load()
    .writeStream.foreachBatch(lambda frame, batch: rows.extend(frame.collect()))
    .option("checkpointLocation", checkpoint)
    .trigger(availableNow=True)
    .start()
    .awaitTermination()
)
print(f"records {sum(r.records for r in rows)}, events {sum(r.events for r in rows)}, {len(rows)} ranges")
