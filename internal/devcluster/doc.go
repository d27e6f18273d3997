// Package devcluster runs the servers of a cluster on one machine, for
// development and for tests: real Apache Kafka (KRaft, one broker or three), real
// Apache HBase (ZooKeeper, a master and region servers, each a process of its own,
// with HDFS under it if asked for), real Apache Cassandra (one node to three), and
// real Apache Spark (a standalone master and two workers).
//
// The jars come from Maven by a pinned pom and are compared with a list of
// SHA-256 sums that stands beside it (files/); anything else is refused. They
// are kept in one folder for all clusters of a user. Java 17 and Maven are the
// only things expected; the second start needs no Maven.
//
// One folder holds all else of a cluster:
//
//	state.json   what was started: options, ports, process ids
//	LOCK         held while a process starts or owns the cluster
//	conf/        configurations, written at each start
//	data/        logs of Kafka, blocks of HDFS, regions of HBase, tables of Cassandra
//	logs/        what each process says, NAME.log
//
// Processes are named spark-master, spark-worker-1, spark-worker-2, kafka-1 ..
// kafka-3, zookeeper, namenode, datanode, master, regionserver-1 .. N, cassandra-1 ..
// cassandra-3. Each leads a process group of its own, and its command
// line carries the cluster's folder, by which Stop finds what is left even when
// the state file is gone. Unless Options.Detach is set the processes die with
// the one that started them (on Linux, where the kernel sees to it).
//
// None of this is made for production: see deploy/ for servers of one's own.
package devcluster
