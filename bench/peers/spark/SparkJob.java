import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.from_json;
import static org.apache.spark.sql.functions.hll_sketch_agg;
import static org.apache.spark.sql.functions.hll_sketch_estimate;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.max;
import static org.apache.spark.sql.functions.sum;
import static org.apache.spark.sql.functions.window;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import org.apache.spark.api.java.function.VoidFunction2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.StreamingQuery;
import org.apache.spark.sql.streaming.Trigger;
import org.apache.spark.sql.types.StructType;

/**
 * Pageviews from Kafka, deduplicated within a watermark, to a count and the visitors of each page
 * and hour, by Structured Streaming. The groups that a micro-batch changed are written as Parquet.
 *
 * <p>Arguments: brokers, topic, folder for files, cores.
 */
public final class SparkJob {
  private static final int BATCH = 1_000_000;

  private SparkJob() {}

  private static SparkSession session(Path files, String cores) {
    SparkSession spark = SparkSession.builder()
        .master("local[" + cores + "]")
        .appName("pageviews")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", files.resolve("local").toString())
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", cores)
        // The default of 128 keys makes every task of a sketch's aggregate fall back to sorting.
        .config("spark.sql.objectHashAggregate.sortBased.fallbackThreshold", 2_000_000)
        .config("spark.sql.streaming.noDataMicroBatches.enabled", "false")
        .config("spark.sql.streaming.maxBatchesToRetainInMemory", 1)
        .getOrCreate();
    spark.sparkContext().setLogLevel("ERROR");
    return spark;
  }

  private static Dataset<Row> events(SparkSession spark, String brokers, String topic) {
    StructType schema = new StructType().add("nonce", "string").add("person", "string").add("url", "string").add("ts", "string");
    return spark.readStream().format("kafka")
        .option("kafka.bootstrap.servers", brokers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", BATCH)
        .option("kafka.max.poll.records", 5000)
        .option("kafka.max.partition.fetch.bytes", 4 << 20)
        .load()
        .select(from_json(col("value").cast("string"), schema).as("j"))
        .select(col("j.nonce"), col("j.person"), col("j.url"),
            expr("coalesce(timestamp_millis(try_cast(j.ts as bigint)), try_cast(j.ts as timestamp))").as("ts"));
  }

  /** Replaces a url by its page: by string functions in steps, so that each is evaluated once. */
  private static Dataset<Row> pages(Dataset<Row> events) {
    return events
        .withColumn("rest", expr("substring_index(substring_index(substring_index(url, '#', 1), '?', 1), '://', -1)"))
        .withColumn("slash", expr("instr(rest, '/')"))
        .withColumn("host", expr("lower(if(slash > 0, substring(rest, 1, slash - 1), rest))"))
        .withColumn("path", expr("if(slash > 0, substring(rest, slash), '')"))
        .withColumn("url", concat(expr("if(startswith(host, 'www.'), substring(host, 5), host)"),
            expr("if(endswith(path, '/'), left(path, length(path) - 1), path)")))
        .drop("rest", "slash", "host", "path");
  }

  private static Dataset<Row> counts(Dataset<Row> events) {
    return events
        .withWatermark("ts", "10 minutes")
        .dropDuplicatesWithinWatermark(new String[] {"nonce"})
        .groupBy(col("url"), window(col("ts"), "1 hour").as("hour"))
        .agg(count(lit(1)).as("views"), hll_sketch_agg(col("person"), 12).as("persons"))
        .select(col("url"), col("hour.start").as("hour"), col("views"), hll_sketch_estimate(col("persons")).as("persons"));
  }

  /** Runs the job up to the end of the topic, then sums the newest count of each group. */
  public static void main(String[] args) throws Exception {
    Path files = Files.createTempDirectory(Path.of(args[2]), "spark");
    SparkSession spark = session(files, args[3]);
    String out = files.resolve("views").toString();
    Meter.start();
    StreamingQuery query = counts(pages(events(spark, args[0], args[1]))).writeStream()
        .outputMode("update")
        .option("checkpointLocation", files.resolve("checkpoint").toString())
        .trigger(Trigger.AvailableNow())
        .foreachBatch((VoidFunction2<Dataset<Row>, Long>) (batch, id) -> batch.write().mode("append").parquet(out))
        .start();
    query.awaitTermination();
    Meter.stop();
    long events = 0;
    for (var progress : query.recentProgress()) {
      events += progress.numInputRows();
    }
    long unique = spark.read().parquet(out).groupBy("url", "hour").agg(max("views").as("views"))
        .agg(sum("views")).first().getLong(0);
    Meter.print(events, unique);
    spark.stop();
    try (var all = Files.walk(files)) {
      all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
    }
    System.exit(0);
  }
}
