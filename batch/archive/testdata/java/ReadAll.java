import org.apache.hadoop.fs.Path;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;

/** Reads all columns of each Parquet file named, and prints how many rows it has. */
public class ReadAll {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            long rows = 0;
            try (ParquetReader<Group> reader = ParquetReader.builder(new GroupReadSupport(), new Path(file)).build()) {
                for (Group g = reader.read(); g != null; g = reader.read()) {
                    rows++;
                    g.toString();
                }
            }
            System.out.println(rows);
        }
    }
}
