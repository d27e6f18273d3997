/**
 * Spark plans, Go works: a streaming source whose tasks read no records. Each task hands a range
 * of offsets of one partition to the process <code>speedlayer spark-worker</code> beside its
 * executor, which processes it and commits.
 *
 * <pre>
 * Source -> Ranges (driver: what to run) -> Reader (executor: have it run) -> Worker (the process)
 * </pre>
 */
package speedlayer.spark;
