import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple5;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Pageviews from Kafka, deduplicated, to a count and the visitors of each page and hour, exactly
 * once by checkpoints. The state is the result: nothing is written to a store.
 *
 * <p>Arguments: brokers, topic, folder for files, state backend (hashmap or rocksdb), parallelism.
 */
public final class FlinkJob {
  private static final AtomicLong SEEN = new AtomicLong();
  private static final AtomicLong UNIQUE = new AtomicLong();

  private FlinkJob() {}

  /** nonce (two halves), page, person, time. */
  static final class Decode implements DeserializationSchema<Tuple5<Long, Long, String, Long, Long>> {
    private transient Pageview view;

    @Override
    public Tuple5<Long, Long, String, Long, Long> deserialize(byte[] value) throws IOException {
      Meter.start();
      SEEN.incrementAndGet();
      if (view == null) {
        view = new Pageview();
      }
      view.parse(value);
      return Tuple5.of(view.nonceHigh, view.nonceLow, view.url, view.person, view.ts);
    }

    @Override
    public boolean isEndOfStream(Tuple5<Long, Long, String, Long, Long> event) {
      return false;
    }

    @Override
    public TypeInformation<Tuple5<Long, Long, String, Long, Long>> getProducedType() {
      return Types.TUPLE(Types.LONG, Types.LONG, Types.STRING, Types.LONG, Types.LONG);
    }
  }

  static final class Dedupe
      extends KeyedProcessFunction<Tuple2<Long, Long>, Tuple5<Long, Long, String, Long, Long>, Tuple3<String, Integer, Long>> {
    private transient ValueState<Long> seen;

    @Override
    public void open(OpenContext context) {
      ValueStateDescriptor<Long> state = new ValueStateDescriptor<>("seen", Types.LONG);
      state.enableTimeToLive(StateTtlConfig.newBuilder(Duration.ofMillis(Pageview.DEDUPE))
          .setUpdateType(StateTtlConfig.UpdateType.OnCreateAndWrite)
          .setStateVisibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
          .cleanupInRocksdbCompactFilter(100_000)
          .cleanupIncrementally(2, false)
          .build());
      seen = getRuntimeContext().getState(state);
    }

    @Override
    public void processElement(Tuple5<Long, Long, String, Long, Long> event, Context context,
        Collector<Tuple3<String, Integer, Long>> out) throws Exception {
      Long before = seen.value();
      if (before != null && Math.abs(before - event.f4) <= Pageview.DEDUPE) {
        return;
      }
      seen.update(event.f4);
      UNIQUE.incrementAndGet();
      out.collect(Tuple3.of(event.f2, (int) (event.f4 / Pageview.HOUR), event.f3));
    }
  }

  static final class Count
      extends KeyedProcessFunction<Tuple3<Integer, Long, String>, Tuple3<String, Integer, Long>, Long> {
    private transient ValueState<byte[]> cell;

    @Override
    public void open(OpenContext context) {
      cell = getRuntimeContext().getState(
          new ValueStateDescriptor<>("cell", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
    }

    @Override
    public void processElement(Tuple3<String, Integer, Long> event, Context context, Collector<Long> out) throws Exception {
      cell.update(Cell.add(cell.value(), event.f2));
    }
  }

  private static Configuration configuration(Path files, String backend) {
    return Configuration.fromMap(Map.ofEntries(
        Map.entry("state.backend.type", backend),
        Map.entry("execution.checkpointing.incremental", "true"),
        Map.entry("execution.checkpointing.storage", "filesystem"),
        Map.entry("execution.checkpointing.dir", files.resolve("checkpoints").toUri().toString()),
        Map.entry("execution.checkpointing.interval", "5s"),
        Map.entry("execution.checkpointing.mode", "EXACTLY_ONCE"),
        Map.entry("taskmanager.memory.managed.size", "512m"),
        Map.entry("taskmanager.memory.network.min", "128m"),
        Map.entry("taskmanager.memory.network.max", "128m"),
        Map.entry("io.tmp.dirs", files.toString()),
        Map.entry("pipeline.object-reuse", "true"),
        Map.entry("state.backend.rocksdb.localdir", files.resolve("rocksdb").toString()),
        Map.entry("state.backend.rocksdb.writebuffer.size", "64m"),
        Map.entry("state.backend.rocksdb.use-bloom-filter", "true"),
        Map.entry("state.backend.rocksdb.thread.num", "2"),
        Map.entry("state.backend.rocksdb.compression.per.level", "LZ4_COMPRESSION"),
        Map.entry("state.backend.rocksdb.predefined-options", "FLASH_SSD_OPTIMIZED"),
        Map.entry("execution.buffer-timeout.interval", "100ms"),
        Map.entry("rest.bind-port", "0")));
  }

  private static KafkaSource<Tuple5<Long, Long, String, Long, Long>> source(String brokers, String topic) {
    Properties consumer = new Properties();
    consumer.put("max.poll.records", "5000");
    consumer.put("fetch.min.bytes", "262144");
    consumer.put("fetch.max.wait.ms", "100");
    consumer.put("max.partition.fetch.bytes", "4194304");
    return KafkaSource.<Tuple5<Long, Long, String, Long, Long>>builder()
        .setBootstrapServers(brokers)
        .setTopics(topic)
        .setGroupId("flink-" + System.currentTimeMillis())
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest())
        .setValueOnlyDeserializer(new Decode())
        .setProperties(consumer)
        .build();
  }

  /** Runs the job up to the end of the topic and its last checkpoint. */
  public static void main(String[] args) throws Exception {
    Path files = Files.createTempDirectory(Path.of(args[2]), "flink");
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(
        Integer.parseInt(args[4]), configuration(files, args[3]));
    env.fromSource(source(args[0], args[1]), WatermarkStrategy.noWatermarks(), "pageviews")
        .keyBy((KeySelector<Tuple5<Long, Long, String, Long, Long>, Tuple2<Long, Long>>) e -> Tuple2.of(e.f0, e.f1),
            Types.TUPLE(Types.LONG, Types.LONG))
        .process(new Dedupe(), Types.TUPLE(Types.STRING, Types.INT, Types.LONG))
        .keyBy((KeySelector<Tuple3<String, Integer, Long>, Tuple3<Integer, Long, String>>)
            e -> Tuple3.of(e.f1, Pageview.hash(e.f0), e.f0), Types.TUPLE(Types.INT, Types.LONG, Types.STRING))
        .process(new Count(), Types.LONG)
        .sinkTo(new DiscardingSink<>());
    env.execute("pageviews");
    Meter.stop();
    Meter.print(SEEN.get(), UNIQUE.get());
    try (var all = Files.walk(files)) {
      all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
    }
    System.exit(0);
  }
}
