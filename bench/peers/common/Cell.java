import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The count and the visitors of a page in an hour, as bytes. Integers are little-endian:
 *
 * <pre>
 * 0 count i64 | 8 up to 64 hashes of persons, i64 each
 * 0 count i64 | 8 4096 registers of a HyperLogLog, a byte each
 * </pre>
 */
public final class Cell {
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final int HEAD = 8;
  private static final int EXACT = HEAD + 64 * 8;
  private static final int SKETCH = HEAD + 4096;

  private Cell() {}

  /** Returns a new cell with one more view. A cell of null is empty. */
  public static byte[] add(byte[] cell, long person) {
    byte[] next = cell == null ? new byte[HEAD] : cell;
    if (next.length == SKETCH) {
      next = next.clone();
      register(next, person);
    } else {
      next = addExact(next, person);
    }
    LONG.set(next, 0, count(next) + 1);
    return next;
  }

  private static byte[] addExact(byte[] cell, long person) {
    for (int i = HEAD; i < cell.length; i += 8) {
      if ((long) LONG.get(cell, i) == person) {
        return cell.clone();
      }
    }
    if (cell.length < EXACT) {
      byte[] next = Arrays.copyOf(cell, cell.length + 8);
      LONG.set(next, cell.length, person);
      return next;
    }
    byte[] next = new byte[SKETCH];
    LONG.set(next, 0, count(cell));
    for (int i = HEAD; i < cell.length; i += 8) {
      register(next, (long) LONG.get(cell, i));
    }
    register(next, person);
    return next;
  }

  private static void register(byte[] cell, long hash) {
    int at = HEAD + (int) (hash >>> 52);
    byte rank = (byte) (Long.numberOfLeadingZeros((hash << 12) | 2048) + 1);
    if (rank > cell[at]) {
      cell[at] = rank;
    }
  }

  /** Returns the number of views. */
  public static long count(byte[] cell) {
    return (long) LONG.get(cell, 0);
  }
}
