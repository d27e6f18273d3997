package speedlayer.spark;

import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.streaming.DataStreamReader;
import org.apache.spark.sql.streaming.DataStreamWriter;
import org.apache.spark.sql.streaming.Trigger;

/**
 * A query that has everything processed, for spark-submit:
 * <pre>Main CHECKPOINT TRIGGER OPTION=VALUE ...</pre>
 * TRIGGER is milliseconds between micro-batches, or available-now: what is there, and then it ends.
 * The options are those of the source.
 */
public final class Main {
  private Main() {}

  /** Runs until the query ends. */
  public static void main(String[] args) throws Exception {
    if (args.length < 2) {
      throw new IllegalArgumentException("usage: Main CHECKPOINT TRIGGER OPTION=VALUE ...");
    }
    SparkSession spark = SparkSession.builder().appName("speedlayer").getOrCreate();
    DataStreamReader reader = spark.readStream().format("speedlayer");
    for (int i = 2; i < args.length; i++) {
      int at = args[i].indexOf('=');
      if (at < 1) {
        throw new IllegalArgumentException(args[i] + ": allowed is OPTION=VALUE");
      }
      reader.option(args[i].substring(0, at), args[i].substring(at + 1));
    }
    DataStreamWriter<Row> writer = reader.load().writeStream().format("noop").queryName("speedlayer").option("checkpointLocation", args[0]);
    writer.trigger(args[1].equals("available-now") ? Trigger.AvailableNow() : Trigger.ProcessingTime(Long.parseLong(args[1])));
    writer.start().awaitTermination();
    spark.stop();
  }
}
