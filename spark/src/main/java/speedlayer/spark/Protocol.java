package speedlayer.spark;

import java.io.IOException;
import java.util.Arrays;

/** The lines that the worker answers; spark/worker/protocol.go has the whole protocol. */
final class Protocol {
  static final int VERSION = 1;
  static final int MAX_LINE = 64 << 10;

  private Protocol() {}

  /** An answer that the same request may not get later. */
  static final class RetryException extends IOException {
    private static final long serialVersionUID = 1;

    RetryException(String message) {
      super(message);
    }
  }

  /** An error that no other try mends. */
  static final class FatalException extends RuntimeException {
    private static final long serialVersionUID = 1;

    FatalException(String message) {
      super("speedlayer: " + message);
    }
  }

  /** The log epoch of a range has ended. */
  static final class EndedException extends Exception {
    private static final long serialVersionUID = 1;
    final long newest;

    EndedException(long newest) {
      super("the newest log epoch is " + newest);
      this.newest = newest;
    }
  }

  /** The words of an answer after its name, of which there must be so many. */
  static String[] answer(String line, String name, int words) throws IOException, EndedException {
    int space = line.indexOf(' ');
    String first = space < 0 ? line : line.substring(0, space);
    String rest = space < 0 ? "" : line.substring(space + 1);
    switch (first) {
      case "RETRY":
        throw new RetryException(rest);
      case "FATAL":
        throw new FatalException(rest);
      case "ENDED":
        if (name.equals("DONE")) {
          throw new EndedException(number(rest));
        }
        break;
      default:
        break;
    }
    String[] all = space < 0 ? new String[0] : rest.split(" ", -1);
    if (!first.equals(name) || all.length != words || Arrays.asList(all).contains("")) {
      throw new IOException("speedlayer: the worker answers \"" + (line.length() > 200 ? line.substring(0, 200) : line) + "\", not " + name + " with " + words + " words");
    }
    return all;
  }

  static long number(String text) {
    if (!text.matches("0|[1-9][0-9]{0,18}")) {
      throw new IllegalArgumentException("speedlayer: " + text + " is not a number");
    }
    return Long.parseLong(text);
  }

  /** Numbers with commas between them. */
  static long[] numbers(String text) {
    return text.isEmpty() ? new long[0] : Arrays.stream(text.split(",", -1)).mapToLong(Protocol::number).toArray();
  }
}
