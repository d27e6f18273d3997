package speedlayer.spark;

import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.metric.CustomSumMetric;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.sources.DataSourceRegister;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** The format "speedlayer": <code>spark.readStream().format("speedlayer")</code>. */
public final class Source implements TableProvider, DataSourceRegister {
  /** A row for each range that was processed; its numbers are what the range added. */
  static final StructType SCHEMA = new StructType()
      .add("epoch", DataTypes.LongType, false)
      .add("partition", DataTypes.IntegerType, false)
      .add("from", DataTypes.LongType, false)
      .add("until", DataTypes.LongType, false)
      .add("records", DataTypes.LongType, false)
      .add("events", DataTypes.LongType, false)
      .add("duplicates", DataTypes.LongType, false)
      .add("rejected", DataTypes.LongType, false)
      .add("rerouted", DataTypes.LongType, false)
      .add("millis", DataTypes.LongType, false)
      .add("executor", DataTypes.StringType, false);

  @Override public String shortName() {
    return "speedlayer";
  }

  @Override public StructType inferSchema(CaseInsensitiveStringMap options) {
    return SCHEMA;
  }

  @Override public Table getTable(StructType schema, Transform[] partitioning, Map<String, String> properties) {
    return new RangeTable();
  }

  static final class RangeTable implements SupportsRead {
    @Override public String name() {
      return "speedlayer";
    }

    @Override @Deprecated public StructType schema() {
      return SCHEMA;
    }

    @Override public Set<TableCapability> capabilities() {
      return Set.of(TableCapability.MICRO_BATCH_READ);
    }

    @Override public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) {
      Settings settings = Settings.of(options);
      return () -> new RangeScan(settings);
    }
  }

  record RangeScan(Settings settings) implements Scan {
    @Override public StructType readSchema() {
      return SCHEMA;
    }

    @Override public String description() {
      return "speedlayer ranges";
    }

    @Override public MicroBatchStream toMicroBatchStream(String checkpoint) {
      return new Ranges(settings);
    }

    @Override public CustomMetric[] supportedCustomMetrics() {
      return new CustomMetric[] {new Events(), new Duplicates(), new Rejected(), new Rerouted()};
    }
  }

  /** The metrics in Spark's pages; Spark makes each by its name. */
  public static final class Events extends CustomSumMetric {
    @Override public String name() {
      return "events";
    }

    @Override public String description() {
      return "events";
    }
  }

  /** Dropped because they came before. */
  public static final class Duplicates extends CustomSumMetric {
    @Override public String name() {
      return "duplicates";
    }

    @Override public String description() {
      return "duplicates";
    }
  }

  /** Sent to the topic of rejected records. */
  public static final class Rejected extends CustomSumMetric {
    @Override public String name() {
      return "rejected";
    }

    @Override public String description() {
      return "rejected records";
    }
  }

  /** Sent on to the partition that they belong to. */
  public static final class Rerouted extends CustomSumMetric {
    @Override public String name() {
      return "rerouted";
    }

    @Override public String description() {
      return "rerouted records";
    }
  }
}
