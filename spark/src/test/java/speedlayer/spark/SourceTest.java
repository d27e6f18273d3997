package speedlayer.spark;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** Tests of what needs no Spark at work; jar_test.go compiles and runs them. The exit status is 1 if one fails. */
public final class SourceTest {
  private static int failed;

  public static void main(String[] args) throws Exception {
    answers();
    offsets();
    limits();
    settings();
    workers();
    System.out.println(failed == 0 ? "ok" : failed + " failed");
    System.exit(failed == 0 ? 0 : 1);
  }

  private static void check(String what, Object got, Object want) {
    if (!String.valueOf(got).equals(String.valueOf(want))) {
      failed++;
      System.out.println(what + ": " + got + ", want " + want);
    }
  }

  /** The class of what a call throws, and its text. */
  private static String thrown(Callable<?> call) {
    try {
      return "returns " + call.call();
    } catch (Exception e) {
      return e.getClass().getSimpleName() + ": " + e.getMessage();
    }
  }

  private static void wantThrown(String kind, String says, Callable<?> call) {
    String got = thrown(call);
    if (!got.startsWith(kind + ": ") || !got.contains(says)) {
      failed++;
      System.out.println(got + ", want " + kind + " with " + says);
    }
  }

  /** The same lines as in spark/worker/protocol_test.go. */
  private static void answers() throws Exception {
    check("WELCOME", Arrays.toString(Protocol.answer("WELCOME 1 00ff 12ab", "WELCOME", 3)), "[1, 00ff, 12ab]");
    check("PLANNED", Arrays.toString(Protocol.numbers(Protocol.answer("PLANNED 3 ab 0,5 10,9", "PLANNED", 4)[3])), "[10, 9]");
    check("COMMITTED", Protocol.answer("COMMITTED 3 ab 7,8", "COMMITTED", 3)[1], "ab");
    check("DONE", Protocol.answer("DONE 1 2 3 4 5", "DONE", 5).length, 5);
    check("no partitions", Protocol.numbers("").length, 0);
    wantThrown("EndedException", "4", () -> Protocol.answer("ENDED 4", "DONE", 5));
    wantThrown("RetryException", "the store is away", () -> Protocol.answer("RETRY the store is away", "DONE", 5));
    wantThrown("FatalException", "? is wrong", () -> Protocol.answer("FATAL ? is wrong", "PLANNED", 4));
    for (String line : List.of("", "DONE", "DONE 1 2 3 4", "DONE 1 2 3 4 5 6", "DONE 1 2 3 4 ", "done 1 2 3 4 5", "PLANNED 3 ab 0 1", "BEAT")) {
      wantThrown("IOException", "the worker answers", () -> Protocol.answer(line, "DONE", 5));
    }
    wantThrown("IOException", "the worker answers", () -> Protocol.answer("ENDED 4", "PLANNED", 4));
    for (String n : List.of("", "-1", "+1", "01", "1e3", " 1", "0x1", "99999999999999999999")) {
      wantThrown("IllegalArgumentException", "is not a number", () -> Protocol.number(n));
    }
    wantThrown("IllegalArgumentException", "is not a number", () -> Protocol.numbers("1,,2"));
    wantThrown("IllegalArgumentException", "is not a number", () -> Protocol.numbers("1,"));
  }

  private static void offsets() {
    String json = "{\"version\":1,\"store\":\"0a\",\"epoch\":2,\"topic\":\"0b\",\"starts\":[0,5],\"offsets\":[10,7]}";
    check("an offset", Offsets.parse(json).json(), json);
    check("no partitions", Offsets.parse(json.replace("[0,5]", "[]").replace("[10,7]", "[]")).offsets.length, 0);
    for (String bad : List.of("{}", "{\"0\":12}", json.replace(":1,", ":2,"), json + " ", json.replace("0a", "A"), json.replace("[0,5]", "[0,5,6]"),
        json.replace("10,7", "10,,7"))) {
      wantThrown("IllegalArgumentException", "speedlayer: ", () -> Offsets.parse(bad));
    }
  }

  private static Offsets at(long epoch, long... offsets) {
    return new Offsets("a", epoch, "b", new long[offsets.length], offsets);
  }

  private static void limits() {
    Offsets end = at(1, 100, 300, 0);
    check("from the same epoch", Arrays.toString(end.from(at(1, 7, 8, 0))), "[7, 8, 0]");
    check("from another epoch", Arrays.toString(end.from(at(0, 7, 8))), "[0, 0, 0]");
    check("from nothing", Arrays.toString(end.from(null)), "[0, 0, 0]");
    check("enough", end.limited(at(1, 0, 0, 0), 400) == end, true);
    check("in proportion", Arrays.toString(end.limited(at(1, 0, 0, 0), 100).offsets), "[25, 75, 0]");
    check("at least one", Arrays.toString(end.limited(at(1, 99, 0, 0), 3).offsets), "[100, 3, 0]");
    check("never back", Arrays.toString(end.limited(at(1, 200, 0, 0), 30).offsets), "[200, 30, 0]");
  }

  /** What cannot work ends the query; what may is tried again. */
  private static void workers() {
    wantThrown("FatalException", "give the binary with --files", () -> Worker.get(List.of("/no/such/speedlayer", "spark-worker")));
    wantThrown("FatalException", "is not a right call", () -> Worker.get(List.of("sh", "-c", "exit 2")));
    wantThrown("IOException", "ended at once", () -> Worker.get(List.of("sh", "-c", "exit 1")));
    wantThrown("FatalException", "the jar and the binary of one release", () -> Worker.get(List.of("sh", "-c", "echo speedlayer-spark-worker 2 /x; cat")));
  }

  private static void settings() {
    Map<String, String> m = new HashMap<>(Map.of("Kafka", "a:1,b:2", "store", "hbase://z/hbase", "maxoffsetspertrigger", "12", "snapshotEvery", "5s"));
    Settings s = Settings.of(new CaseInsensitiveStringMap(m));
    check("flags", s.flags(), "[--kafka=a:1,b:2, --store=hbase://z/hbase, --snapshot-every=5s]");
    check("limit", s.perTrigger(), 12);
    m.put("maxOffsetsPerTriger", "1");
    wantThrown("IllegalArgumentException", "maxOffsetsPerTriger is not known: allowed are kafka, store", () -> Settings.of(new CaseInsensitiveStringMap(m)));
    m.remove("maxOffsetsPerTriger");
    m.put("maxoffsetspertrigger", "0");
    wantThrown("IllegalArgumentException", "allowed is a number from 1 on", () -> Settings.of(new CaseInsensitiveStringMap(m)));
    m.remove("store");
    wantThrown("IllegalArgumentException", "the option store is missing", () -> Settings.of(new CaseInsensitiveStringMap(m)));
  }
}
